"""The override of docker-compose.yml for a machine's GPUs: each vLLM service's flags, and what the app is told of it.

YAML is written as JSON strings in lists and mappings, which every YAML reader takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from phidex.generation.models.command import serve_arguments
from phidex.generation.models.share import Placement
from phidex.generation.models.table import MODELS, ModelRole

SERVED_ROLES: tuple[ModelRole, ...] = ("mini", "moe", "vision", "embed", "rerank")
"""Roles that docker-compose.yml has a service for."""

_CHAT: tuple[ModelRole, ...] = ("mini", "moe", "vision")
_LEFT_OUT = "left-out"  # a profile that nobody starts


def service_name(role: ModelRole, *, multi: bool) -> str:
    """The service of docker-compose.yml: those of profile `gpu`, or those of `gpu-multi`."""
    return f"{role}-multi" if multi and role in _CHAT else role


def service_arguments(placement: Placement, *, hopper: bool = False, num_crops: int = 4) -> list[str]:
    """What the service's entrypoint, which says `vllm serve`, is given."""
    model = MODELS[placement.role]
    return serve_arguments(model, placement.fit, hopper=hopper, num_crops=num_crops)[1:]


def compose_override(placements: Sequence[Placement], *, gpus: int = 1, hopper: bool = False, num_crops: int = 4) -> str:
    """The override file; its head says what it was made for and what each model gets."""
    multi = gpus > 1
    gib = placements[0].fit.gpu_gib
    flags = profile_flags([placement.role for placement in placements], gpus=gpus)
    lines = [
        f"# Made by `phidex models compose` for {gpus} x {gib:g} GiB. Beside docker-compose.yml:",
        f"# docker compose -f docker-compose.yml -f THIS_FILE {flags} up -d",
        *(f"# {sentence}" for placement in placements for sentence in placement.fit.sentences()),
        "services:",
    ]
    for placement in placements:
        lines.append(f"  {service_name(placement.role, multi=multi)}:")
        arguments = service_arguments(placement, hopper=hopper, num_crops=num_crops)
        lines += ["    command:", *(f"      - {json.dumps(argument)}" for argument in arguments)]
        devices = ",".join(map(str, placement.gpus))
        lines += ["    environment:", f"      CUDA_VISIBLE_DEVICES: {json.dumps(devices)}"]
    roles: list[ModelRole] = [placement.role for placement in placements]
    for role in SERVED_ROLES:
        if role not in roles:
            lines += [f"  {service_name(role, multi=multi)}:", f"    profiles: !override [{json.dumps(_LEFT_OUT)}]"]
    return "\n".join([*lines, *_app(roles)]) + "\n"


def profile_flags(roles: Iterable[ModelRole], *, gpus: int = 1) -> str:
    """The flags of `docker compose` that start these services.

    >>> profile_flags(["mini", "embed"])
    '--profile gpu --profile embed'
    """
    own = [role for role in roles if role not in _CHAT]
    return " ".join(f"--profile {name}" for name in ["gpu-multi" if gpus > 1 else "gpu", *own])


def _app(roles: Iterable[ModelRole]) -> list[str]:
    """What the app is told: which roles there are, and who embeds and reranks."""
    served = [role for role in _CHAT if role in roles]
    told = {"PHIDEX_CHAT__URL": f"http://{served[0]}:8000/v1" if served else ""}
    told["PHIDEX_CHAT__MINI"] = MODELS["mini"].served if "mini" in served else ""
    for role in ("moe", "vision"):
        name = f"PHIDEX_CHAT__{role.upper()}"
        told[name] = MODELS[role].served if role in served else ""
        told[f"{name}_URL"] = f"http://{role}:8000/v1" if role in served else ""
    if "embed" in roles:
        told["PHIDEX_EMBED__MODEL"] = "endpoint"
    if "rerank" in roles:
        told["PHIDEX_RERANK__MODEL"] = "endpoint"
    return ["  ui-gpu:", "    environment:", *(f"      {name}: {json.dumps(value)}" for name, value in told.items())]
