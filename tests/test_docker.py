"""docker-compose.yml, its overrides and the Dockerfile: by the specification, by a linter, by vLLM's parser, by Settings."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from phidex.generation.models.compose import SERVED_ROLES, compose_override, service_arguments, service_name
from phidex.generation.models.share import Placement, place_models
from phidex.generation.models.table import MODELS, ModelRole
from phidex.settings import Settings, load_settings
from tests.generation.models.test_command import PARSE

ROOT = Path(__file__).resolve().parents[1]
CHAT: tuple[ModelRole, ...] = ("mini", "moe", "vision")
MACHINES = {"gpu": (141.0, 1), "gpu-multi": (80.0, 2)}  # that the file says it is for
URLS = (
    *("PHIDEX_CHAT__URL", "PHIDEX_CHAT__MOE_URL", "PHIDEX_CHAT__VISION_URL"),
    *("PHIDEX_EMBED__URL", "PHIDEX_RERANK__URL", "PHIDEX_SPEECH__URL"),
)
OVERRIDES: list[tuple[float, int, tuple[ModelRole, ...]]] = [
    (24, 1, ("mini",)),
    (48, 1, ("mini", "vision", "embed")),
    (80, 1, CHAT),
    (80, 1, SERVED_ROLES),
    (141, 1, ("moe",)),
    (48, 2, CHAT),
    (80, 4, SERVED_ROLES),
]


class Loader(yaml.SafeLoader):
    """Reads `!override` as Compose does: a value that replaces what it would be merged with."""


class Override(list[Any]):
    """A list that was marked so."""


def _construct(loader: yaml.SafeLoader, node: yaml.Node) -> Override:
    assert isinstance(node, yaml.SequenceNode)
    return Override(loader.construct_sequence(node, deep=True))


Loader.add_constructor("!override", _construct)


def read(text: str) -> dict[str, Any]:
    return yaml.load(text, Loader)  # a SafeLoader with one tag more


@cache
def base_text() -> str:
    return (ROOT / "docker-compose.yml").read_text("utf-8")


def base() -> dict[str, Any]:
    return read(base_text())


def merged(one: Any, other: Any, key: str = "") -> Any:
    """What Compose makes of two files: mappings by key, lists joined, commands and what is marked replaced."""
    match one, other:
        case {}, {}:
            return {name: both(one, other, name) for name in {**one, **other}}
        case [*first], [*second] if not isinstance(other, Override) and key != "command":
            return [*first, *second]
        case _:
            return other


def both(one: dict[str, Any], other: dict[str, Any], name: str) -> Any:
    return merged(one[name], other[name], name) if name in one and name in other else {**one, **other}[name]


def override_of(gib: float, gpus: int, roles: tuple[ModelRole, ...]) -> tuple[str, list[Placement]]:
    placements = place_models(roles, gib, gpus=gpus)
    return compose_override(placements, gpus=gpus), placements


def active(services: dict[str, Any], *profiles: str) -> dict[str, Any]:
    return {
        name: service
        for name, service in services.items()
        if not service.get("profiles") or set(profiles) & set(service["profiles"])
    }


def vllm_services(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if "vllm" in service["image"]}


def missing(what: str) -> NoReturn:
    """Skips, and fails instead where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed: pip install -e '.[dev]'")
    pytest.skip(f"{what} is not installed: pip install -e '.[dev]'")


