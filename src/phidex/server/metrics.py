"""What the server counts of itself, for Prometheus, joined with what this process counts of model calls."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from phidex.generation.endpoints.prometheus import enable_metrics, metrics_text

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)


class Metrics:
    """The counters of one server: routes by their pattern, never by what stands in it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        enable_metrics()  # of model calls: they count from here on
        self._requests = Counter(
            "phidex_http_requests", "Requests that were answered.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "phidex_http_request_seconds",
            "Seconds from a request to the end of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.in_flight = Gauge("phidex_http_requests_in_flight", "Requests that are being answered.", registry=self._registry)
        self._lanes = Gauge("phidex_calls", "Calls that run or wait, by kind.", ("kind",), registry=self._registry)
        self._jobs = Gauge("phidex_jobs", "Jobs of the data folder that have not ended.", ("state",), registry=self._registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, *, lanes: dict[str, int], jobs: dict[str, int]) -> str:
        """All of it, in Prometheus' text format."""
        for kind, count in lanes.items():
            self._lanes.labels(kind).set(count)
        for state in ("queued", "running"):
            self._jobs.labels(state).set(jobs.get(state, 0))
        return generate_latest(self._registry).decode() + metrics_text()
