"""docs/server.md: its examples run as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.builders import CommandLine, phidex_cli
from tests.server.conftest import Place

__all__ = ["phidex_cli"]  # a fixture

PAGE = Path(__file__).resolve().parents[2] / "docs" / "server.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_curl_and_openai_examples(place: Place, tmp_path: Path) -> None:
    (tmp_path / "boiler.md").write_text("# Boiler\n\nThe boiler was replaced in March 2021 by Ohm Ltd.\n", "utf-8")
    values = {"URL": place.served.url, "KEY": place.tokens["all"]}

    def shell(code: str) -> str:
        environment = {**os.environ, **values}
        done = subprocess.run(
            ["bash", "-euc", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    _, send, follow, ask, look, _ = blocks("sh")
    values["JOB"] = json.loads(shell(send))["id"]
    events = [json.loads(line[6:]) for line in shell(follow).splitlines() if line.startswith("data: ")]
    assert (events[-1]["state"], events[-1]["counts"]) == ("done", {"added": 1})
    hits, answer = (json.loads(part) for part in re.split(r"(?<=\})(?=\{\"question)", shell(ask)))
    assert "March 2021" in answer["text"]
    values["SOURCE"] = hits["hits"][0]["source"]["id"]
    assert "Ohm Ltd" in shell(look)

    (python,) = blocks("python")
    printed: list[str] = []

    def tell(*some: object) -> None:
        printed.append(str(some))

    scope: dict[str, Any] = {"url": place.served.url, "key": place.tokens["all"], "print": tell}
    exec(python, scope)
    scope["client"].close()
    assert "March 2021" in printed[0]
    assert "Sources:" in printed[0]
    assert "boiler.md" in printed[1]


def test_key_commands(phidex_cli: CommandLine) -> None:
    for line in blocks("sh")[-1].strip().splitlines():
        program, *words = line.split()
        assert program == "phidex"
        phidex_cli(*words)


def test_every_route_is_on_the_page(place: Place) -> None:
    text = PAGE.read_text("utf-8")
    with place.client("all") as client:
        paths = client.get("/openapi.json").json()["paths"]
    missing = [path for path in paths if path.rsplit("/", 1)[-1].strip("{}") not in text and not path.endswith("}")]
    assert missing == []


@pytest.mark.parametrize("word", ["PHIDEX_SERVER__SHUTDOWN_S", "PHIDEX_SERVER__CORS_ORIGINS", "PHIDEX_SERVER__ALLOWED_HOSTS"])
def test_named_settings_exist(word: str) -> None:
    from phidex.settings import ServerSettings

    assert word in PAGE.read_text("utf-8")
    assert word.removeprefix("PHIDEX_SERVER__").lower() in ServerSettings.model_fields
