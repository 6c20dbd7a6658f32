"""Several models on the GPUs of one machine: who is placed where, and the share of memory that each may take.

Of all ways to serve those that share a GPU, the one that gives up least and whose shares sum to no more than there is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from phidex.errors import ConfigError
from phidex.generation.models.memory import ROOM, Fit, ways
from phidex.generation.models.table import ENCODERS, MODELS, Model, ModelRole

# What giving something up costs beside the other things that could be given up.
_SHORTER: dict[ModelRole, float] = {"mini": 2.0, "moe": 3.0, "vision": 0.5}  # than its window, and yet all that it reads well
_HALVED = 4.0  # each halving below that
_FP8_WEIGHTS = 1.0
_FP8_CACHE = 0.5


@dataclass(frozen=True, slots=True)
class Placement:
    """A model, the GPUs that it is on (0-based), and how it is served there."""

    role: ModelRole
    gpus: tuple[int, ...]
    fit: Fit


def place_models(roles: Sequence[ModelRole], gpu_gib: float, *, gpus: int = 1) -> list[Placement]:
    """Where each model goes, in the order of the table.

    On several GPUs MoE gets the last ones to itself, as many as a power of two allows beside one for the others.

    Raises:
        ConfigError: those that would have to share a GPU do not fit; the hint says what to leave out.
    """
    found: list[Placement] = []
    for group, places in _groups([role for role in MODELS if role in roles], gpus):
        found += _share(group, places, gpu_gib)
    return sorted(found, key=lambda placement: list(MODELS).index(placement.role))


def _groups(roles: list[ModelRole], gpus: int) -> list[tuple[list[ModelRole], tuple[int, ...]]]:
    """Which models stand together, and on which GPUs."""
    rest: list[ModelRole] = [role for role in roles if role != "moe"]
    if "moe" not in roles or not rest or gpus == 1:
        width = 1 << (gpus.bit_length() - 1) if len(roles) == 1 and roles[0] not in ENCODERS else 1
        places = [tuple(range(width))] if len(roles) == 1 else [(number,) for number in range(min(gpus, len(roles)))]
        return [(list(roles[index :: len(places)]), place) for index, place in enumerate(places)]
    width = 1 << ((gpus - 1).bit_length() - 1)
    free = min(gpus - width, len(rest))
    groups: list[tuple[list[ModelRole], tuple[int, ...]]] = []
    groups += [(rest[index::free], (index,)) for index in range(free)]
    groups.append((["moe"], tuple(range(gpus - width, gpus))))
    return groups


def _share(roles: list[ModelRole], places: tuple[int, ...], gpu_gib: float) -> list[Placement]:
    fits = _best([MODELS[role] for role in roles], gpu_gib, len(places))
    if fits is not None:
        return [Placement(role, places, fit) for role, fit in zip(roles, fits, strict=True)]
    where = f"{len(places)} x {gpu_gib:g} GiB"
    least = sum(min(fit.total_gib for fit in ways(MODELS[role], gpu_gib, gpus=len(places))) for role in roles) / ROOM
    together = "do not fit together" if len(roles) > 1 else "does not fit"
    raise ConfigError(
        f"{_listed(roles)} {together} into {where}: {least:.0f} GiB are needed with short contexts",
        hint=_cure(roles, gpu_gib, len(places)),
    )


def _best(models: Sequence[Model], gpu_gib: float, gpus: int) -> tuple[Fit, ...] | None:
    """The way for each that gives up least in all; None where nothing fits."""
    room = round(100 * ROOM)
    choices = [_worthwhile(model, gpu_gib, gpus) for model in models]
    fitting = (ways for ways in itertools.product(*choices) if sum(share for _, share, _ in ways) <= room)
    best = min(fitting, key=lambda ways: sum(loss for loss, _, _ in ways), default=None)
    return None if best is None else tuple(fit for _, _, fit in best)


def _worthwhile(model: Model, gpu_gib: float, gpus: int) -> list[tuple[float, int, Fit]]:
    """The ways that fit, each with what it gives up and its share in hundredths: only those that take less than all better."""
    found = [
        (_loss(fit), math.ceil(100 * fit.utilization - 1e-6), fit) for fit in ways(model, gpu_gib, gpus=gpus) if _fits(fit)
    ]
    found.sort(key=lambda way: way[:2])
    return [way for index, way in enumerate(found) if all(way[1] < better[1] for better in found[:index])]


def _fits(fit: Fit) -> bool:
    return fit.total_gib <= ROOM * fit.gpu_gib * fit.gpus


def _loss(fit: Fit) -> float:
    model, loss = fit.model, 0.0
    if fit.context_tokens < model.window_tokens:
        loss += _SHORTER.get(model.role, 1.0)
    if fit.context_tokens < model.effective_tokens:
        loss += _HALVED * math.log2(model.effective_tokens / fit.context_tokens)
    return loss + _FP8_WEIGHTS * (fit.weights == "fp8") + _FP8_CACHE * (fit.cache == "fp8")


def _cure(roles: list[ModelRole], gpu_gib: float, gpus: int) -> str:
    """The fewest to leave out, in every way that works; else a larger GPU."""
    more = "take a larger GPU, or more of them (--gpus)"
    for count in range(1, len(roles)):
        kept = [some for some in itertools.combinations(roles, len(roles) - count) if _best_of(some, gpu_gib, gpus)]
        if kept:
            ways_out = " or ".join(f"{_listed([r for r in roles if r not in some])} ({_options(some)})" for some in kept)
            return f"leave out {ways_out}; or {more}"
    return f"{more}, or a checkpoint quantised to 4 bits"


def _best_of(roles: Sequence[ModelRole], gpu_gib: float, gpus: int) -> bool:
    return _best([MODELS[role] for role in roles], gpu_gib, gpus) is not None


def _options(roles: Sequence[ModelRole]) -> str:
    return " ".join(f"--role {role}" for role in roles)


def _listed(roles: Sequence[str]) -> str:
    return " and ".join([", ".join(roles[:-1]), roles[-1]] if len(roles) > 1 else roles)
