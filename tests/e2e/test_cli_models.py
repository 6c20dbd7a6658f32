"""`phidex models`: roles against nothing, a real server and a wrong one; commands and overrides as a person asks for them."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import pytest
from tests.builders import CommandLine, phidex_cli
from tests.vllm import server

from phidex.generation.models.table import ROLES

__all__ = ["phidex_cli"]  # a fixture

CLOSED = "http://127.0.0.1:9/v1"


def flag(line: str, name: str) -> str:
    words = shlex.split(line.replace("\\\n", " "), comments=True)
    return words[words.index(name) + 1]


def test_against_nothing(phidex_cli: CommandLine) -> None:
    shown = phidex_cli("models").stdout
    assert [line.split()[:2] for line in shown.splitlines()[1:7]] == [
        ["mini", "missing"],
        ["moe", "missing"],
        ["vision", "missing"],
        ["embed", "off"],
        ["rerank", "off"],
        ["speech", "off"],
    ]
    assert "phidex models command mini --gpu-memory GIB" in shown
    assert "PHIDEX_CHAT__URL to http://localhost:8000/v1" in shown
    assert "PHIDEX_CHAT__MOE_URL to http://localhost:8004/v1" in shown
    assert "PHIDEX_CHAT__VISION_URL to http://localhost:8005/v1" in shown
    assert [row["role"] for row in phidex_cli.json("models")] == list(ROLES)
    assert not phidex_cli.data.exists()


def test_an_endpoint_that_is_down_exits_with_3_and_shows_the_others(phidex_cli: CommandLine) -> None:
    started = time.monotonic()
    shown = phidex_cli("models", env={"PHIDEX_CHAT__URL": CLOSED}, code=3).stdout
    assert time.monotonic() - started < 10
    assert "cannot be reached" in shown
    assert "or mend PHIDEX_CHAT__URL" in shown
    rows = phidex_cli.json("models", env={"PHIDEX_CHAT__URL": CLOSED}, code=3)
    assert [row["state"] for row in rows] == ["broken", "missing", "missing", "off", "off", "off"]


@pytest.mark.vllm
def test_against_a_real_server(phidex_cli: CommandLine, vllm: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("any key does\n")
    environment = {
        "PHIDEX_CHAT__URL": vllm,
        "PHIDEX_CHAT__API_KEY_FILE": str(key),
        "PHIDEX_CHAT__MOE": "phi-3.5-moe",
        "PHIDEX_EMBED__MODEL": "endpoint",
        "PHIDEX_EMBED__URL": vllm,
    }
    rows = {row["role"]: row for row in phidex_cli.json("models", env=environment, code=3)}
    for role in ("mini", "moe"):
        assert (rows[role]["state"], rows[role]["window_tokens"]) == ("ok", server.WINDOW_TOKENS)
        assert rows[role]["detail"] == "answers, and counts tokens"
    assert (rows["mini"]["effective_tokens"], rows["moe"]["effective_tokens"]) == (32_768, 32_768)
    assert (rows["embed"]["state"], rows["embed"]["cure"]) == (
        "broken",
        "set PHIDEX_EMBED__SERVED to one of: phi-3.5-mini, phi-3.5-moe",
    )
    shown = phidex_cli("models", env={"PHIDEX_CHAT__URL": vllm}).stdout
    assert "32,768" in shown
    assert "set PHIDEX_CHAT__MOE=phi-3.5-moe" in shown


def test_the_command_for_a_gpu(phidex_cli: CommandLine) -> None:
    shown = phidex_cli("models", "command", "mini", "--gpu-memory", "24").stdout
    assert shown.startswith("vllm serve microsoft/Phi-3.5-mini-instruct")
    assert flag(shown, "--max-model-len") == "32768"
    assert "its whole window of 131,072 tokens needs 31 GiB at least" in shown
    assert "a larger GPU" in shown
    whole = phidex_cli.json("models", "command", "mini", "--gpu-memory", "80", "--port", "8001")
    assert (whole["fit"]["context_tokens"], flag(whole["command"], "--port")) == (131_072, "8001")
    assert ["vllm", *whole["arguments"]] == shlex.split(whole["command"].replace("\\\n", " "))


def test_a_context_that_does_not_fit_says_what_would(phidex_cli: CommandLine) -> None:
    refused = phidex_cli("models", "command", "mini", "--gpu-memory", "24", "--context", "100000", code=2).stderr
    assert "cache for 32,768 tokens" in refused
    assert "a context of 100,000 tokens needs" in refused
    assert flag(
        phidex_cli("models", "command", "mini", "--gpu-memory", "24", "--context", "9000").stdout, "--max-model-len"
    ) == ("9000")


def test_the_commands_of_the_other_roles(phidex_cli: CommandLine) -> None:
    vision = phidex_cli("models", "command", "vision", "--gpu-memory", "80", "--num-crops", "16", "--revision", "abc").stdout
    assert flag(vision, "--mm-processor-kwargs") == '{"num_crops": 16}'
    assert flag(vision, "--revision") == "abc"
    assert "costs 2,353 tokens" in vision
    assert flag(vision, "--code-revision") == "abc"
    assert "of commit abc and no other" in vision
    known = phidex_cli("models", "command", "vision", "--gpu-memory", "80").stdout
    assert flag(known, "--revision") == flag(known, "--code-revision") == "4a0d683eba9f1d0cbfb6151705d1ee73c25a80ca"
    assert flag(known, "--port") == "8005"
    moe = phidex_cli("models", "command", "moe", "--gpu-memory", "80", "--gpus", "2", "--hopper").stdout
    assert flag(moe, "--tensor-parallel-size") == "2"
    assert flag(phidex_cli("models", "command", "embed", "--gpu-memory", "80").stdout, "--runner") == "pooling"
    assert "vllm[audio]" in phidex_cli("models", "command", "speech", "--gpu-memory", "80").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("command", "moe", "--gpu-memory", "24"), "does not fit into 1 x 24 GiB"),
        (("command", "mini", "--gpu-memory", "80", "--gpus", "3"), "3 GPUs cannot share a model"),
        (("command", "mini", "--gpu-memory", "80", "--context", "200000"), "reads 131,072 tokens at most"),
        (("command", "embed", "--gpu-memory", "80", "--gpus", "2"), "one GPU serves it"),
        (("command", "mini"), "--gpu-memory"),
        (("command", "judge", "--gpu-memory", "80"), "judge"),
        (("compose", "--gpu-memory", "48"), "leave out moe (--role mini --role vision)"),
        (("compose", "--gpu-memory", "80", "--role", "speech"), "no GPU is shared out for 'speech'"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...], said: str, phidex_cli: CommandLine) -> None:
    ran = phidex_cli("models", *arguments, code=2)
    assert said in ran.stderr


def test_an_override_is_written_once(phidex_cli: CommandLine, tmp_path: Path) -> None:
    printed = phidex_cli("models", "compose", "--gpu-memory", "80", "--hopper").stdout
    file = tmp_path / "gpu.yml"
    told = phidex_cli("models", "compose", "--gpu-memory", "80", "--hopper", "--output", file).stdout
    assert file.read_text() == printed
    assert told.splitlines()[-1] == f"docker compose -f docker-compose.yml -f {file} --profile gpu up -d"
    assert "TRITON_ATTN" not in printed
    again = phidex_cli("models", "compose", "--gpu-memory", "48", "--role", "mini", "--output", file, code=2).stderr
    assert f"{file} exists" in again
    assert "--force" in again
    assert file.read_text() == printed
    found = phidex_cli.json("models", "compose", "--gpu-memory", "48", "--role", "mini", "--output", file, "--force")
    assert file.read_text() == found["override"] != printed
    assert [one["role"] for one in found["placements"]] == ["mini"]
    lost = phidex_cli("models", "compose", "--gpu-memory", "80", "--output", tmp_path / "none" / "x.yml", code=2).stderr
    assert "cannot be written: No such file" in lost


def test_an_override_for_two_gpus(phidex_cli: CommandLine) -> None:
    found = phidex_cli.json("models", "compose", "--gpu-memory", "80", "--gpus", "2")
    assert {one["role"]: one["gpus"] for one in found["placements"]} == {"mini": [0], "moe": [1], "vision": [0]}
    assert "moe-multi:" in found["override"]
    assert "--profile gpu-multi" in found["override"]
