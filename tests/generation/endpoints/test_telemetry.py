"""What OpenTelemetry is told of a model call, and what it is not."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics  # pyright: ignore[reportMissingTypeStubs]
from tests.generation.faulty import QUESTION, answer, chat_settings, close_mid_stream, faulty_server, reply

from phidex.errors import InputError, ServiceError
from phidex.generation.endpoints import telemetry
from phidex.generation.endpoints.pool import Pool


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing, metering = TracerProvider(), MeterProvider([reader])
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer", tracing.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", metering.get_meter)
    telemetry._instruments.cache_clear()  # pyright: ignore[reportPrivateUsage]
    yield spans, reader
    telemetry._instruments.cache_clear()  # pyright: ignore[reportPrivateUsage]
    tracing.shutdown()
    metering.shutdown()


def measured(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    data = reader.get_metrics_data()
    assert data is not None
    found = [metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics]
    return {metric.name: list(metric.data.data_points) for metric in found}


def test_a_call_that_succeeds(exported: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> None:
    spans, reader = exported
    with faulty_server(answer("The harbour is ", "ten metres deep.")) as server, Pool(chat_settings(server.url)) as pool:
        list(pool.stream(QUESTION, model="phi-3.5-mini", max_tokens=64))
    (span,) = spans.get_finished_spans()
    assert span.name == "chat phi-3.5-mini"
    told = dict(span.attributes or {})
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.request.max_tokens"] == 64
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (7, 2)
    assert told["server.port"] == server.port
    assert told["phidex.role"] == "mini"
    text = json.dumps(told) + str(span.events)
    assert "harbour" not in text  # neither question nor answer
    found = measured(reader)
    assert found["gen_ai.client.operation.duration"][0].count == 1
    assert found["gen_ai.client.operation.time_to_first_chunk"][0].count == 1
    used = {point.attributes["gen_ai.token.type"]: point.sum for point in found["gen_ai.client.token.usage"]}
    assert used == {"input": 7, "output": 2}


def test_names_and_units_are_those_of_the_conventions(exported: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> None:
    _, reader = exported
    with faulty_server(answer("x")) as server, Pool(chat_settings(server.url)) as pool:
        list(pool.stream(QUESTION, model="phi-3.5-mini"))
    data = reader.get_metrics_data()
    assert data is not None
    metrics_of = [one for resource in data.resource_metrics for scope in resource.scope_metrics for one in scope.metrics]
    assert {one.name: one.unit for one in metrics_of} == {
        gen_ai_metrics.GEN_AI_CLIENT_OPERATION_DURATION: "s",
        gen_ai_metrics.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK: "s",
        gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE: "{token}",
    }


def test_a_call_that_breaks_off(exported: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> None:
    spans, reader = exported
    with (
        faulty_server(close_mid_stream) as server,
        Pool(chat_settings(server.url)) as pool,
        pytest.raises(ServiceError),
    ):
        list(pool.stream(QUESTION, model="phi-3.5-mini"))
    (span,) = spans.get_finished_spans()
    assert not span.status.is_ok
    assert dict(span.attributes or {})["error.type"] == "IncompleteAnswerError"
    assert "so far" not in str(span.status.description)
    assert measured(reader)["gen_ai.client.operation.duration"][0].attributes["error.type"] == "IncompleteAnswerError"


def test_what_a_server_says_is_not_told(exported: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> None:
    spans, _ = exported
    refused = reply(400, {"error": {"message": "I do not like: How deep is the harbour?"}})
    with faulty_server(refused) as server, Pool(chat_settings(server.url)) as pool, pytest.raises(InputError):
        list(pool.stream(QUESTION, model="phi-3.5-mini"))
    (span,) = spans.get_finished_spans()
    assert "harbour" not in str(span.to_json())


def test_the_callers_span_stays_current(exported: tuple[InMemorySpanExporter, InMemoryMetricReader]) -> None:
    with faulty_server(answer("a", "b")) as server, Pool(chat_settings(server.url)) as pool:
        before = trace.get_current_span()
        for _ in pool.stream(QUESTION, model="phi-3.5-mini"):
            assert trace.get_current_span() is before


def test_without_the_package_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    telemetry._instruments.cache_clear()  # pyright: ignore[reportPrivateUsage]
    try:
        with faulty_server(answer("x")) as server, Pool(chat_settings(server.url)) as pool:
            assert len(list(pool.stream(QUESTION, model="phi-3.5-mini"))) == 2
    finally:
        telemetry._instruments.cache_clear()  # pyright: ignore[reportPrivateUsage]
