"""Evaluation: datasets, metrics and benchmarks that show how good the rest is."""
