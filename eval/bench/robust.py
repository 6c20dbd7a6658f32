"""Hostile PDFs through `parse_file`, beside PyMuPDF's own text of the same file: what is read, what is refused and why.

Every file is parsed in a child process with a time and a memory limit, first by PyMuPDF alone, then by Phidex, so that a crash
or a hang is known by its file and its side. The files come from `hostile.py`; any folder of PDFs will do.
"""

from __future__ import annotations

import multiprocessing
import re
import resource
import statistics
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from phidex.errors import InputError
from phidex.eval.bench.hostile import fetch_hostile
from phidex.eval.bench.options import Options
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.options import ParseOptions

LIMIT_S = 120.0
LIMIT_BYTES = 4 << 30
_WORST = 15
_OPTIONS = ParseOptions(ocr="off")  # what the file itself says; recognition is measured by `ocr`


@dataclass(slots=True)
class Case:
    """What became of one file.

    Args:
        path: the file.
        reference: PyMuPDF's letters and digits, and how many of each.
        found: those of our blocks.
        reason: why we have no text, or how the child ended: "crash", "hang".
        stage: which side was at work last: "pymupdf" or "phidex".
        seconds, bare_s: CPU seconds of ours and of PyMuPDF's.
        warnings: what we said of it.
    """

    path: Path
    reference: Counter[str] = field(default_factory=Counter[str])
    found: Counter[str] = field(default_factory=Counter[str])
    reason: str = ""
    stage: str = ""
    seconds: float = 0.0
    bare_s: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def is_lost(self) -> bool:
        """Whether PyMuPDF has text and we have none."""
        return self.reference.total() > 0 and not self.found

    @property
    def recall(self) -> float:
        """The share of PyMuPDF's letters and digits that our blocks have."""
        return (self.reference & self.found).total() / max(1, self.reference.total())


def letters(text: str) -> Counter[str]:
    """How many there are of each letter and digit, in compatibility form, without case; other characters where it has none."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return Counter(filter(str.isalnum, plain)) or Counter(plain.split())


def read_bare(path: Path) -> str:
    """PyMuPDF's text of the pages that it can read."""
    import pymupdf as _pymupdf

    pymupdf: Any = _pymupdf
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)
    texts: list[str] = []
    try:
        with pymupdf.open(path) as document:
            for index in range(document.page_count):
                try:
                    texts.append(document[index].get_text())
                except Exception:  # noqa: BLE001 - whatever it is, this page is not one that PyMuPDF reads
                    continue
    except Exception:  # noqa: BLE001 - likewise for the file
        return "".join(texts)
    return "".join(texts)


def serve(pipe: Connection) -> None:
    """The child: answers each path with what PyMuPDF reads, then with what Phidex reads."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    from phidex.ingest.parse import parse_file

    while path := pipe.recv():
        started = time.process_time()
        text = read_bare(path)
        pipe.send((letters(text), time.process_time() - started))
        started = time.process_time()
        reason, found, warnings = "", Counter[str](), ()
        try:
            parsed = parse_file(path, options=_OPTIONS)
            found, warnings = letters("\n".join(block.text for block in parsed.blocks)), parsed.warnings
        except InputError as exc:
            reason = exc.message
        except Exception as exc:  # noqa: BLE001 - what this benchmark is there to find
            reason = f"BUG {type(exc).__name__}: {exc}"
        pipe.send((found, reason, warnings, time.process_time() - started))


class Child:
    """A child process that reads one file after another, replaced when it dies or takes too long for one of them.

    Args:
        limit_s: seconds that each side may take for a file.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def read(self, path: Path) -> Case:
        """What became of a file."""
        case = Case(path, stage="pymupdf")
        pipe = self._started()
        try:
            pipe.send(path)
            case.reference, case.bare_s = self._answer(pipe)
            case.stage = "phidex"
            case.found, case.reason, case.warnings, case.seconds = self._answer(pipe)
        except (EOFError, ConnectionError):
            case.reason = "crash"
            self.stop()
        except TimeoutError:
            case.reason, case.seconds = "hang", self.limit_s
            self.stop()
        return case

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _started(self) -> Connection:
        if self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe

    def _answer(self, pipe: Connection) -> Any:
        if not pipe.poll(self.limit_s):
            raise TimeoutError
        return pipe.recv()


