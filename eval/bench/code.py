"""Source code: cutting it beside LlamaIndex's CodeSplitter, a repository to searchable, symbols beside `ast`'s.

The corpus is the Python standard library of this interpreter: written by hand, of every size, on every machine. CPU seconds for
cutting, in turns with the peer, the best of each; wall seconds to searchable, without imports and without loading the model.
"""

from __future__ import annotations

import ast
import shutil
import sysconfig
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from phidex.eval.bench.options import Options
from phidex.eval.bench.peers import run_peer
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.chunk import chunk_document
from phidex.ingest.code.source import parse_code
from phidex.ingest.records import Chunk, Parsed
from phidex.retrieval.choose import bundled_path
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

CHUNK_TOKENS = 256
ROUNDS = 4
PEER_CHARS = 1050  # of a chunk at most: as much code as 256 tokens of ours
FILES = 296  # as many as in eval/LOG.md's first measurement
REPOSITORY = ("asyncio", "json", "http")
_SOURCE_ID = "6c0e1a6e-2f0b-5c0f-9d0a-70686964ff78"

Place = tuple[str, int, int]
"""A symbol, its first line and its last."""


def library(*packages: str) -> list[Path]:
    """Files of the standard library that are not empty, sorted; without its tests, of which many are broken on purpose."""
    root = Path(sysconfig.get_paths()["stdlib"])
    folders = [root / package for package in packages] or [root]
    found = (path for folder in folders for path in folder.rglob("*.py"))
    passed_over = {"test", "tests", "site-packages", "idle_test", "__pycache__"}
    return sorted(path for path in found if not passed_over & set(path.relative_to(root).parts) and path.stat().st_size)


def cut(path: Path) -> tuple[Parsed, list[Chunk]]:
    """A file read, parsed and cut as an ingest does it."""
    parsed = parse_code(path.read_bytes(), path)
    return parsed, chunk_document(parsed, source_id=_SOURCE_ID, path=path.name, language="und", limit_tokens=CHUNK_TOKENS)


def time_cutting(paths: Sequence[Path]) -> tuple[float, int]:
    """CPU seconds for cutting all files, and how many chunks they give."""
    started = time.process_time()
    count = sum(len(cut(path)[1]) for path in paths)
    return time.process_time() - started, count


def places_of(parsed: Parsed) -> Iterator[Place]:
    """The symbols found in a file, each with the lines of its own block."""
    for block in parsed.blocks:
        if block.symbol:
            first = block.anchors[0].line or 0
            yield block.symbol, first, first + block.text.count("\n")


