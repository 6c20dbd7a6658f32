"""`python -m phidex.eval.bench [names…]`: runs benchmarks one after another and prints what they found as Markdown."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phidex.eval.bench.options import Options, default_manuals, default_xquad, machine_facts
from phidex.eval.bench.peers import peer_versions
from phidex.eval.bench.table import Outcome, markdown, render

NAMES = (  # the timings first, on a machine that is still cool and quiet
    "extract",
    "workers",
    "query",
    "scale",
    "packing",
    "cache",
    "overhead",
    "keyframes",
    "rest",
    "ingest",
    "edit",
    "code",
    "xquad",
    "reworded",
    "manuals",
    "summary",
    "meetings",
    "codesearch",
    "routing",
    "claims",
    "expansion",
    "robust",
    "tables",
    "ocr",
    "slides",
)

PEERED = {"keyframes", "ingest", "code", "xquad", "reworded", "manuals", "codesearch"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 1 when a benchmark could not be run; figures below their bar are marked and do not count as failure."""
    given = parse(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    options = Options(
        xquad=given.data,
        manuals=given.manuals.expanduser(),
        cache=given.cache.expanduser(),
        peers=not given.no_peers,
        full=given.full,
        say=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
    )
    facts = machine_facts()
    found: list[dict[str, Any]] = []
    failed = False
    for name in given.names or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        started = time.monotonic()
        outcome, error = run_one(name, options)
        seconds = time.monotonic() - started
        print(render(outcome) if outcome else f"## {name}\n\nNOT RUN: {error}\n", flush=True)
        print(f"  {name} took {seconds:.0f} s", file=sys.stderr, flush=True)
        failed = failed or outcome is None
        found.append((outcome.to_dict() if outcome else {"name": name, "error": error}) | {"seconds": round(seconds, 1)})
        if given.json:
            given.json.write_text(json.dumps({"machine": dict(facts), "benchmarks": found}, indent=1) + "\n", "utf-8")
    if options.peers and not failed and PEERED.intersection(given.names or NAMES):
        facts.append(("peers", peer_versions()))
    print(markdown(("machine", ""), facts))
    return int(failed)


def run_one(name: str, options: Options) -> tuple[Outcome | None, str]:
    """What a benchmark found, or why it could not be run."""
    try:
        module: Any = importlib.import_module(f"phidex.eval.bench.{name}")
        return module.run(options), ""
    except Exception as exc:  # whatever it is, it must not cost the results of the others
        logging.getLogger(__name__).warning("benchmark failed name=%s", name, exc_info=True)
        return None, f"{type(exc).__name__}: {exc}"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m phidex.eval.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="name", help=f"which: {', '.join(NAMES)} (all)")
    parser.add_argument("--data", type=Path, default=default_xquad(), help="folder with xquad.<language>.json (%(default)s)")
    parser.add_argument("--manuals", type=Path, default=default_manuals(), help="folder of the manuals (%(default)s)")
    parser.add_argument("--cache", type=Path, default=default_manuals().parent, help="kept between runs (%(default)s)")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument(
        "--full", action="store_true", help="reworded: all documents; workers: 20,000 pages too; scale: a million chunks"
    )
    parser.add_argument("--no-peers", action="store_true", help="measure Phidex alone")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
