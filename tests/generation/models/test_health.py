"""How the roles stand: each state from a server that behaves so, at once, with the cure that helps, and never a hang."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.generation.faulty import Peer, Script, answer, faulty_server, reply

from phidex.generation.models.health import RoleHealth, examine_roles
from phidex.generation.models.table import ROLES
from phidex.settings import ChatSettings, EmbedSettings, RerankSettings, Settings, SpeechSettings

CLOSED = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PHIDEX_")]:
        monkeypatch.delenv(name)


def serving(*models: dict[str, Any], counts: bool = True, key: str = "") -> Script:
    """A server with a list of models, and a /tokenize where it counts."""

    def script(peer: Peer) -> None:
        if key and peer.request.headers.get("authorization") != f"Bearer {key}":
            reply(401, {"error": "Unauthorized"})(peer)
        elif "/models" in peer.request.line:
            reply(200, {"data": list(models)})(peer)
        elif "/tokenize" in peer.request.line and counts:
            reply(200, {"count": 1, "tokens": [5]})(peer)
        else:
            reply(404, {"detail": "Not Found"})(peer)

    return script


def roles(*, deadline_s: float = 8.0, **sections: Any) -> dict[str, RoleHealth]:
    found = examine_roles(Settings(data=Path("nowhere"), **sections), deadline_s=deadline_s)
    assert tuple(one.role for one in found) == ROLES
    assert all(json.dumps(one.to_dict()) for one in found)
    return {one.role: one for one in found}


def test_nothing_is_set_up() -> None:
    found = roles()
    states = {role: one.state for role, one in found.items()}
    assert states == {
        "mini": "missing",
        "moe": "missing",
        "vision": "missing",
        "embed": "off",
        "rerank": "off",
        "speech": "off",
    }
    assert "phidex models command moe" in found["moe"].cure
    assert "PHIDEX_CHAT__MOE_URL" in found["moe"].cure


def test_speech_is_examined_where_it_has_an_endpoint() -> None:
    with faulty_server(serving({"id": "whisper", "max_model_len": 448})) as server:
        assert roles(speech=SpeechSettings(url=server.url))["speech"].state == "ok"
        other = roles(speech=SpeechSettings(url=server.url, model="small"))["speech"]
    assert (other.state, other.cure) == ("broken", "set PHIDEX_SPEECH__MODEL to one of: whisper")
    assert roles(speech=SpeechSettings(url=CLOSED))["speech"].state == "broken"


def test_each_role_at_its_own_endpoint_with_its_own_key() -> None:
    mini = serving({"id": "phi-3.5-mini", "max_model_len": 16_384}, key="one")
    moe = serving({"id": "experts", "max_model_len": 131_072}, key="two")
    with faulty_server(mini) as first, faulty_server(moe) as second:
        chat = ChatSettings(
            url=first.url, api_key=SecretStr("one"), moe="experts", moe_url=second.url, moe_api_key=SecretStr("two")
        )
        found = roles(chat=chat)
    assert [(found[role].state, found[role].window_tokens) for role in ("mini", "moe")] == [("ok", 16_384), ("ok", 131_072)]
    assert (found["mini"].effective_tokens, found["moe"].effective_tokens) == (16_384, 65_536)
    assert found["mini"].detail == "answers, and counts tokens"
    assert (found["mini"].cure, found["vision"].state) == ("", "missing")


def test_an_endpoint_that_is_down_is_a_row_with_a_cure() -> None:
    with faulty_server(serving({"id": "phi-3.5-mini", "max_model_len": 4096})) as server:
        found = roles(chat=ChatSettings(url=server.url, moe="phi-3.5-moe", moe_url=CLOSED))
    assert (found["mini"].state, found["moe"].state) == ("ok", "broken")
    assert "cannot be reached" in found["moe"].detail
    assert "phidex models command moe" in found["moe"].cure
    assert "PHIDEX_CHAT__MOE_URL" in found["moe"].cure


def test_another_name_is_named_with_those_that_there_are() -> None:
    with faulty_server(serving({"id": "phi3.5:latest"})) as server:
        mini = roles(chat=ChatSettings(url=server.url))["mini"]
    assert (mini.state, mini.detail) == ("broken", "serves phi3.5:latest, and not phi-3.5-mini")
    assert mini.cure == "set PHIDEX_CHAT__MINI to one of: phi3.5:latest"


def test_a_model_that_is_served_and_not_used_is_found() -> None:
    with faulty_server(serving({"id": "phi-3.5-mini"}, {"id": "microsoft/Phi-3.5-MoE-instruct"})) as server:
        moe = roles(chat=ChatSettings(url=server.url))["moe"]
    assert (moe.state, moe.cure) == ("missing", "set PHIDEX_CHAT__MOE=microsoft/Phi-3.5-MoE-instruct")


def test_a_window_that_the_server_does_not_tell_has_to_be_set() -> None:
    with faulty_server(serving({"id": "phi-3.5-mini"}, counts=False)) as server:
        unknown = roles(chat=ChatSettings(url=server.url))["mini"]
        known = roles(chat=ChatSettings(url=server.url, window_tokens=8192))["mini"]
    assert (unknown.state, unknown.window_tokens) == ("ok", None)
    assert "PHIDEX_CHAT__WINDOW_TOKENS" in unknown.cure
    assert "a safe estimate" in unknown.detail
    assert (known.window_tokens, known.effective_tokens, known.cure) == (8192, 8192, "")


@pytest.mark.parametrize("role", ["mini", "moe"])
def test_a_wrong_key_is_mended_in_the_setting_of_that_endpoint(role: str) -> None:
    with faulty_server(serving({"id": "m"}, key="right")) as server:
        chat = ChatSettings(url=server.url if role == "mini" else "", mini="m", moe="m", moe_url=server.url)
        found = roles(chat=chat)[role]
    variable = {"mini": "PHIDEX_CHAT__API_KEY", "moe": "PHIDEX_CHAT__MOE_API_KEY"}[role]
    assert (found.state, found.cure) == ("broken", f"set {variable} to the key of the endpoint")
    assert "refused the key" in found.detail


def test_an_endpoint_without_a_list_is_asked_a_word() -> None:
    def unlisted(peer: Peer) -> None:
        known = b'"model":"deployed"' in peer.request.body.replace(b" ", b"")
        if "/chat/completions" in peer.request.line and known:
            answer("yes")(peer)
        else:
            reply(404, {"error": {"message": "there is no such deployment"}})(peer)

    with faulty_server(unlisted) as server:
        found = roles(chat=ChatSettings(url=server.url, mini="deployed", moe="other"))
    assert (found["mini"].state, found["moe"].state) == ("ok", "broken")


def test_servers_that_say_nothing_or_dribble_cost_seconds_and_all_are_asked_at_once() -> None:
    def dribble(peer: Peer) -> None:
        peer.start_stream("application/json")
        for _ in range(300):
            peer.chunk(" ")
            time.sleep(0.1)

    with faulty_server(Peer.freeze) as silent, faulty_server(dribble) as slow:
        chat = ChatSettings(url=silent.url, moe="m", moe_url=slow.url, vision="v", vision_url=silent.url)
        started = time.monotonic()
        found = roles(chat=chat, deadline_s=1.5)
        took_s = time.monotonic() - started
    assert [found[role].state for role in ("mini", "moe", "vision")] == ["broken"] * 3
    assert "no answer within 1.5 s" in found["moe"].detail
    assert took_s < 3


def test_served_embeddings_and_rerankers() -> None:
    listed = serving({"id": "e5", "max_model_len": 512})
    with faulty_server(listed) as server, faulty_server(serving({"id": "a"}, {"id": "b"})) as two:
        embed = EmbedSettings(model="endpoint", url=server.url)
        found = roles(embed=embed, rerank=RerankSettings(model="endpoint", url=two.url))
        assert (found["embed"].state, found["embed"].served, found["embed"].window_tokens) == ("ok", "e5", 512)
        assert (found["rerank"].state, found["rerank"].cure) == ("broken", "set PHIDEX_RERANK__SERVED to one of: a, b")
        closed = roles(embed=EmbedSettings(model="endpoint", url=CLOSED), rerank=RerankSettings(model="endpoint"))
    assert (closed["embed"].state, closed["rerank"].state) == ("broken", "missing")
    assert "PHIDEX_EMBED__URL" in closed["embed"].cure
    assert "PHIDEX_RERANK__URL" in closed["rerank"].cure


def test_no_row_shows_a_password() -> None:
    found = roles(chat=ChatSettings(url="http://me:hidden@127.0.0.1:9/v1?key=hidden", api_key=SecretStr("hidden")))
    assert "hidden" not in json.dumps([one.to_dict() for one in found.values()])
