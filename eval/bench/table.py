"""What a benchmark found, as Markdown for eval/LOG.md and as JSON: tables, and checks against their bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Cell = str | int | float


@dataclass(frozen=True, slots=True)
class Check:
    """A figure beside its bar; `unit` stands behind both ("x", "ms", "%")."""

    name: str
    value: float
    relation: Literal[">=", "<=", "<"]
    bar: float
    unit: str = ""

    @property
    def ok(self) -> bool:
        """Whether the figure meets its bar."""
        match self.relation:
            case ">=":
                return self.value >= self.bar
            case "<=":
                return self.value <= self.bar
            case "<":
                return self.value < self.bar

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"name": self.name, "value": self.value, "bar": f"{self.relation} {self.bar:g}{self.unit}", "ok": self.ok}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {"title": self.title, "columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that one benchmark has to say."""

    name: str
    title: str
    tables: Sequence[Table] = ()
    checks: Sequence[Check] = ()
    notes: Sequence[str] = field(default_factory=list[str])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "name": self.name,
            "title": self.title,
            "tables": [table.to_dict() for table in self.tables],
            "checks": [check.to_dict() for check in self.checks],
            "notes": list(self.notes),
        }


def render(outcome: Outcome) -> str:
    """The outcome as Markdown."""
    parts = [f"## {outcome.name}: {outcome.title}"]
    parts += [f"{table.title}\n\n{markdown(table.columns, table.rows)}" for table in outcome.tables]
    if outcome.checks:
        rows = [
            (check.name, f"{show(check.value)}{check.unit}", f"{check.relation} {check.bar:g}{check.unit}", verdict(check))
            for check in outcome.checks
        ]
        parts.append(markdown(("check", "measured", "bar", ""), rows))
    if outcome.notes:
        parts.append("\n".join(f"- {note}" for note in outcome.notes))
    return "\n\n".join(parts) + "\n"


def verdict(check: Check) -> str:
    """`ok` or `BELOW`."""
    return "ok" if check.ok else "**BELOW**"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table with columns padded to read well as plain text too; numbers to the right.

    >>> print(markdown(("system", "s"), [("ours", 0.5), ("theirs", 12)]))
    | system | s     |
    |--------|------:|
    | ours   | 0.500 |
    | theirs |    12 |
    """
    cells = [[show(cell) for cell in row] for row in rows]
    numeric = [bool(rows) and all(row[at] == "" or not isinstance(row[at], str) for row in rows) for at in range(len(columns))]
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(columns)]

    def line(row: Sequence[str], *, right: bool) -> str:
        padded = [
            cell.rjust(width) if right and number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (width + 1) + (":" if number else "-") for width, number in zip(widths, numeric, strict=True))
    return "\n".join([line(list(columns), right=False), f"|{rule}|", *(line(row, right=True) for row in cells)])


def show(cell: Cell) -> str:
    """Three decimals below 10, fewer above.

    >>> [show(value) for value in (0.98765, 12.345, 1234.5, 7, "x")]
    ['0.988', '12.3', '1,234', '7', 'x']
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.3f}" if abs(cell) < 10 else f"{cell:.1f}" if abs(cell) < 1000 else f"{cell:,.0f}"
