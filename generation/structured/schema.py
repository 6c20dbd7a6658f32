"""What an answer must look like: a pydantic model, a dataclass or a JSON Schema, one way to hold a reply to it.

A reply's text becomes plain values (`read_json`), these become data (`Schema.read`). Nothing here asks a model.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import Draft202012Validator, validator_for
from pydantic import PydanticUserError, TypeAdapter
from pydantic import ValidationError as ModelError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, specification_with

from phidex.errors import InputError
from phidex.generation.chat_wire import as_list, as_object

T = TypeVar("T")
Path = tuple[str | int, ...]
"""The keys and positions (from 0) that lead to a value."""

_OWN_CHECK = "it does not pass the schema's own check"
_QUOTING = {"value_error": _OWN_CHECK, "assertion_error": _OWN_CHECK, "union_tag_invalid": "its tag is none of those expected"}
"""Kinds of pydantic's faults whose words may quote the value -> what is said in their place."""

_SHOWN_FAULTS = 6
_SHOWN_CHARS = 240  # of one fault: a validator may quote the whole value
_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+|[^\W\d_]+")


class MismatchError(ValueError):
    """A reply is no JSON, or does not fit the schema.

    Args:
        faults: where and why, one line each, in words that may quote the reply.
        told: the same for the model that wrote it, with none of the reply's own words, which may be a document's.
    """

    def __init__(self, faults: tuple[str, ...], told: tuple[str, ...] | None = None) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
        self.told = faults if told is None else told


