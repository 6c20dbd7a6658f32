"""Serve commands: a real vLLM's argument parser takes every one of them, and they say what the memory sum said."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from phidex.generation.models.command import serve_arguments, serve_command
from phidex.generation.models.memory import Fit, fit_model
from phidex.generation.models.table import MODELS, ModelRole

PARSE = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for line in sys.stdin:
    arguments = json.loads(line)
    parsed = parser.parse_args(arguments)
    print(json.dumps([parsed.model_tag, parsed.max_model_len, parsed.served_model_name]))
"""
GPUS = (48.0, 80.0, 141.0)


def fit_of(role: ModelRole, gib: float) -> Fit | None:
    if role not in ("mini", "moe", "vision"):
        return None
    return fit_model(MODELS[role], gib, gpus=2 if role == "moe" else 1)


@pytest.mark.vllm
def test_a_real_vllm_parses_every_command() -> None:
    from tests.vllm.server import PROGRAM

    wanted: list[tuple[ModelRole, Fit | None, bool]] = [
        (role, fit_of(role, gib), hopper) for role in MODELS for gib in GPUS for hopper in (False, True)
    ]
    lines = [
        json.dumps(serve_arguments(MODELS[role], fit, hopper=hopper, revision="0" * 40, port=8001)[1:])
        for role, fit, hopper in wanted
    ]
    python = Path(PROGRAM).with_name("python")
    ran = subprocess.run(
        [python, "-c", PARSE], input="\n".join(lines), capture_output=True, text=True, timeout=180, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    parsed = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    assert len(parsed) == len(wanted)
    for (role, fit, _), (tag, length, served) in zip(wanted, parsed, strict=True):
        assert tag == MODELS[role].hub
        assert served[0] == MODELS[role].served
        assert fit is None or length == fit.context_tokens


def test_an_fp8_cache_names_a_backend_only_where_the_head_needs_one() -> None:
    def backend(role: ModelRole, *, hopper: bool) -> bool:
        fit = fit_model(MODELS[role], 48)
        assert fit.cache == "fp8"
        return "--attention-backend" in serve_arguments(MODELS[role], fit, hopper=hopper)

    assert backend("mini", hopper=False)
    assert not backend("mini", hopper=True)
    assert not backend("moe", hopper=False)


def test_only_the_model_with_code_of_its_own_is_trusted() -> None:
    assert [role for role in MODELS if "--trust-remote-code" in serve_arguments(MODELS[role])] == ["vision"]


def test_the_line_for_a_shell_is_the_same_arguments() -> None:
    arguments = serve_arguments(MODELS["vision"], fit_model(MODELS["vision"], 80), num_crops=16)
    assert shlex.split(serve_command(arguments).replace("\\\n", " ")) == ["vllm", *arguments]
