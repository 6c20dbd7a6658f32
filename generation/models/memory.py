"""What fits on a GPU: weights, key-value cache and what a server needs beside them, in GiB.

Sums, not measurements: what a server says at its start ("GPU KV cache size") is the truth of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

from phidex.errors import ConfigError
from phidex.generation.models.table import ENCODERS, Model

Precision = Literal["bf16", "fp8"]

_GIB = 1 << 30
ROOM = 0.92  # of the GPU's memory, vLLM's own default: the rest is the driver's and the desktop's
_OVERHEAD_GIB = 3.0  # activations and CUDA graphs of one server on one GPU. Source: vLLM's start-up logs, 2 to 4 GiB
_OVERHEAD_LARGE_GIB = 4.0  # of MoE, and with an image encoder
_OVERHEAD_SMALL_GIB = 2.0  # of models of a few hundred million parameters
_SHORTEST_CONTEXT = 4096
_CHOICES: tuple[tuple[Precision, Precision], ...] = (("bf16", "bf16"), ("bf16", "fp8"), ("fp8", "bf16"), ("fp8", "fp8"))


@dataclass(frozen=True, slots=True)
class Fit:
    """One way to serve a model: on how many GPUs, in which precision, with how much context; each part in GiB, over all GPUs.

    Args:
        context_tokens: of one request at its longest; several share the cache when they are shorter.
        utilization: the share of each GPU's memory to give the server.
    """

    model: Model
    gpu_gib: float
    gpus: int
    weights: Precision
    cache: Precision
    context_tokens: int
    weights_gib: float
    cache_gib: float
    overhead_gib: float

    @property
    def total_gib(self) -> float:
        """All of it."""
        return self.weights_gib + self.cache_gib + self.overhead_gib

    @property
    def utilization(self) -> float:
        """The share of each GPU, rounded up to a hundredth."""
        return min(ROOM, -(-100 * self.total_gib // (self.gpu_gib * self.gpus)) / 100)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        sums = {"total_gib": self.total_gib, "utilization": self.utilization}
        return parts | {"model": self.model.name, "role": self.model.role} | sums

    def sentences(self, wanted_tokens: int | None = None) -> list[str]:
        """The sum in words, and what was given up to make it fit; default of what was wanted: the whole window."""
        where = f"{self.gpus} GPUs of {self.gpu_gib:g} GiB" if self.gpus > 1 else f"a GPU of {self.gpu_gib:g} GiB"
        found = [
            f"{self.model.name} on {where}: {self.weights_gib:.1f} GiB weights ({self.weights})"
            + (f" + {self.cache_gib:.1f} GiB cache for {self.context_tokens:,} tokens ({self.cache})" if self.cache_gib else "")
            + f" + {self.overhead_gib:.0f} GiB beside = {self.total_gib:.1f} GiB"
        ]
        window = self.model.window_tokens
        wanted = wanted_tokens or window
        if self.context_tokens < wanted:
            whole = fit_needs(self.model, wanted)
            name = f"its whole window of {window:,} tokens" if wanted == window else f"a context of {wanted:,} tokens"
            found.append(f"{name} needs {whole:.0f} GiB at least (fp8 weights and cache)")
            found.append("for more: a larger GPU, several (--gpus), or fewer models on it")
        ruler = self.model.ruler
        if ruler and self.model.effective_tokens <= self.context_tokens:
            good = self.model.effective_tokens
            found.append(
                f"it reads well up to {good:,} tokens (RULER {ruler[good]:g}), at {window:,} less so ({ruler[window]:g})"
            )
        if self.weights == "fp8" and self.model.role == "moe":
            found.append(
                "fp8 experts made while loading have cost accuracy on some hardware: compare answers before you rely on them"
            )
        return found


def weights_gib(model: Model, precision: Precision) -> float:
    """GiB of the weights; in fp8 the embeddings stay in 16 bits.

    >>> from phidex.generation.models.table import MODELS
    >>> round(weights_gib(MODELS["mini"], "bf16"), 1), round(weights_gib(MODELS["moe"], "fp8"), 1)
    (7.1, 39.2)
    """
    shape = model.shape
    if precision == "bf16":
        return 2 * shape.parameters / _GIB
    kept = shape.embedding_parameters()
    return (shape.parameters - kept + 2 * kept) / _GIB


def cache_gib(model: Model, tokens: int, precision: Precision) -> float:
    """GiB of the key-value cache for so many tokens.

    >>> from phidex.generation.models.table import MODELS
    >>> cache_gib(MODELS["mini"], 131_072, "bf16"), cache_gib(MODELS["moe"], 131_072, "bf16")
    (48.0, 16.0)
    """
    if model.role in ENCODERS:  # they read a text once, and keep nothing of it
        return 0.0
    return tokens * model.shape.kv_bytes_per_token(fp8=precision == "fp8") / _GIB


def fit_needs(model: Model, context_tokens: int) -> float:
    """GiB that the model needs at the least for that context, on one GPU."""
    return weights_gib(model, "fp8") + cache_gib(model, context_tokens, "fp8") + _overhead(model)


def fit_model(model: Model, gpu_gib: float, *, gpus: int = 1, context_tokens: int | None = None) -> Fit:
    """The best way to serve the model there: the whole context first, then 16-bit weights, then a 16-bit cache.

    Where `context_tokens` (default: its window) does not fit in any precision, the context up to which it reads well, then the
    halves of that.

    Raises:
        ConfigError: not even 4,096 tokens fit, it cannot read so many tokens, or the GPUs are no power of two.
    """
    wanted = model.window_tokens if context_tokens is None else context_tokens
    if not 1 <= wanted <= model.window_tokens:
        hint = f"{model.name} reads {model.window_tokens:,} tokens at most"
        raise ConfigError(f"a context of {wanted:,} tokens", hint=hint)
    if gpus < 1 or gpus & (gpus - 1):
        raise ConfigError(f"{gpus} GPUs cannot share a model", hint="a model is cut into 1, 2, 4, 8 … equal parts, one a GPU")
    if gpus > 1 and model.role in ENCODERS:
        raise ConfigError(f"{model.name} on {gpus} GPUs", hint="it is small: one GPU serves it")
    overhead = _overhead(model) * gpus
    for fit in ways(model, gpu_gib, gpus=gpus, context_tokens=wanted):
        if fit.total_gib <= ROOM * gpu_gib * gpus:
            return fit
    least = (fit_needs(model, min(wanted, _SHORTEST_CONTEXT)) + overhead - _overhead(model)) / ROOM
    raise ConfigError(
        f"{model.name} does not fit into {gpus} x {gpu_gib:g} GiB: it needs {least:.0f} GiB with a short context",
        hint="take a larger GPU, or more of them (--gpus), or a checkpoint quantised to 4 bits",
    )


def ways(model: Model, gpu_gib: float, *, gpus: int = 1, context_tokens: int | None = None) -> Iterator[Fit]:
    """Every way to serve the model, best first, whether it fits or not."""
    wanted = model.window_tokens if context_tokens is None else context_tokens
    for tokens in _contexts(model, wanted):
        for weights, cache in _CHOICES:
            parts = (weights_gib(model, weights), cache_gib(model, tokens, cache), _overhead(model) * gpus)
            yield Fit(model, gpu_gib, gpus, weights, cache, tokens, *parts)


def _contexts(model: Model, wanted: int) -> Iterator[int]:
    """What is tried, longest first."""
    yield wanted
    tokens = min(wanted - 1, model.effective_tokens)
    while tokens > _SHORTEST_CONTEXT:
        yield tokens
        tokens //= 2
    if wanted > _SHORTEST_CONTEXT:
        yield _SHORTEST_CONTEXT


def _overhead(model: Model) -> float:
    if model.role in ENCODERS:
        return _OVERHEAD_SMALL_GIB
    return _OVERHEAD_LARGE_GIB if model.role in ("moe", "vision") else _OVERHEAD_GIB