def tool(name: str) -> str:
    """A program of the development extra."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        missing(name)
    return found


def faults(document: dict[str, Any], folder: Path) -> str:
    """What the compose specification finds wrong, "" for nothing."""
    file = folder / "compose.json"
    file.write_text(json.dumps(document))
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode in (0, 1), ran.stderr
    return ran.stdout if ran.returncode else ""


def test_the_file_is_valid_by_the_specification(tmp_path: Path) -> None:
    assert faults(base(), tmp_path) == ""
    wrong = base()
    wrong["services"]["qdrant"]["helthcheck"] = {}
    assert "helthcheck" in faults(wrong, tmp_path)


@pytest.mark.parametrize(("gib", "gpus", "roles"), OVERRIDES)
def test_overrides_are_valid_and_merge_with_the_file(
    gib: float, gpus: int, roles: tuple[ModelRole, ...], tmp_path: Path
) -> None:
    text, placements = override_of(gib, gpus, roles)
    override = read(text)
    assert faults(override, tmp_path) == ""
    assert set(override["services"]) <= set(base()["services"])
    whole = merged(base(), override)
    assert faults(whole, tmp_path) == ""
    started = re.findall(r"--profile (\S+)", text.partition("services:")[0])  # as the file's own head says
    running = vllm_services(active(whole["services"], *started))
    assert set(running) == {service_name(role, multi=gpus > 1) for role in roles}
    for placement in placements:
        service = running[service_name(placement.role, multi=gpus > 1)]
        assert service["command"] == service_arguments(placement)
        assert service["environment"]["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, placement.gpus))
        assert service["environment"]["HOME"] == "/home/vllm"
    told = whole["services"]["ui-gpu"]["environment"]
    asked = {role: told.get(f"PHIDEX_CHAT__{role.upper()}_URL", told["PHIDEX_CHAT__URL"]) for role in CHAT}
    for role in CHAT:
        assert bool(told[f"PHIDEX_CHAT__{role.upper()}"]) == (role in roles)
        assert role not in roles or asked[role] == f"http://{role}:8000/v1"
    assert told["PHIDEX_EMBED__MODEL"] == ("endpoint" if "embed" in roles else "${PHIDEX_EMBED__MODEL:-auto}")


@pytest.mark.parametrize("profile", sorted(MACHINES))
def test_the_files_own_flags_are_those_for_the_machine_that_it_names(profile: str) -> None:
    gib, gpus = MACHINES[profile]
    assert f"{gib:g} GB" in base_text()
    services = base()["services"]
    for placement in place_models(CHAT if gpus == 1 else SERVED_ROLES, gib, gpus=gpus):
        service = services[service_name(placement.role, multi=gpus > 1)]
        assert service["command"] == service_arguments(placement)
        assert service["environment"]["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, placement.gpus))


@pytest.mark.parametrize("profile", sorted(MACHINES))
@pytest.mark.parametrize("optional", [("embed", "rerank"), ("embed", "speech")])
def test_shares_on_each_gpu_fit_with_the_optional_services(profile: str, optional: tuple[str, ...]) -> None:
    shares: dict[str, float] = {}
    for service in vllm_services(active(base()["services"], profile, *optional)).values():
        gpu = service["environment"]["CUDA_VISIBLE_DEVICES"]
        command = service["command"]
        shares[gpu] = shares.get(gpu, 0) + float(command[command.index("--gpu-memory-utilization") + 1])
    assert len(shares) == MACHINES[profile][1]
    assert max(shares.values()) < 0.92 + 1e-9


@pytest.mark.vllm
def test_a_real_vllm_takes_every_flag() -> None:
    from tests.vllm import server

    if not server.is_installed():
        missing("vLLM for the CPU")
    commands = [service["command"] for service in vllm_services(base()["services"]).values()]
    for gib, gpus, roles in OVERRIDES:
        services = read(override_of(gib, gpus, roles)[0])["services"].values()
        commands += [service["command"] for service in services if "command" in service]
    python = Path(server.PROGRAM).with_name("python")
    lines = "\n".join(json.dumps(command) for command in commands)
    ran = subprocess.run([python, "-c", PARSE], input=lines, capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    parsed = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    assert [tag for tag, _, _ in parsed] == [command[0] for command in commands]


def test_servers_of_one_gpu_start_one_after_another() -> None:
    for profile in MACHINES:
        services = vllm_services(active(base()["services"], profile, "embed", "rerank", "speech"))
        before: list[tuple[str, str]] = []
        for name, service in services.items():
            gpu = service["environment"]["CUDA_VISIBLE_DEVICES"]
            waits = service.get("depends_on", {})
            assert {other for other, its in before if its == gpu} <= set(waits)
            assert all(wait == {"condition": "service_healthy", "required": False} for wait in waits.values())
            before.append((name, gpu))


def test_the_app_finds_each_service_under_the_name_that_it_is_told() -> None:
    services = base()["services"]
    for role in CHAT:
        assert services[f"{role}-multi"]["networks"] == {"models": {"aliases": [role]}}
        assert services[role]["networks"] == ["models"]
        served = services[role]["command"][services[role]["command"].index("--served-model-name") + 1]
        assert services["ui-gpu"]["environment"][f"PHIDEX_CHAT__{role.upper()}"] == served == MODELS[role].served


def test_code_of_a_models_repository_is_pinned_to_a_commit() -> None:
    for service in vllm_services(base()["services"]).values():
        command = service["command"]
        if "--trust-remote-code" in command:
            for flag in ("--revision", "--code-revision"):
                assert re.fullmatch(r"[0-9a-f]{40}", command[command.index(flag) + 1])


def test_speech_is_served_by_an_image_that_reads_audio() -> None:
    speech = base()["services"]["speech"]
    written = speech["build"]["dockerfile_inline"]
    stock = base()["services"]["mini"]["image"]
    assert f"FROM {stock}\n" in written
    assert f"vllm[audio]=={stock.rpartition(':v')[2]}" in written
    assert speech["image"].endswith(stock.rpartition(":v")[2])
    assert speech["command"][1:4] == ["--served-model-name", MODELS["speech"].served, MODELS["speech"].hub]
    assert written.rstrip().endswith(f"USER {speech['user']}")


def test_without_a_gpu_every_endpoint_of_yours_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each URL that is set in `.env` reaches the settings, and this machine has a name in the container."""
    service = base()["services"]["ui"]
    assert service["extra_hosts"] == ["host.docker.internal:host-gateway"]
    given = {name: f"http://host.docker.internal:{8000 + port}/v1" for port, name in enumerate(URLS)}
    given |= {"PHIDEX_CHAT__MOE": "moe", "PHIDEX_CHAT__VISION": "vision"}
    for name in [name for name in os.environ if name.startswith("PHIDEX_")]:
        monkeypatch.delenv(name)
    for name, value in service["environment"].items():
        if not name.endswith("_FILE"):
            filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: given.get(match[1], match[2]), value)
            monkeypatch.setenv(name, filled)
    settings = load_settings()
    chat = settings.chat
    found = (chat.url, chat.moe_url, chat.vision_url, settings.embed.url, settings.rerank.url, settings.speech.url)
    assert found == tuple(given[name] for name in URLS)
    assert (chat.moe, chat.vision) == ("moe", "vision")


