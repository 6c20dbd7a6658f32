"""Schemas: what is taken for one, what a reply is held to, and the words that say what a field is."""

from __future__ import annotations

import dataclasses
import datetime
import time
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator
from tests.generation.structured.served import FILLED, TENANCY

from phidex import InputError
from phidex.generation.structured.schema import MismatchError, Schema, read_json


class Person(BaseModel):
    name: str = Field(description="full name")
    born: datetime.date | None = None


class Lease(BaseModel):
    tenants: list[Person]
    monthlyRent: float | None = None  # noqa: N815  as JSON is often written
    currency: Literal["EUR", "USD"] = "EUR"
    follows: Lease | None = None


@dataclasses.dataclass
class Plain:
    rent: int


def test_a_model_reads_json_and_gives_it_back() -> None:
    schema = Schema[Any].of(Lease)
    lease = schema.read({"tenants": [{"name": "Ann", "born": "1990-02-01"}], "monthlyRent": 7})
    assert isinstance(lease, Lease)
    assert lease.tenants[0].born == datetime.date(1990, 2, 1)
    assert schema.plain(lease)["tenants"] == [{"name": "Ann", "born": "1990-02-01"}]
    assert schema.name == "Lease"
    assert Schema[Any].of(Plain).read({"rent": 3}) == Plain(3)


def test_a_json_schema_reads_json_as_it_is() -> None:
    assert Schema[Any].of(TENANCY).read(FILLED) == FILLED


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rent": "much"}, "rent: 'much' is not of type 'number', 'null'"),
        ({"signed": "14 May"}, "signed: '14 May' is not a 'date'"),
        ({"colour": "red"}, "the whole: Additional properties are not allowed"),
    ],
)
def test_faults_name_their_place(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(MismatchError) as caught:
        Schema[Any].of(TENANCY).read({**FILLED, **change})
    assert caught.value.faults[0].startswith(fault)
    with pytest.raises(MismatchError, match=r"tenants\[0\]\.name: Field required"):
        Schema[Any].of(Lease).read({"tenants": [{}]})


class Checked(BaseModel):
    rents: dict[str, int]
    unit: str = "EUR"

    @field_validator("unit")
    @classmethod
    def check_unit(cls, unit: str) -> str:
        raise ValueError(f"{unit} is no unit")


def test_what_the_model_is_told_has_none_of_its_own_words() -> None:
    with pytest.raises(MismatchError, match="Say yes is no unit") as caught:
        Schema[Any].of(Checked).read({"rents": {"Say yes": "Say yes"}, "unit": "Say yes"})
    assert [line.split(":")[0] for line in caught.value.told] == ['rents["…"]', "unit"]
    assert "Input should be a valid integer" in caught.value.told[0]
    assert not any("Say yes" in line for line in caught.value.told)


def test_many_faults_are_counted() -> None:
    with pytest.raises(MismatchError, match="and 4 more"):
        Schema[Any].of(Lease).read({"tenants": [{}] * 10})


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "array"}, "asks for array"),
        ({}, "asks for nothing"),
        ({"type": "object", "properties": {"a": {"type": "nothing"}}}, r"at fault at properties\.a\.type"),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.com/x.json"}}}, "another document"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/Nope"}}}, "what it has not: #/\\$defs/Nope"),
        ({"type": "object", "properties": {"a": {"$ref": "#nope"}}}, "what it has not: #nope"),
        (list[int], "asks for array"),
        (open, "no JSON Schema can be made"),
    ],
)
def test_what_is_no_schema_is_said(schema: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Schema[Any].of(schema)


def test_references_of_every_kind_are_followed() -> None:
    schema = {
        "$id": "https://example.com/lease.json",
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A"},
            "b": {"$ref": "#b"},
            "self": {"$ref": "#"},
            "c": {"$id": "c.json", "$ref": "#/$defs/C", "$defs": {"C": {"type": "null"}}},
        },
        "$defs": {"A": {"type": "integer"}, "B": {"$anchor": "b", "type": "string"}},
    }
    assert Schema[Any].of(schema).read({"a": 1, "b": "x", "self": {}, "c": None})
    with pytest.raises(MismatchError, match="a: 'x' is not of type 'integer'"):
        Schema[Any].of(schema).read({"a": "x"})
    older: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "definitions": {"A": {}}}
    assert Schema[Any].of({**older, "properties": {"a": {"$ref": "#/definitions/A"}}}).read({"a": 1})


def test_fields_are_said_in_words_also_behind_references() -> None:
    schema = Schema[Any].of(Lease)
    assert schema.about(("monthlyRent",)) == "monthly Rent Monthlyrent"
    assert "full name" in schema.about(("tenants", 0, "name"))
    assert "full name" in schema.about(("follows", "follows", "tenants", 3, "name"))  # a model that holds itself
    assert any("name" in question and "tenants" in question for question in schema.questions())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\n```json\n{"a": 1}\n```\n', {"a": 1}),
        ('```python\n{}\n```\nor ```JSON  \n\n{"a": [1]}\n\n```', {"a": [1]}),
        ('Sure! {"a": {"b": 2}} I hope it helps {you}.', {"a": {"b": 2}}),
    ],
)
def test_json_is_found_in_a_reply(text: str, value: Any) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize("text", ["", "no", '{"a": NaN}', '{"a": 1', "[" * 100_000, '{"a": -1e999}', f'{{"a": 1{"0" * 310}}}'])
def test_what_is_no_json_is_a_mismatch(text: str) -> None:
    with pytest.raises(MismatchError):
        read_json(text)


def test_a_fence_that_is_never_closed_is_read_at_once() -> None:
    begun = time.monotonic()
    with pytest.raises(MismatchError):
        read_json("```json\n" + "\n" * 8_500)
    assert time.monotonic() - begun < 1
