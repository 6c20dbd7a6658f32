"""Figures of model calls for Prometheus: nothing is imported, counted or opened before somebody asks for them.

A server that has pages of its own serves `metrics_text()`; for a process without any, such as the web app, `serve_metrics`
opens a port (`PHIDEX_CHAT__METRICS_PORT`). What is asked and answered is never in them. Their names: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from phidex.errors import ConfigError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

log = logging.getLogger(__name__)

Outcome = Literal["ok", "stopped", "incomplete", "busy", "down", "refused", "queue_full", "left_alone"]
"""ok: whole; stopped: by whoever asked; incomplete: broke off; busy: 429 or 503; down: silent, unreachable or failed; refused:
the request, key or model name is wrong; queue_full: too many wait here; left_alone: not sent: the server failed too often."""

_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_BREAKER = ("closed", "open", "trying")


@dataclass(frozen=True, slots=True)
class RoleGauges:
    """How a role is at this moment; `breaker` is one of closed, open, trying."""

    waiting: int
    running: int
    breaker: str


class Watched(Protocol):
    """What figures of the moment are read from."""

    def gauges(self) -> Mapping[str, RoleGauges]:
        """By role; asks nobody."""
        ...


class Metrics:
    """The counters of this process, in a registry of their own.

    Raises:
        ConfigError: prometheus-client is not installed.
    """

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram
        except ImportError as exc:
            raise ConfigError("metrics need prometheus-client", hint="pip install 'phidex[telemetry]'") from exc

        self.registry = CollectorRegistry()
        self._requests = Counter(
            "phidex_model_requests", "Requests to models, by how they ended.", ("role", "outcome"), registry=self.registry
        )
        self._tokens = Counter(
            "phidex_model_tokens", "Tokens that servers read and wrote.", ("role", "direction"), registry=self.registry
        )
        self._first = Histogram(
            "phidex_model_first_text_seconds",
            "From a request's sending to the first text of its answer.",
            ("role",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._answer = Histogram(
            "phidex_model_answer_seconds",
            "From a request's sending to the end of its answer, whole answers only.",
            ("role",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._escalations = Counter(
            "phidex_escalations", "Answers that the larger model was asked for again.", registry=self.registry
        )
        self._fallbacks = Counter(
            "phidex_fallbacks",
            "Answers by another role than the one that was to give them.",
            ("asked", "answered"),
            registry=self.registry,
        )
        self.registry.register(_Moment())

    def ended(self, role: str, outcome: Outcome) -> None:
        """One request is over."""
        self._requests.labels(role, outcome).inc()

    def answered(self, role: str, *, first_s: float | None, answer_s: float | None, tokens: Mapping[str, int]) -> None:
        """What one request took, and its tokens by direction; None and nothing where that is not known."""
        if first_s is not None:
            self._first.labels(role).observe(first_s)
        if answer_s is not None:
            self._answer.labels(role).observe(answer_s)
        for direction, count in tokens.items():
            self._tokens.labels(role, direction).inc(count)

    def escalated(self) -> None:
        """The larger model is asked again."""
        self._escalations.inc()

    def fell_back(self, asked: str, answered: str) -> None:
        """Another role answers in the place of one that could not be asked."""
        self._fallbacks.labels(asked, answered).inc()


class _Moment:
    """The gauges: read when they are asked for, summed over all that lives in the process."""

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        waiting = GaugeMetricFamily("phidex_model_queue_length", "Requests that wait for their turn.", labels=("role",))
        running = GaugeMetricFamily("phidex_model_in_flight", "Requests under way.", labels=("role",))
        breaker = GaugeMetricFamily(
            "phidex_model_breaker", "1 of the state that a role's circuit breaker is in.", labels=("role", "state")
        )
        found: dict[str, list[RoleGauges]] = {}
        for one in list(_LIVING):
            for role, gauges in one.gauges().items():
                found.setdefault(role, []).append(gauges)
        for role, some in found.items():
            waiting.add_metric((role,), sum(one.waiting for one in some))
            running.add_metric((role,), sum(one.running for one in some))
            state = max((one.breaker for one in some), key=("closed", "trying", "open").index)
            for name in _BREAKER:
                breaker.add_metric((role, name), float(name == state))
        yield from (waiting, running, breaker)


_LIVING: weakref.WeakSet[Any] = weakref.WeakSet()
_lock = threading.Lock()
_metrics: Metrics | None = None
_served: set[tuple[str, int]] = set()


def watch(one: Watched) -> None:
    """Have the gauges read from it for as long as it lives."""
    _LIVING.add(one)


def metrics() -> Metrics | None:
    """The counters; None while nobody has asked for them."""
    return _metrics


def enable_metrics() -> Metrics:
    """The counters, which count from the first call on.

    Raises:
        ConfigError: prometheus-client is not installed.
    """
    global _metrics
    with _lock:
        if _metrics is None:
            _metrics = Metrics()
        return _metrics


def metrics_text() -> str:
    """All figures in Prometheus' text form (`text/plain; version=0.0.4`). They count from the first call on: a server calls it
    at its start.

    Raises:
        ConfigError: prometheus-client is not installed.
    """
    from_here = enable_metrics()
    from prometheus_client import generate_latest

    return generate_latest(from_here.registry).decode()


def serve_metrics(port: int, address: str = "127.0.0.1") -> None:
    """Serve the figures at http://ADDRESS:PORT/metrics, from the first call of a process on.

    A port that is taken is a line in the log and no error: several commands with the same settings may run at a time.

    Raises:
        ConfigError: prometheus-client is not installed.
    """
    registry = enable_metrics().registry
    from prometheus_client import start_http_server

    with _lock:
        if (address, port) in _served:
            return
        _served.add((address, port))
    try:
        start_http_server(port, address, registry)
    except OSError as exc:
        with _lock:
            _served.discard((address, port))  # it may be free when the next one asks
        log.warning("metrics.not_served address=%s port=%d reason=%s", address, port, exc.strerror)
