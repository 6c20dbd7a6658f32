"""Scans -> text: character accuracy by language, through `parse_file`, which is not told the language, beside PyMuPDF's OCR.

Accuracy is 1 - edit distance / length, over a language's pages, on NFC text whose white space is one space. PyMuPDF's
`get_textpage_ocr` calls Tesseract as well and is told the language; it reads the first page of each.
"""

from __future__ import annotations

import resource
import tempfile
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
from rapidfuzz.distance import Levenshtein

from phidex.eval.bench.options import Options
from phidex.eval.bench.scans import DPI, LATIN, OTHERS, Scan, make_scans, scanned_pdf
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.ocr.tesseract import PACKS
from phidex.ingest.parse import parse_file

pymupdf: Any = _pymupdf  # its own types are incomplete
LATIN_BAR, OTHER_BAR = 97.0, 93.0


@dataclass(frozen=True, slots=True)
class Result:
    """One language: accuracy in percent, CPU and wall seconds a page; the peer's, where it was measured."""

    language: str
    chars: int
    accuracy: float
    cpu_s: float
    wall_s: float
    peer_accuracy: float | None = None
    peer_cpu_s: float | None = None


def accuracy(truth: str, read: str) -> float:
    """In percent; 0 at least.

    >>> accuracy("Grüße aus  Köln", "Grüße aus Koln")
    92.85714285714286
    """
    truth, read = (" ".join(unicodedata.normalize("NFC", text).split()) for text in (truth, read))
    return 100 * max(0.0, 1 - Levenshtein.distance(truth, read) / len(truth))


def measure(scans: Sequence[Scan], folder: Path, *, peer: bool) -> Result:
    """Read the scans of one language as a PDF."""
    path = folder / f"{scans[0].language}.pdf"
    path.write_bytes(scanned_pdf(list(scans)))
    cpu, wall = _cpu_seconds(), time.monotonic()
    parsed = parse_file(path)
    cpu, wall = _cpu_seconds() - cpu, time.monotonic() - wall
    read = "\n".join(block.text for block in parsed.blocks)
    truth = "\n".join(scan.text for scan in scans)
    theirs, their_cpu = _peer(path, scans[0]) if peer else (None, None)
    count = len(scans)
    return Result(scans[0].language, len(truth), accuracy(truth, read), cpu / count, wall / count, theirs, their_cpu)


def _peer(path: Path, scan: Scan) -> tuple[float, float]:
    """Accuracy and CPU seconds of PyMuPDF on the first page."""
    packs = PACKS[scan.language.partition("-")[0]]
    started = _cpu_seconds()
    with pymupdf.open(path) as document:
        page = document[0]
        textpage = page.get_textpage_ocr(language=packs[-1 if scan.language == "zh-TW" else 0], dpi=DPI, full=True)
        read = page.get_text("text", textpage=textpage)
    return accuracy(scan.text, read), _cpu_seconds() - started


def _cpu_seconds() -> float:
    """Of this process and of the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def report(results: Sequence[Result], pages: int) -> Outcome:
    """A row a language, and the worst of each group against its bar."""
    rows: list[list[Cell]] = []
    for result in results:
        theirs: list[Cell] = ["", ""]
        if result.peer_accuracy is not None and result.peer_cpu_s is not None:
            theirs = [result.peer_accuracy, result.peer_cpu_s]
        rows.append([result.language, result.chars, result.accuracy, result.cpu_s, result.wall_s, *theirs])
    checks: list[Check] = []
    for name, group, bar in (("Latin", LATIN, LATIN_BAR), ("other", OTHERS, OTHER_BAR)):
        chosen = [result for result in results if result.language in group]
        if chosen:
            worst = min(chosen, key=lambda result: result.accuracy)
            checks.append(Check(f"{name} scripts, the worst ({worst.language})", worst.accuracy, ">=", bar, "%"))
    mean = sum(result.cpu_s for result in results) / len(results)
    columns = ("language", "characters", "accuracy %", "CPU s a page", "wall s a page", "PyMuPDF accuracy %", "PyMuPDF CPU s")
    return Outcome(
        "ocr",
        f"scans at {DPI} dpi, {pages} pages a language, language not told",
        [Table("Character accuracy", columns, rows)],
        checks,
        [f"{mean:.1f} CPU seconds a page on average, finding the language on each document's first page included"],
    )


def run(options: Options) -> Outcome:
    """The benchmark; about five minutes of CPU with the peer."""
    pages = 6 if options.full else 2
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for language in (*LATIN, *OTHERS):
            scans = make_scans(language, options.cache, pages)
            results.append(measure(scans, Path(folder), peer=options.peers))
            options.say(f"{language}: {results[-1].accuracy:.2f}%, {results[-1].cpu_s:.1f} CPU s a page")
    return report(results, pages)