def truth_of(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[Place]:
    """Every function and class that `ast` finds outside of functions, decorators included."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = prefix + node.name
            yield name, min([node.lineno, *(one.lineno for one in node.decorator_list)]), node.end_lineno or 0
            if isinstance(node, ast.ClassDef):
                yield from truth_of(node.body, name + ".")
        else:
            branches: list[Any] = [node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())]
            for branch in branches:
                for field in ("body", "orelse", "finalbody"):
                    found: Any = getattr(branch, field, None)  # of a lambda, `body` is no list
                    yield from truth_of(cast("list[ast.stmt]", found) if isinstance(found, list) else [], prefix)


def judge(path: Path) -> tuple[int, int, int, int]:
    """Of one file: symbols that ast has, those found with their lines, blocks with a symbol, those whose symbol ast has."""
    data = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        truth = list(truth_of(ast.parse(data).body))
    lines = data.decode("utf-8", "replace").splitlines()
    found = list(places_of(parse_code(data, path)))
    names = {name for name, _, _ in truth}
    hits = sum(any(agrees(place, at, found, lines) for at in range(len(found))) for place in truth)
    return len(truth), hits, len(found), sum(name in names for name, _, _ in found)


def agrees(place: Place, at: int, found: Sequence[Place], lines: Sequence[str]) -> bool:
    """Whether what begins with the block `found[at]` is this symbol: with comments around it that ast does not count."""
    name, first, last = place
    symbol, begin, end = found[at]
    if symbol != name or not begin <= first <= end:
        return False
    for other, start, stop in found[at + 1 :]:
        if start > last or not (other == name or other.startswith(name + ".")):
            break
        end = stop
    around = [*lines[begin - 1 : first - 1], *lines[last:end]]
    return end >= last and all(not line.strip() or line.strip().startswith("#") for line in around)


def time_repository(paths: Sequence[Path], scratch: Path) -> tuple[float, int]:
    """Wall seconds until a folder of these files can be searched, and how many chunks it has."""
    folder = scratch / "documents"
    for path in paths:
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (scratch / "warm.py").write_text("def warm():\n    return 'imports everything before the clock'\n", "utf-8")
    settings = Settings(data=scratch / "data", embed=EmbedSettings(model="bundled"))  # pyright: ignore[reportCallIssue]
    best, count = float("inf"), 0
    with Phidex(settings=settings) as phidex:
        phidex.ingest(scratch / "warm.py")
        for _ in range(2):
            phidex.remove(*(entry.source.id for entry in phidex.sources()))
            report = phidex.ingest(folder, dense="later")
            best, count = min(best, report.seconds_to_searchable), sum(file.chunk_count for file in report.files)
    return best, count


def run(options: Options) -> Outcome:
    """The benchmark; about 3 minutes on two cores, most of them LlamaIndex's."""
    whole = library()
    paths = whole[:: max(1, len(whole) // FILES)][:FILES]
    rows: list[list[Cell]] = []
    checks: list[Check] = []
    ours, texts, nodes, count, peer_count = _cutting(paths, options)
    size = sum(path.stat().st_size for path in paths)
    rows.append(["Phidex: symbols, links, tokens, chunks with ids", len(paths) / ours, size / ours / 1e6, count])
    if nodes:
        rows.append(["LlamaIndex CodeSplitter: nodes with ids", len(paths) / nodes, size / nodes / 1e6, peer_count])
        rows.append(["LlamaIndex CodeSplitter: bare texts", len(paths) / texts, size / texts / 1e6, peer_count])
        checks.append(Check("files a CPU second, times CodeSplitter's nodes", nodes / ours, ">=", 1, "x"))
    judged = [judge(path) for path in whole]
    wanted, hits, found, true = (sum(column) for column in zip(*judged, strict=True))
    checks.append(Check("symbols of ast found, with their lines", hits / wanted, ">=", 0.999))
    checks.append(Check("symbols found that are ast's", true / found, ">=", 0.999))
    tables = [
        Table(f"Cutting {len(paths)} files ({size / 1e6:.1f} MB)", ("system", "files / CPU s", "MB / CPU s", "chunks"), rows)
    ]
    tables.append(_searchable(options, checks))
    return Outcome(
        "code",
        f"source code to chunks and to searchable, beside LlamaIndex (chunks of {CHUNK_TOKENS} tokens)",
        tables,
        checks,
        [
            f"{wanted:,} functions and classes in {len(whole)} files of the standard library",
            f"CodeSplitter with at most {PEER_CHARS} characters, as much as {CHUNK_TOKENS} of our tokens; language pack 0.13",
        ],
    )


def _cutting(paths: Sequence[Path], options: Options) -> tuple[float, float, float, int, int]:
    """Best CPU seconds of ours, of the peer's texts and nodes (0 without peers), and both counts; in turns."""
    request = {"files": [[str(path), "python"] for path in paths], "rounds": 2, "max_chars": PEER_CHARS}
    ours = texts = nodes = float("inf")
    count = peer_count = 0
    for turn in range(ROUNDS):
        options.say(f"cutting {len(paths)} files ({turn + 1} of {ROUNDS})")
        seconds, count = time_cutting(paths)
        ours = min(ours, seconds)
        if options.peers:
            reply = run_peer("code", request, options.say)
            texts, nodes, peer_count = min(texts, *reply["texts"]), min(nodes, *reply["nodes"]), reply["count"]
    return ours, *((texts, nodes) if options.peers else (0.0, 0.0)), count, peer_count


def _searchable(options: Options, checks: list[Check]) -> Table:
    """Seconds until a repository is searchable."""
    paths = library(*REPOSITORY)
    options.say(f"ingesting {len(paths)} files with Phidex")
    with scratch_folder() as scratch:
        ours, count = time_repository(paths, scratch)
    rows: list[list[Cell]] = [["Phidex", ours, count]]
    if options.peers:
        options.say("ingesting with LlamaIndex")
        with scratch_folder() as scratch:
            request = {"model": str(bundled_path()), "store": str(scratch / "qdrant"), "max_chars": PEER_CHARS}
            reply = run_peer("code", {**request, "files": [[str(path), "python"] for path in paths]}, options.say)
        rows.append(["LlamaIndex", reply["seconds"]["total"], reply["count"]])
        checks.append(Check("searchable, times as soon as LlamaIndex", reply["seconds"]["total"] / ours, ">=", 20, "x"))
    return Table(f"{len(paths)} files to searchable, the same dense model", ("system", "wall s", "chunks"), rows)