def test_every_variable_of_ours_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PHIDEX_")]:
        monkeypatch.delenv(name)
    key = tmp_path / "key"
    key.write_text("k")
    for name in ("ui", "ui-gpu"):
        with monkeypatch.context() as patch:
            environment = base()["services"][name]["environment"]
            assert environment
            for variable, value in environment.items():
                default = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
                patch.setenv(variable, str(key) if variable.endswith("_FILE") else default)
            settings = load_settings()
            assert (settings.store.url, settings.chat.api_key == settings.store.api_key) == ("http://qdrant:6333", True)
            assert bool(settings.chat.url) == (name == "ui-gpu")
    instructions = (ROOT / "Dockerfile").read_text("utf-8")
    named = set(re.findall(r"\bPHIDEX_\w+", instructions + base_text()))
    known = {f"PHIDEX_{name.upper()}" for name in Settings.model_fields}
    assert {name.split("__")[0] for name in named} <= known


def test_every_service_is_hardened_and_pinned() -> None:
    for name, service in base()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.search(r":v?\d+\.\d+\.\d+(-unprivileged)?$", service["image"]), name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert service.get("privileged") is None, name
        if "build" not in service:
            assert re.fullmatch(r"[1-9]\d*:\d+", service["user"]), name
    ports = {name: service["ports"] for name, service in base()["services"].items() if "ports" in service}
    app, api = ["127.0.0.1:8501:8501"], ["127.0.0.1:8100:8100"]
    assert ports == {"ui": app, "ui-gpu": app, "api": api, "api-gpu": api}


