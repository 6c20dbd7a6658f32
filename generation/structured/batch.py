"""The results over many documents: records for programs, rows and CSV for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from phidex.generation.structured.record import DocumentRecord, FieldEvidence, Labels, StructuredAnswer
from phidex.generation.structured.schema import path_text
from phidex.generation.structured.sheet import csv_text, write_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Extraction(Generic[T]):
    """One record a document, in the order of their names.

    Args:
        columns: the fields at the schema's root.
    """

    records: tuple[DocumentRecord[StructuredAnswer[T]], ...]
    columns: tuple[str, ...]

    @property
    def failed(self) -> tuple[DocumentRecord[StructuredAnswer[T]], ...]:
        """The documents that gave no data."""
        return tuple(record for record in self.records if record.error is not None)

    def rows(self) -> list[dict[str, Any]]:
        """One row a document: `source`, each field and beside it the place that it rests on, `error`.

        A place is empty where the field is, and "unsupported" where no passage has the value. Objects are spread over columns
        (`tenant.name`); lists of texts and numbers are joined by semicolons, other lists are JSON.
        """
        flat = [_flat(record.result.values, ()) if record.result and record.result.values else {} for record in self.records]
        names = dict.fromkeys(name for row in flat for name in row)
        names = names or dict.fromkeys(path_text((column,)) for column in self.columns)
        rows: list[dict[str, Any]] = []
        for record, values in zip(self.records, flat, strict=True):
            row: dict[str, Any] = {"source": record.source.name}
            fields: Mapping[str, FieldEvidence] = record.result.fields if record.result else {}
            for name in names:
                row[name] = values.get(name)
                row[f"{name} (place)"] = _place(name, fields)
            row["error"] = record.error.message if record.error else ""
            rows.append(row)
        return rows

    def to_csv(self, path: str | Path | None = None) -> str:
        """The rows as CSV, written to `path` too where it is given. Raises: InputError: it cannot be written."""
        return _csv(self.rows(), ("source", *self.columns, "error"), path)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"records": [record.to_dict() for record in self.records]}


@dataclass(frozen=True, slots=True)
class Classification:
    """One record a document, in the order of their names."""

    records: tuple[DocumentRecord[Labels], ...]

    @property
    def failed(self) -> tuple[DocumentRecord[Labels], ...]:
        """The documents that got no label."""
        return tuple(record for record in self.records if record.error is not None)

    def rows(self) -> list[dict[str, Any]]:
        """One row a document: `source`, `labels`, the `place` and the `passage` that speak of the first one, `error`."""
        rows: list[dict[str, Any]] = []
        for record in self.records:
            labels = record.result.labels if record.result else ()
            cited = list(record.result.citations.values())[:1] if record.result else []
            rows.append(
                {
                    "source": record.source.name,
                    "labels": "; ".join(labels),
                    "place": "".join(str(one.locator) for one in cited),
                    "passage": "".join(" ".join(one.quote.split()) for one in cited),
                    "error": record.error.message if record.error else "",
                }
            )
        return rows

    def to_csv(self, path: str | Path | None = None) -> str:
        """The rows as CSV, written to `path` too where it is given. Raises: InputError: it cannot be written."""
        return _csv(self.rows(), ("source", "labels", "place", "passage", "error"), path)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"records": [record.to_dict() for record in self.records]}


def _csv(rows: Sequence[Mapping[str, Any]], header: Sequence[str], path: str | Path | None) -> str:
    names = list(rows[0]) if rows else list(header)
    text = csv_text([names, *([row[name] for name in names] for row in rows)])
    if path is not None:
        write_text(Path(path), text)
    return text


def _flat(value: Any, path: tuple[str, ...]) -> dict[str, Any]:
    """The cells of an object, by the paths of its columns."""
    if isinstance(value, dict) and value:
        pairs = cast("dict[str, Any]", value).items()
        return {name: cell for key, one in pairs for name, cell in _flat(one, (*path, key)).items()}
    if isinstance(value, list):
        listed = cast("list[Any]", value)
        is_plain = not any(isinstance(one, (dict, list)) for one in listed)
        value = "; ".join(map(str, listed)) if is_plain else json.dumps(listed, ensure_ascii=False)
    return {path_text(path): value} if path else {}


def _place(name: str, fields: Mapping[str, FieldEvidence]) -> str:
    """Where a column's values stand."""
    mine = [one for path, one in fields.items() if path == name or path.startswith((f"{name}[", f"{name}."))]
    places = [str(one.citations[0].locator) for one in mine if one.citations and one.support != "unsupported"]
    doubts = ["unsupported" for one in mine if one.support == "unsupported"]
    return "; ".join(dict.fromkeys([*places, *doubts]))
