"""What is told of model calls: spans and metrics by OpenTelemetry's conventions for generative AI, and figures for Prometheus.

Nothing of the first where it is not installed, of the second where nobody asked for it (`prometheus.py`).
What is asked and answered is never in them. Names: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (in development there).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from phidex.errors import IncompleteAnswerError, PhidexError, ServiceError
from phidex.generation.chat_faults import BusyError
from phidex.generation.endpoints.breaker import LeftAloneError
from phidex.generation.endpoints.gate import QueueFullError
from phidex.generation.endpoints.prometheus import Outcome, metrics

if TYPE_CHECKING:
    from phidex.generation.chat import Done

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144)


class ModelCall:
    """One request, told of as it goes."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes
        self.outcome: dict[str, Any] = {}
        self.first_s: float | None = None
        self.is_whole = False
        self.tokens: dict[str, int] = {}
        self._started = time.monotonic()

    def began(self) -> None:
        """The first of the answer has come."""
        if self.first_s is None:
            self.first_s = time.monotonic() - self._started

    def ended(self, done: Done) -> None:
        """The answer is whole."""
        self.is_whole = True
        self.outcome["gen_ai.response.finish_reasons"] = (done.finish_reason,)
        if done.model:
            self.outcome["gen_ai.response.model"] = done.model
        if done.usage is not None:
            self.tokens = {"input": done.usage.prompt_tokens, "output": done.usage.completion_tokens}
            self.outcome["gen_ai.usage.input_tokens"] = done.usage.prompt_tokens
            self.outcome["gen_ai.usage.output_tokens"] = done.usage.completion_tokens
            self.outcome["gen_ai.usage.cache_read.input_tokens"] = done.usage.cached_tokens

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request was begun."""
        return time.monotonic() - self._started


@contextmanager
def model_call(model: str, url: str, role: str, max_tokens: int | None) -> Generator[ModelCall]:
    """A span around one request, and its measurements when it ends, however it does."""
    address = urlsplit(url)
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",  # the protocol; who serves it is not known
        "gen_ai.request.model": model,
        "server.address": address.hostname or "",
        "server.port": address.port or (443 if address.scheme == "https" else 80),
        "phidex.role": role,
    }
    call = ModelCall(attributes)
    instruments = _instruments()
    if instruments is None:
        try:
            yield call
        finally:
            _count(role, call)
        return
    extra = {} if max_tokens is None else {"gen_ai.request.max_tokens": max_tokens}
    failure = ""
    span = instruments.span(f"chat {model}", {**attributes, **extra})
    try:
        yield call
    except PhidexError as exc:  # by its name alone: what servers say may quote the prompt
        failure = type(exc).__name__
        span.set_status(instruments.error(failure))
        span.set_attribute("error.type", failure)
        raise
    finally:
        span.set_attributes(call.outcome)
        span.end()
        instruments.record(call, failure)
        _count(role, call)


@contextmanager
def told_outcome(role: str) -> Generator[Callable[[], None]]:
    """Around one request with its wait for a turn: how it ended is counted. What is yielded is called once it is whole."""
    whole: list[bool] = []
    outcome: Outcome = "stopped"  # left by whoever asked, unless it was whole or failed
    try:
        yield lambda: whole.append(True)
        outcome = "ok" if whole else "stopped"
    except PhidexError as exc:
        outcome = outcome_of(exc)
        raise
    finally:
        if (found := metrics()) is not None:
            found.ended(role, "ok" if whole else outcome)


def outcome_of(error: PhidexError) -> Outcome:
    """How a failure is counted."""
    match error:
        case QueueFullError():
            return "queue_full"
        case LeftAloneError():
            return "left_alone"
        case BusyError():
            return "busy"
        case IncompleteAnswerError():
            return "incomplete"
        case ServiceError():
            return "down"
        case _:
            return "refused"


def fell_back(asked: str, answered: str) -> None:
    """Count an answer by another role than the one that was to give it."""
    if (found := metrics()) is not None:
        found.fell_back(asked, answered)


def _count(role: str, call: ModelCall) -> None:
    if (found := metrics()) is not None:
        answer_s = call.elapsed_s if call.is_whole else None
        found.answered(role, first_s=call.first_s, answer_s=answer_s, tokens=call.tokens)


class _Instruments:
    """The tracer and the histograms of this process."""

    def __init__(self) -> None:
        from opentelemetry import metrics, trace

        self._trace = trace
        self._tracer = trace.get_tracer("phidex")
        meter = metrics.get_meter("phidex")
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "Seconds of a model call.", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._first = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Seconds to the first of an answer.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._used = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens read and written.", explicit_bucket_boundaries_advisory=_TOKENS
        )

    def span(self, name: str, attributes: dict[str, Any]) -> Any:
        """A span below the caller's; never the current one, since the caller goes on between two pieces of an answer."""
        return self._tracer.start_span(name, kind=self._trace.SpanKind.CLIENT, attributes=attributes)

    def error(self, message: str) -> Any:
        """The status of a span that failed."""
        return self._trace.Status(self._trace.StatusCode.ERROR, message)

    def record(self, call: ModelCall, failure: str) -> None:
        """The measurements of one call."""
        attributes = {**call.attributes, **({"error.type": failure} if failure else {})}
        self._duration.record(call.elapsed_s, attributes)
        if call.first_s is not None:
            self._first.record(call.first_s, attributes)
        for kind, count in call.tokens.items():
            self._used.record(count, {**attributes, "gen_ai.token.type": kind})


@lru_cache(maxsize=1)
def _instruments() -> _Instruments | None:
    try:
        return _Instruments()
    except ImportError:
        return None
