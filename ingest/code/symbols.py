"""From a syntax tree to the lines of a file by what they define: every function and class, each with the comments above it.

Only definitions are visited: the top of the file and the bodies of its classes, not what is inside of functions. Lines are
numbered from 0 here; a definition that begins on the last line of the one before belongs to that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phidex.ingest.code.grammar import Grammar
from phidex.ingest.code.names import name_of

if TYPE_CHECKING:
    from tree_sitter import Node

_DEEPEST = 20  # classes in classes, conditions in conditions; what is deeper belongs to what it is in
_ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Mark:
    """From `row` on, until the next mark, lines are of `symbol`; "" is the top of the file."""

    row: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Outline:
    """The marks of a file, ascending by row from 0 on, and the nodes that import."""

    marks: list[Mark] = field(default_factory=lambda: [Mark(0, "")])
    imports: list[Node] = field(default_factory=list["Node"])


def outline(root: Node, source: bytes, grammar: Grammar) -> Outline:
    """What a file defines and imports."""
    walk = _Walk(source, grammar)
    walk.visit(root, prefix="", owner="", floor=0, depth=0)
    return walk.found


class _Walk:
    """One pass over the definitions of a file."""

    def __init__(self, source: bytes, grammar: Grammar) -> None:
        self._source = source
        self._grammar = grammar
        self._known = grammar.definitions.keys() | grammar.scopes.keys() | grammar.wrappers
        self.found = Outline()

    def visit(self, node: Node, *, prefix: str, owner: str, floor: int, depth: int) -> None:
        """Mark the members of a node.

        Args:
            prefix: stands before their names, dot included.
            owner: the symbol of the lines between them.
            floor: the first row that may be theirs.
        """
        grammar, marks = self._grammar, self.found.marks
        lead = lead_end = -1  # rows of the comments that stand right above what comes next
        taken = floor - 1  # the last row of what came before
        last_kind = last_symbol = ""
        for child in self._members(node, depth):
            kind = child.type
            start, end = child.start_point[0], _last_row(child)
            if kind in grammar.leading:
                if start > taken:
                    lead = lead if lead >= 0 and start <= lead_end + 1 else start
                    lead_end = end
                continue
            inner = self._unwrap(child) if kind in grammar.wrappers else child
            if inner.type in grammar.scopes and depth < _DEEPEST:
                name = name_of(inner, self._source, grammar.scopes[inner.type])
                scope = f"{prefix}{name}." if name else prefix
                self.visit(inner, prefix=scope, owner=owner, floor=max(floor, start), depth=depth + 1)
                floor = max(floor, marks[-1].row)
            elif inner.type in grammar.definitions and (name := name_of(inner, self._source, grammar.definitions[inner.type])):
                symbol = prefix + name
                if start >= floor:
                    begin = lead if lead >= 0 and start <= lead_end + 1 else start
                    if last_kind in grammar.joined and last_symbol == symbol and begin == floor:
                        marks.pop()  # the one that ended what goes on here
                    else:
                        _mark(marks, begin, symbol)
                    if inner.type in grammar.classes and depth < _DEEPEST:
                        below = inner.start_point[0] + 1
                        self.visit(inner, prefix=symbol + ".", owner=symbol, floor=below, depth=depth + 1)
                    _mark(marks, end + 1, owner)
                floor = max(floor, end + 1)
                last_kind, last_symbol = inner.type, symbol
            elif kind in grammar.imports:
                self.found.imports.append(child)
            taken = max(taken, end)
            lead = -1

    def _members(self, node: Node, depth: int) -> Iterator[Node]:
        """The children of a node, and those of its bodies and branches in their place."""
        through = self._grammar.through
        for child in node.named_children:
            kind = child.type
            if (kind in through or kind == _ERROR) and depth < _DEEPEST and child.named_child_count:
                yield from self._members(child, depth + 1)
            else:
                yield child

    def _unwrap(self, node: Node) -> Node:
        """The definition that a wrapper is around; the wrapper itself when there is none."""
        found = node
        for _ in range(_DEEPEST):
            if found.type not in self._grammar.wrappers:
                return found
            inner = next((child for child in reversed(found.named_children) if child.type in self._known), None)
            if inner is None:
                break
            found = inner
        return node


def _mark(marks: list[Mark], row: int, symbol: str) -> None:
    """Add a mark; the last one at a row counts."""
    while marks and marks[-1].row >= row:
        marks.pop()
    marks.append(Mark(row, symbol))


def _last_row(node: Node) -> int:
    """The last row that holds any of the node: some grammars take the line break in."""
    row, column = node.end_point
    return row - 1 if column == 0 and row > node.start_point[0] else row
