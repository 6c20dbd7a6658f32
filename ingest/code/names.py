"""What a definition in a syntax tree is called. Each function here names a node; "" says that it defines nothing after all.

Text is cut from the source by offsets: `Node.text` crashes the process for trees that were parsed through a callback
(tree-sitter 0.26), and such are ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

Naming = str | Callable[["Node", bytes], str]
"""The field of a node that holds its name, or a function of this module."""

_HEAD_BYTES = 400  # a name stands at the beginning of what it names
_DEEPEST = 20
_LONGEST = 120  # characters
_FUNCTIONS = frozenset(("arrow_function", "function_expression", "generator_function", "class", "function"))
_ARGUMENTS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")
_SEPARATOR = re.compile(r"\s*(?:::|->|\\|:)\s*")


def name_of(node: Node, source: bytes, naming: Naming) -> str:
    """The dotted name of a definition; "" when it has none."""
    if not isinstance(naming, str):
        return naming(node, source)
    found = node.child_by_field_name(naming)
    return _plain(_text(found, source)) if found else ""


def always(name: str) -> Naming:
    """Names every node so: constructors and the like."""
    return lambda _node, _source: name


def by_pattern(pattern: str) -> Naming:
    """Names a node by the first group that matches at its beginning."""
    compiled = re.compile(pattern)

    def find(node: Node, source: bytes) -> str:
        match = compiled.match(_head(node, source))
        return _plain(next(filter(None, match.groups()), "")) if match else ""

    return find


def assigned(node: Node, source: bytes) -> str:
    """JavaScript: `const f = () => …`, `A.prototype.f = function …`, `exports.f = …`; functions and classes only."""
    for child in node.named_children:
        named, value = ("name", "value") if child.type == "variable_declarator" else ("left", "right")
        found = child.child_by_field_name(value)
        if found and found.type in _FUNCTIONS:
            name = _plain(_field(child, source, named)).replace(".prototype.", ".")
            return name.removeprefix("module.exports.").removeprefix("exports.") if name != "module.exports" else "default"
    return ""


def assigned_field(node: Node, source: bytes) -> str:
    """JavaScript: `handler = () => …` in a class."""
    value = node.child_by_field_name("value")
    return (
        _plain(_field(node, source, "name") or _field(node, source, "property")) if value and value.type in _FUNCTIONS else ""
    )


def received(node: Node, source: bytes) -> str:
    """Go: a method behind the type that it is of."""
    receiver = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)?\)\s*$", _field(node, source, "receiver"))
    name = _field(node, source, "name")
    return f"{receiver[1]}.{name}" if receiver else name


def implemented(node: Node, source: bytes) -> str:
    """Rust: the type of an `impl`."""
    return _plain(_field(node, source, "type"))


def with_body(node: Node, source: bytes) -> str:
    """What is defined here and not just declared or used."""
    return _plain(_field(node, source, "name")) if node.child_by_field_name("body") else ""


def namespace(node: Node, source: bytes) -> str:
    """A name that may have parts, `a::b`."""
    return _plain(_field(node, source, "name"))


def typedef(node: Node, source: bytes) -> str:
    """C: `typedef struct {…} name`."""
    kind = node.child_by_field_name("type")
    return _plain(_field(node, source, "declarator")) if kind and kind.child_by_field_name("body") else ""


def declared(node: Node, source: bytes) -> str:
    """C and C++: the name inside a declarator, without what it points to and takes."""
    found = node
    for _ in range(_DEEPEST):
        if found.type == "qualified_identifier":
            break
        inner = found.child_by_field_name("declarator")
        if inner is None and found.type in ("parenthesized_declarator", "reference_declarator", "attributed_declarator"):
            inner = found.named_children[0] if found.named_children else None
        if inner is None:
            break
        found = inner
    return _plain(_text(found, source)) if found is not node else ""


def created(node: Node, source: bytes) -> str:
    """SQL: what a CREATE statement creates."""
    found = next((child for child in node.named_children if child.type in ("object_reference", "identifier")), None)
    return _plain(re.sub(r"[\"`\[\]]", "", _text(found, source))) if found else ""


def equation(node: Node, source: bytes) -> str:
    """Haskell: an equation, a signature or a type."""
    if node.type == "instance":
        return _plain(re.sub(r"\s*\bwhere\b.*|^instance\s+", "", _head(node, source).split("\n", 1)[0]))
    return _field(node, source, "name")


def before_brace(node: Node, source: bytes) -> str:
    """CSS: what a rule is for."""
    return " ".join(_head(node, source).partition("{")[0].partition(";")[0].split())[:_LONGEST]


def _plain(name: str) -> str:
    """A name without type arguments, its parts joined by dots, on one line."""
    if not name.isidentifier():
        name = name.strip("\"'")
        for _ in range(3):
            name, count = _ARGUMENTS.subn("", name) if not name.startswith(("operator", "[", "<")) else (name, 0)
            if not count:
                break
        name = " ".join(_SEPARATOR.sub(".", name).split()).strip(".") if "operator" not in name else _SEPARATOR.sub(".", name)
    return name[:_LONGEST]


def _field(node: Node, source: bytes, field: str) -> str:
    found = node.child_by_field_name(field)
    return _text(found, source) if found else ""


def _text(node: Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _head(node: Node, source: bytes) -> str:
    return source[node.start_byte : min(node.end_byte, node.start_byte + _HEAD_BYTES)].decode("utf-8", "ignore")