def test_the_server_has_the_apps_models_and_asks_for_keys() -> None:
    services = base()["services"]
    assert services["api"]["environment"] == services["ui"]["environment"]
    assert services["api-gpu"]["environment"] == services["ui-gpu"]["environment"]
    assert "--without-keys" not in services["api"]["command"]


def test_no_secret_stands_in_the_environment() -> None:
    secrets = {"qdrant_key", "model_key"}
    assert base()["secrets"] == {name: {"file": f"./secrets/{name}"} for name in secrets}
    for name, service in base()["services"].items():
        given = {key for key in service["environment"] if re.search("KEY|TOKEN|PASSWORD|SECRET", key)}
        assert all(key.endswith("_FILE") for key in given), name
        used = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
        assert used == set(service["secrets"]), name


def entrypoint(service: str, folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The service's entrypoint with a program in place of the image's that prints its key and arguments."""
    shown = folder / program
    shown.write_text('#!/bin/sh\necho "${VLLM_API_KEY}${QDRANT__SERVICE__API_KEY}"; for one in "$@"; do echo "$one"; done\n')
    shown.chmod(0o755)
    command = [
        part.replace("$$", "$").replace("/run/secrets", str(folder)) for part in base()["services"][service]["entrypoint"]
    ]
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run([*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("service", "secret", "program"), [("mini", "model_key", "vllm"), ("qdrant", "qdrant_key", "entrypoint.sh")]
)
def test_an_entrypoint_hands_over_key_and_arguments_and_refuses_to_start_without(
    service: str, secret: str, program: str, tmp_path: Path
) -> None:
    arguments = base()["services"][service].get("command", [])
    assert entrypoint(service, tmp_path, program, *arguments).returncode != 0
    (tmp_path / secret).write_text("")
    assert entrypoint(service, tmp_path, program, *arguments).returncode != 0
    (tmp_path / secret).write_text("sk-one two\n")
    ran = entrypoint(service, tmp_path, program, *arguments)
    serve = ["serve"] if program == "vllm" else []
    assert ran.stdout.splitlines() == ["sk-one two", *serve, *arguments]


@pytest.fixture
def port() -> Iterator[int]:
    """A server that is ready, and well, only at the paths that are asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in ("/readyz", "/health", "/healthz", "/_stcore/health") else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(("service", "own"), [("qdrant", "6333"), ("mini", "8000"), ("ui", "8501"), ("api", "8100")])
def test_a_healthcheck_tells_well_from_unwell(service: str, own: str, port: int) -> None:
    test = base()["services"][service]["healthcheck"]["test"]
    assert own in test[-1]
    parts = [part.replace("$$", "$").replace(own, str(port)) for part in test[1:]]
    parts[0] = sys.executable if parts[0].startswith("python") else parts[0]

    def code(command: list[str]) -> int:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode

    assert code(parts) == 0
    assert code([re.sub(r"/(readyz|healthz?)\b", "/unwell", part) for part in parts]) != 0
    assert code([part.replace(str(port), "9") for part in parts]) != 0


def test_the_dockerfile_passes_the_linter(tmp_path: Path) -> None:
    program = tool("hadolint")
    ran = subprocess.run([program, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM python\nRUN cd /tmp && sudo pip install phidex\n")
    assert subprocess.run([program, str(careless)], capture_output=True, check=False).returncode == 1


def test_the_image_is_small_unprivileged_and_built_from_what_the_wheel_needs() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    stages = [line for line in lines if line.startswith("FROM")]
    assert len(stages) == 2
    assert all(re.fullmatch(r"FROM python:\d+\.\d+\.\d+-slim-\w+( AS \w+)?", line) for line in stages)
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    taken = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = {name.split("/")[0] for name in project["tool"]["hatch"]["build"]["only-include"]}
    wheel |= {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    copied = {"constraints.txt", "setup/system.py"}
    assert taken == wheel | copied
    assert all((ROOT / name).exists() for name in taken)
