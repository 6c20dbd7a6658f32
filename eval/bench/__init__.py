"""Benchmarks: each compares Phidex with a peer or a physical limit in the same run. `python -m phidex.eval.bench`."""