def read_all(paths: Sequence[Path]) -> Iterator[Case]:
    """A case for every file, in order."""
    child = Child()
    try:
        for path in paths:
            yield child.read(path)
    finally:
        child.stop()


def kind_of(reason: str, name: str) -> str:
    """A refusal without the file's own name and numbers, so that like ones are counted together."""
    return re.sub(r"\d+", "N", reason.replace(name, "FILE"))


def report(cases: Sequence[Case]) -> Outcome:
    """The tables of what was read, refused and lost."""
    with_text = [case for case in cases if case.reference]
    lost = [case for case in cases if case.is_lost]
    broken = [case for case in cases if case.reason in ("crash", "hang") or case.reason.startswith("BUG")]
    unnamed = [case for case in cases if not case.found and not case.reason]
    refused = Counter(kind_of(case.reason, case.path.name) for case in cases if case.reason)
    rows: list[list[Cell]] = [
        ["text from both", sum(bool(case.found) for case in with_text)],
        ["text from Phidex alone", sum(bool(case.found and not case.reference) for case in cases)],
        *([reason, count] for reason, count in refused.most_common()),
    ]
    recalls = sorted(case.recall for case in with_text if not case.is_lost) or [0.0]
    shares: list[list[Cell]] = [
        [f"{low:.0%} or more", sum(value >= low for value in recalls), sum(value >= low for value in recalls) / len(recalls)]
        for low in (0.5, 0.9, 0.99, 1.0)
    ]
    least = sorted((case for case in with_text if case.recall < 0.9), key=lambda case: case.recall)
    slow = sorted(cases, key=lambda case: -case.seconds)[:8]
    seconds, bare = sum(case.seconds for case in cases), sum(case.bare_s for case in cases)
    return Outcome(
        "robust",
        f"{len(cases)} malformed, encrypted, fuzzed and exotic PDFs",
        [
            Table("Outcomes", ("outcome", "files"), rows),
            Table("Share of PyMuPDF's letters and digits that our blocks have", ("share", "files", "of all with text"), shares),
            Table("PyMuPDF has text, we have none", ("file", "letters", "why"), _listed(lost)),
            Table("Crashed, hung or failed", ("file", "stage", "how"), [[c.path.name, c.stage, c.reason] for c in broken]),
            Table(
                "Least kept",
                ("file", "letters", "share"),
                [[c.path.name, c.reference.total(), c.recall] for c in least[:_WORST]],
            ),
            Table("Slowest", ("file", "ours, CPU s", "PyMuPDF"), [[c.path.name, c.seconds, c.bare_s] for c in slow]),
        ],
        [
            Check("files where PyMuPDF has text and we have none", len(lost), "<=", 0),
            Check("crashes, hangs and errors that are not ours to raise", len(broken), "<=", 0),
            Check("files without text and without a reason", len(unnamed), "<=", 0),
            Check("median share of the letters", statistics.median(recalls), ">=", 0.99),
        ],
        [f"{seconds:.0f} CPU seconds for all, PyMuPDF's bare text {bare:.0f} ({seconds / max(bare, 1e-9):.1f}x)"],
    )


def _listed(cases: Sequence[Case]) -> Sequence[Sequence[Cell]]:
    return [[case.path.name, case.reference.total(), case.reason] for case in cases]


def run(options: Options) -> Outcome:
    """The benchmark; some minutes."""
    paths = fetch_hostile(options.cache / "hostile", options.say)
    return report(list(read_all(paths)))
