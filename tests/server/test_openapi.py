"""The OpenAPI document holds: schemathesis sends what it allows and what it does not, and looks at every answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks
from tests.builders import Author, settings_for
from tests.retrieval.engines import end_engine
from tests.server.conftest import Served

from phidex.generation.answer import Role
from phidex.ingest.records import TimeLocator
from phidex.sdk import Phidex
from phidex.server import wire
from phidex.server.guard import PUBLIC
from phidex.server.shapes import TimeLocatorOut

_EXAMPLES = 8  # a route, twice: together about 30 s
_THERE = {"collection": "default", "source_id": "", "model": "default"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Generator[Any]:
    folder = tmp_path_factory.mktemp("openapi")
    data = folder / "data"
    with Phidex(settings=settings_for(data)) as phidex:
        phidex.ingest(Author(51).document("report.pdf", 2).write(folder / "docs"))
        _THERE["source_id"] = phidex.sources()[0].source.id
    served = Served(data, PHIDEX_SERVER__REQUESTS_PER_MINUTE="0")
    yield schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    served.stop()
    end_engine(data)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_every_answer_is_as_documented(api: Any, mode: GenerationMode, subtests: pytest.Subtests) -> None:
    """By requests as the document has them, and by others."""
    known: Any = checks
    wanted = [check for check in known.CHECKS.get_all() if check.__name__ in _CHECKED]
    assert len(wanted) == len(_CHECKED)
    seen: set[int] = set()
    for found in api.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and operation.path in PUBLIC:
            continue  # they take nothing that could be wrong
        with subtests.test(f"{operation.method} {operation.path}"):

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=_ANY, derandomize=True, database=None)
            def send(case: Any) -> None:
                aim(case, mode)
                answered = case.call(timeout=60)
                seen.add(answered.status_code)
                assert answered.status_code != 500, answered.text
                case.validate_response(answered, checks=wanted)

            send()
    assert {200, 202} <= seen if mode is GenerationMode.POSITIVE else 422 in seen


def test_shapes_hold_what_the_records_hold() -> None:
    assert TimeLocator(0.0, 1.0, "frame", "deck#page=2").to_dict().keys() == TimeLocatorOut.model_fields.keys()
    assert set(get_args(wire.Role)) == set(get_args(Role))


def aim(case: Any, mode: GenerationMode) -> None:
    """At what there is, or only its absence would be seen; and at nothing outside of this machine."""
    places: Any = case.path_parameters or {}
    body: Any = case.body
    if mode is GenerationMode.POSITIVE and (case.method, case.path) != ("DELETE", "/v1/collections/{collection}"):
        places.update({name: value for name, value in _THERE.items() if name in places})
        if case.path in ("/v1/chat/completions", "/v1/embeddings"):
            body["model"] = "default"
    if case.path.endswith("/imports") and hasattr(body, "get") and isinstance(body.get("targets"), list):
        body["targets"] = ["https://127.0.0.1:1/a.pdf" for _ in body["targets"]]


_ANY = list[HealthCheck](HealthCheck)  # pyright: ignore[reportArgumentType]  its metaclass iterates over its values
_CHECKED = {
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
}
