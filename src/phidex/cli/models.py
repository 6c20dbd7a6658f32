"""The models that can answer: `phidex models`, `phidex models command`, `phidex models compose`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from phidex.cli.options import JsonOption
from phidex.cli.session import print_json, read_settings
from phidex.errors import InputError

if TYPE_CHECKING:
    from phidex.generation.models.health import RoleHealth
    from phidex.generation.models.table import ModelRole

Role = Literal["mini", "moe", "vision", "embed", "rerank", "speech"]  # as in generation/models/table.py, for --help

RoleArgument = Annotated[Role, typer.Argument(help="What the model is for.", metavar="ROLE")]
RolesOption = Annotated[
    list[str] | None,
    typer.Option("--role", help="Serve only this (mini, moe, vision, embed, rerank); repeatable (default: the first three)."),
]
MemoryOption = Annotated[
    float, typer.Option("--gpu-memory", min=1, max=10_000, help="Memory of one GPU in GiB (nvidia-smi's MiB / 1024).")
]
GpusOption = Annotated[int, typer.Option("--gpus", min=1, max=64, help="GPUs of that size.")]
ContextOption = Annotated[
    int | None, typer.Option("--context", min=1, help="Tokens of the longest request (default: what fits, up to 128K).")
]
HopperOption = Annotated[bool, typer.Option("--hopper", help="The GPU is an H100, H200 or alike (compute capability 9.0).")]
CropsOption = Annotated[
    int, typer.Option("--num-crops", min=1, max=64, help="Tiles of a picture: 4 for several frames, 16 for single pages.")
]
RevisionOption = Annotated[str, typer.Option("--revision", help="Commit of the model's repository on the hub.")]
ServerPortOption = Annotated[
    int | None, typer.Option("--port", min=1, max=65535, help="Port to serve on (default: one for each role, 8000 for mini).")
]
OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="File to write (default: standard output).")]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]

models = typer.Typer(
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Show the models that can answer: endpoint, health, window, what is missing; and how to serve them.",
)


@models.callback()
def show(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the models that can answer: endpoint, health, window, what is missing; and how to serve them."""
    if context.invoked_subcommand:
        return
    from phidex.generation.models.health import examine_roles

    roles = examine_roles(read_settings(None))
    if as_json:
        print_json([role.to_dict() for role in roles])
    else:
        _show(roles)
    if any(role.state == "broken" for role in roles):
        raise SystemExit(3)


@models.command()
def command(
    role: RoleArgument,
    gpu_memory: MemoryOption,
    gpus: GpusOption = 1,
    context: ContextOption = None,
    hopper: HopperOption = False,
    num_crops: CropsOption = 4,
    revision: RevisionOption = "",
    port: ServerPortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the `vllm serve` line of a model for a GPU, and what fits on it."""
    from phidex.generation.models.command import PORTS, serve_arguments, serve_command, serve_notes
    from phidex.generation.models.memory import fit_model
    from phidex.generation.models.table import MODELS

    model = MODELS[role]
    fit = None if role == "speech" else fit_model(model, gpu_memory, gpus=gpus, context_tokens=context)
    if fit is not None and context is not None and fit.context_tokens < context:
        raise InputError(f"{context:,} tokens of context do not fit", hint="; ".join(fit.sentences(context)))
    arguments = serve_arguments(model, fit, hopper=hopper, num_crops=num_crops, revision=revision, port=port or PORTS[role])
    notes = [
        *(fit.sentences(context) if fit else ()),
        *serve_notes(model, fit, hopper=hopper, num_crops=num_crops, revision=revision),
    ]
    if as_json:
        line = serve_command(arguments)
        print_json(
            {"role": role, "command": line, "arguments": arguments, "fit": fit.to_dict() if fit else None, "notes": notes}
        )
        return
    print(serve_command(arguments))
    print(*(f"# {note}" for note in notes), sep="\n")


@models.command()
def compose(
    gpu_memory: MemoryOption,
    gpus: GpusOption = 1,
    roles: RolesOption = None,
    hopper: HopperOption = False,
    num_crops: CropsOption = 4,
    output: OutputOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the override of docker-compose.yml that gives each vLLM service its share of your GPUs."""
    from phidex.generation.models.compose import SERVED_ROLES, compose_override, profile_flags
    from phidex.generation.models.share import place_models

    if unknown := [role for role in roles or () if role not in SERVED_ROLES]:
        hint = "it has a share of its own: --profile speech" if "speech" in unknown else f"roles are: {', '.join(SERVED_ROLES)}"
        raise InputError(f"no GPU is shared out for {unknown[0]!r}", hint=hint)
    wanted: list[ModelRole] = [role for role in SERVED_ROLES if str(role) in (roles or SERVED_ROLES[:3])]
    placements = place_models(wanted, gpu_memory, gpus=gpus)
    text = compose_override(placements, gpus=gpus, hopper=hopper, num_crops=num_crops)
    if output is not None:
        _write(output, text, force=force)
    if as_json:
        found = [{"role": one.role, "gpus": one.gpus, "fit": one.fit.to_dict()} for one in placements]
        print_json({"output": str(output) if output else None, "placements": found, "override": text})
    elif output is None:
        print(text, end="")
    else:
        for one in placements:
            print(*one.fit.sentences(), sep="\n")
        flags = profile_flags([one.role for one in placements], gpus=gpus)
        print(f"docker compose -f docker-compose.yml -f {output} {flags} up -d")


def _show(roles: Sequence[RoleHealth]) -> None:
    """The table, and below it what was found and what to do."""
    from rich.markup import escape
    from rich.table import Table

    from phidex.show import console

    out = console()
    colours = {"ok": "green", "broken": "red", "missing": "yellow", "off": "dim"}
    table = Table("role", "state", "served as", "endpoint", "window", "reads well", box=None, header_style="bold")
    for one in roles:
        window = f"{one.window_tokens:,}" if one.window_tokens else ""
        cells = (escape(one.served), escape(one.url), window, f"{one.effective_tokens:,}")
        table.add_row(one.role, f"[{colours[one.state]}]{one.state}[/]", *cells)
    out.print(table)
    for one in roles:
        out.print(f"[bold]{one.role}[/] {escape(one.model)}: {escape(one.detail)}")
        if one.cure:
            out.print(f"    [dim]{escape(one.cure)}[/]")


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as exc:
        raise InputError(f"{path} exists", hint="give --force to overwrite it") from exc
    except OSError as exc:
        raise InputError(f"{path} cannot be written: {exc.strerror}") from exc