@dataclass(frozen=True, slots=True)
class Schema(Generic[T]):
    """A schema that replies are held to.

    Args:
        name: what a server is told that it is called: letters, digits, `_` and `-`.
        definition: the JSON Schema of it, an object at its root.
        adapter: validates by a Python type; None where the JSON Schema alone does.
    """

    name: str
    definition: Mapping[str, Any]
    adapter: TypeAdapter[T] | None

    @staticmethod
    def of(schema: type[Any] | Mapping[str, Any]) -> Schema[Any]:
        """The schema of a pydantic model, a dataclass, a TypedDict or a JSON Schema.

        Raises:
            InputError: it is none, its root is no object, or it refers to another document or to what it has not.

        >>> Schema.of({"type": "object", "properties": {"rent": {"type": "number"}}}).read({"rent": 1250})
        {'rent': 1250}
        """
        if isinstance(schema, Mapping):
            definition, adapter, name = dict(schema), None, str(schema.get("title") or "answer")
        else:
            definition, adapter = _described(schema)
            name = getattr(schema, "__name__", "answer")
        _check(definition)
        return Schema(_NAME.sub("_", name)[:64].strip("_") or "answer", definition, adapter)

    def read(self, value: Any) -> T:
        """The data that plain JSON values make.

        Raises:
            MismatchError: they do not fit.
        """
        if self.adapter is not None:
            try:
                return self.adapter.validate_json(json.dumps(value))
            except ModelError as exc:
                faults = exc.errors(include_url=False, include_input=False)
                places = [self._known(fault["loc"]) for fault in faults]
                quiet = [_QUOTING.get(fault["type"], fault["msg"]) for fault in faults]
                said = _shown((path_text(fault["loc"]), fault["msg"]) for fault in faults)
                raise MismatchError(said, _shown(zip(places, quiet, strict=True))) from exc
        kind = validator_for(self.definition, default=Draft202012Validator)
        validator = kind(self.definition, format_checker=kind.FORMAT_CHECKER)
        found = sorted(validator.iter_errors(value), key=lambda fault: list(map(str, fault.path)))
        if found:
            said = _shown((path_text(tuple(fault.absolute_path)), fault.message) for fault in found)
            told = _shown((self._known(tuple(fault.absolute_path)), _wanted(fault)) for fault in found)
            raise MismatchError(said, told)
        return value

    def plain(self, data: T) -> Any:
        """The data as JSON values, with what the schema adds by itself."""
        return self.adapter.dump_python(data, mode="json", by_alias=True) if self.adapter is not None else data

    def nothing(self) -> Any:
        """The values of an answer that nothing was found for: nulls and empty lists. They need not fit the schema."""
        fields = as_object(self.definition.get("properties"))
        empty: dict[str, Any] = {}
        for name, one in fields.items():
            empty[name] = [] if self._resolved(as_object(one)).get("type") == "array" else None
        return empty

    def at(self, path: Path) -> dict[str, Any]:
        """The schema of the value at `path`, as far as it is written down; of several, the one that says most."""
        here = self._resolved(dict(self.definition))
        for step in path:
            down = self._below(here, step)
            if down is None:
                return {}
            here = self._resolved(down)
        return here

    def about(self, path: Path) -> str:
        """Words that say what the value at `path` is: its names, title and description, and those of what it is part of.

        >>> schema = {"type": "object", "properties": {"startDate": {"description": "first day of the lease"}}}
        >>> Schema.of(schema).about(("startDate",))
        'start Date first day of the lease'
        """
        said: list[str] = []
        for length in range(1, len(path) + 1):
            if isinstance(path[length - 1], str):
                here = self.at(path[:length])
                title, told = here.get("title", ""), here.get("description", "")
                words = " ".join(_WORDS.findall(str(path[length - 1])))
                said += [text for text in (words, title, told) if isinstance(text, str) and text and text not in said]
        return " ".join(dict.fromkeys(said))

    def questions(self) -> list[str]:
        """What to search for to fill the fields: words about each at the root, and about those of objects and lists below."""
        found: list[str] = []
        for name in as_object(self.at(()).get("properties")):
            below = self.at((name,))
            inner, path = (self.at((name, 0)), (name, 0)) if below.get("type") == "array" else (below, (name,))
            names = [" ".join(_WORDS.findall(key)) for key in as_object(inner.get("properties"))]
            found.append(" ".join(dict.fromkeys([self.about(path if names else (name,)), *names])))
        return [text for text in found if text]

    def _known(self, path: Path) -> str:
        """A path as text, "…" for each key in it that is no name of the schema's own."""
        names = set(_names(self.definition))
        return path_text(tuple(step if isinstance(step, int) or step in names else "…" for step in path))

    def _below(self, here: Mapping[str, Any], step: str | int) -> dict[str, Any] | None:
        if isinstance(step, int):
            first = as_list(here.get("prefixItems"))[step : step + 1]
            down = first[0] if first else here.get("items")
        else:
            down = as_object(here.get("properties")).get(step, here.get("additionalProperties"))
        return as_object(cast("object", down)) if isinstance(down, dict) else None

    def _resolved(self, here: dict[str, Any]) -> dict[str, Any]:
        """What references and alternatives lead to, without null, with what was said beside them."""
        for _ in range(16):  # a reference may lead to itself
            reference = here.get("$ref")
            options = [as_object(one) for key in ("anyOf", "oneOf", "allOf") for one in as_list(here.get(key))]
            options = [one for one in options if one.get("type") != "null"]
            beside = {key: value for key, value in here.items() if key not in ("$ref", "anyOf", "oneOf", "allOf")}
            if isinstance(reference, str):
                here = {**self._pointed(reference), **beside}
            elif options and not ({"properties", "items", "enum"} & here.keys()):
                here = {**max(options, key=len), **beside}
            else:
                return here
        return here

    def _pointed(self, reference: str) -> dict[str, Any]:
        here: Any = self.definition
        for step in reference.removeprefix("#").split("/")[1:]:
            here = as_object(here).get(step.replace("~1", "/").replace("~0", "~"))
        return as_object(here)


