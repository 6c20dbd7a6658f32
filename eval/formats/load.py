"""A file or folder -> its test set, by what it looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, cast, get_args

from phidex.errors import InputError, NotFoundError
from phidex.eval.formats.lines import numbered
from phidex.eval.formats.own import read_own
from phidex.eval.formats.ranked import read_beir, read_miracl, read_trec
from phidex.eval.formats.reading import read_repoqa, read_squad
from phidex.eval.records import TestSet

Format = Literal["auto", "own", "beir", "trec", "miracl", "squad", "repoqa"]
FORMATS: tuple[str, ...] = get_args(Format)


def load_set(path: Path | str, form: Format = "auto", *, split: str = "") -> TestSet:
    """The questions of a file or folder, and its documents where it brings some.

    Args:
        form: "auto" goes by the files' names and first line.
        split: of BEIR and MIRACL: "test" and "dev" unless named.

    Raises:
        NotFoundError: there is no such file.
        InputError: it holds no question that could be read.
    """
    path = Path(path)
    if not path.exists():
        raise NotFoundError(f"there is no {path}")
    found = _read(path, _guess(path) if form == "auto" else form, split)
    if not found.questions:
        first = f"; the first fault: {found.faults[0]}" if found.faults else ""
        raise InputError(f"{path} holds no question that could be read{first}", hint=f"formats: {', '.join(FORMATS)}")
    return found


def _read(path: Path, form: Format, split: str) -> TestSet:
    match form:
        case "beir":
            return read_beir(path, split or "test")
        case "trec":
            return read_trec(path)
        case "miracl":
            return read_miracl(path, split)
        case "squad":
            return read_squad(path)
        case "repoqa":
            return read_repoqa(path)
        case _:
            return read_own(path)


def _guess(path: Path) -> Format:
    if path.is_dir():
        if any(path.glob("queries.jsonl*")):
            return "beir"
        if any(path.rglob("topics.miracl-*")):
            return "miracl"
        if any(path.glob("topics*")):
            return "trec"
        if any(path.glob("*.json")):
            return "squad"
        raise InputError(f"{path} is no folder of BEIR, TREC, MIRACL or SQuAD", hint="name the format with --format")
    if path.suffix == ".jsonl":
        row = _first_row(path)
        if "input" in row and "outputs" in row:
            raise InputError(f"{path} holds RULER tasks, each with its own text", hint="`phidex eval long --from` takes them")
        return "own"
    return "squad" if '"paragraphs"' in path.read_text("utf-8", errors="replace")[:65_536] else "repoqa"


def _first_row(path: Path) -> dict[str, Any]:
    for _, line in numbered(path):
        try:
            row: object = json.loads(line)
        except ValueError:
            return {}
        return cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    return {}
