"""PDF -> text with boxes and headings -> chunks -> lexical vectors: pages per CPU second, beside PyMuPDF's bare text.

One process, best of three; what Phidex remembers of words between documents is forgotten before each round.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf

from phidex.eval.bench.options import Options
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.ingest.chunk import chunk_document
from phidex.ingest.language import chunk_language, document_language
from phidex.ingest.options import ParseOptions, Quality
from phidex.ingest.parse import parse_file
from phidex.retrieval.lexical import passage_vector
from phidex.retrieval.payload import searchable_text

pymupdf: Any = _pymupdf  # its own types are incomplete
DOCUMENTS = tuple(f"debmake-doc.{language}.pdf" for language in ("de", "en", "ja", "ru", "zh-cn"))
ROUNDS = 3
_SOURCE = "00000000-0000-0000-0000-000000000000"


@dataclass(slots=True)
class Times:
    """CPU seconds of each stage over all documents, and how much came out."""

    parse: float = 0.0
    language: float = 0.0
    chunk: float = 0.0
    lexical: float = 0.0
    pages: int = 0
    chunks: int = 0
    pages_of: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    @property
    def total(self) -> float:
        """All stages."""
        return self.parse + self.language + self.chunk + self.lexical


def run_phidex(paths: Sequence[Path], quality: Quality) -> Times:
    """One round of our stages, documents one after another as an ingest does."""
    forget()
    times = Times()
    for path in paths:
        data = path.read_bytes()
        marks = [time.process_time()]
        parsed = parse_file(path, data, ParseOptions(quality=quality))
        marks.append(time.process_time())
        language = document_language([block.text for block in parsed.blocks if block.kind != "code"])
        marks.append(time.process_time())
        chunks = chunk_document(parsed, source_id=_SOURCE, path=path.name, language=language)
        marks.append(time.process_time())
        for chunk in chunks:
            passage_vector(searchable_text(chunk.text, chunk.heading))
        marks.append(time.process_time())
        for chunk in chunks:  # once more, outside the total: chunking detects languages inside
            chunk_language(chunk.text, language)
        detected = time.process_time() - marks[-1]
        parse, of_document, chunk_all, lexical = (b - a for a, b in itertools.pairwise(marks))
        times.parse += parse
        times.language += of_document + detected
        times.chunk += max(0.0, chunk_all - detected)
        times.lexical += lexical
        times.pages += parsed.page_count
        times.chunks += len(chunks)
        times.pages_of[path.name] = (parsed.page_count, marks[-1] - marks[0])
    return times


def run_pymupdf(paths: Sequence[Path]) -> float:
    """CPU seconds of one round of `get_text("blocks")`."""
    used = 0.0
    for path in paths:
        data = path.read_bytes()
        started = time.process_time()
        with pymupdf.open("pdf", data) as document:
            for page in document:
                page.get_text("blocks")
        used += time.process_time() - started
    return used


def forget() -> None:
    """Empty the caches of our modules, except those of one entry, which hold loaded models."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("phidex.ingest", "phidex.retrieval")):
            for value in vars(module).values():
                if hasattr(value, "cache_clear") and value.cache_parameters()["maxsize"] != 1:
                    value.cache_clear()


def measure(paths: Sequence[Path], rounds: int = ROUNDS) -> tuple[dict[Quality, Times], float]:
    """The best round of ours at each quality, and the best CPU seconds of PyMuPDF's, taken in turns."""
    chunk_language("Load the language model before the clock.", "en")
    ours: dict[Quality, list[Times]] = {"fast": [], "balanced": []}
    bare: list[float] = []
    for _ in range(rounds):
        bare.append(run_pymupdf(paths))
        for quality, taken in ours.items():
            taken.append(run_phidex(paths, quality))
    return {quality: min(taken, key=lambda times: times.total) for quality, taken in ours.items()}, min(bare)


def report(ours: dict[Quality, Times], bare: float) -> Outcome:
    """Pages per CPU second, stage by stage, each as a multiple of PyMuPDF's cost."""
    times, balanced = ours["fast"], ours["balanced"]
    stages = (
        ("parse: text, boxes, headings (quality fast)", times.parse),
        ("language", times.language),
        ("chunk", times.chunk),
        ("lexical vectors", times.lexical),
        ("all of it", times.total),
        ("parse with tables and figures (quality balanced)", balanced.parse),
        ("all of it, balanced", balanced.total),
        ("PyMuPDF get_text('blocks')", bare),
    )
    rows: list[list[Cell]] = [
        [name, 1000 * seconds / times.pages, times.pages / max(seconds, 1e-9), seconds / bare] for name, seconds in stages
    ]
    each: list[list[Cell]] = [[name, pages, pages / seconds] for name, (pages, seconds) in times.pages_of.items()]
    return Outcome(
        "extract",
        f"PDF to chunks with lexical vectors ({times.pages} pages, {times.chunks:,} chunks, best of {ROUNDS}, one process)",
        [
            Table("By stage", ("stage", "CPU ms a page", "pages / CPU s", "x PyMuPDF's time"), rows),
            Table("By document", ("document", "pages", "pages / CPU s"), each),
        ],
        [Check("pages per CPU second: text, boxes, headings, chunks, lexical vectors", times.pages / times.total, ">=", 200)],
        [f"{times.total / bare:.1f} times the CPU time of PyMuPDF's bare get_text('blocks') over the same pages"],
    )


def run(options: Options) -> Outcome:
    """The benchmark; about half a minute."""
    return report(*measure(options.documents(DOCUMENTS)))