def path_text(path: Path) -> str:
    """A path as people write it, "" for the whole.

    >>> path_text(("tenants", 0, "name")), path_text(("a.b",))
    ('tenants[0].name', '["a.b"]')
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def read_json(text: str) -> Any:
    """The value that a reply holds: the whole reply, or the first JSON inside a fence or a sentence.

    Raises:
        MismatchError: there is none.

    >>> read_json('Here it is: {"rent": 1250}')
    {'rent': 1250}
    """
    start = text.find("{")
    pieces = [text.strip(), _fenced(text), text[start:] if start > 0 else ""]
    fault = "the reply is empty"
    for piece in filter(None, pieces):
        try:
            return _DECODER.raw_decode(piece)[0] if piece is pieces[2] else _DECODER.decode(piece)
        except (ValueError, RecursionError) as exc:
            fault = fault if fault != "the reply is empty" else f"the reply is no JSON: {exc}"
    raise MismatchError((fault,))


def _fenced(text: str) -> str:
    """What stands in the first code fence that is one of JSON or of nothing that is named; "" without any."""
    for fence in text.split("```")[1::2]:
        language, _, body = fence.partition("\n")
        if language.strip().lower() in ("", "json") and body.strip():
            return body.strip()
    return ""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str) -> int:
    _number(digits)
    return int(digits)


def _number(digits: str) -> float:
    if math.isinf(value := float(digits)):  # what reads JSON next would have it as Infinity, or fail
        raise ValueError(f"{digits[:20]} is too large a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_number, parse_int=_integer)


def _described(schema: Any) -> tuple[dict[str, Any], TypeAdapter[Any]]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(schema)
        return adapter.json_schema(), adapter
    except (PydanticUserError, TypeError) as exc:  # the latter of what is no type at all
        hint = "give a pydantic model, or a JSON Schema as a dict"
        raise InputError(f"no JSON Schema can be made of {schema!r}: {str(exc).splitlines()[0]}", hint=hint) from exc


def _check(definition: Mapping[str, Any]) -> None:
    try:
        validator_for(definition, default=Draft202012Validator).check_schema(dict(definition))
    except SchemaError as exc:
        where = path_text(tuple(exc.absolute_path)) or "its root"
        raise InputError(f"the JSON Schema is at fault at {where}: {exc.message[:_SHOWN_CHARS]}") from exc
    if definition.get("type", "object") != "object" or not definition:
        hint = 'put it into a field: {"type": "object", "properties": {…}}'
        raise InputError(f"the schema asks for {definition.get('type') or 'nothing'} and not for an object", hint=hint)
    dialect = specification_with(str(definition.get("$schema", "")), default=DRAFT202012)
    root = Registry[Any]().resolver_with_root(Resource(dict(definition), dialect))
    for reference, resolver in _references(definition, root):
        if not reference.startswith("#"):
            hint = "put what it refers to under $defs"
            raise InputError(f"the schema refers to another document: {reference[:_SHOWN_CHARS]}", hint=hint)
        try:
            resolver.lookup(reference)
        except Unresolvable as exc:
            hint = "mend the reference, or put what it refers to under $defs"
            raise InputError(f"the schema refers to what it has not: {reference[:_SHOWN_CHARS]}", hint=hint) from exc


def _references(value: Any, resolver: Any) -> Iterator[tuple[str, Any]]:
    """Each reference, with what resolves it (of a type that `referencing` does not name): below an `$id`, from there."""
    here = as_object(value)
    if isinstance(here.get("$id"), str):
        resolver = resolver.in_subresource(DRAFT202012.create_resource(here))
    for key, one in here.items():
        if key in ("$ref", "$dynamicRef") and isinstance(one, str):
            yield one, resolver
        yield from _references(one, resolver)
    for one in as_list(value):
        yield from _references(one, resolver)


def _names(value: Any) -> Iterator[str]:
    """The keys anywhere in a schema, those of properties among them."""
    for key, one in as_object(value).items():
        yield key
        yield from _names(one)
    for one in as_list(value):
        yield from _names(one)


def _wanted(fault: ValidationError) -> str:
    """What the schema wants where a value does not fit it, in the schema's own words."""
    if fault.validator == "required":  # names what is missing, and quotes nothing else
        return fault.message
    wanted = json.dumps({str(fault.validator): fault.validator_value}, ensure_ascii=False, default=str)
    return f"it must fit {wanted}"


def _shown(faults: Iterator[tuple[str, str]] | Any) -> tuple[str, ...]:
    lines = [f"{where or 'the whole'}: {message}" for where, message in faults]
    shown = [line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…" for line in lines]
    more = len(shown) - _SHOWN_FAULTS
    return (*shown[:_SHOWN_FAULTS], f"and {more} more") if more > 0 else tuple(shown)
