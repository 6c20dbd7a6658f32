"""Search, ask and summarize over HTTP; what a client left is ended at the model's server too."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from tests.generation.faulty import Peer, answer, reply
from tests.server.conftest import Modelled, Place

ASK = "/v1/collections/default/ask"


def events_of(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            found.append((name, json.loads(line[6:])))
    return found


def test_search_gives_what_the_sdk_gives(place: Place) -> None:
    with place.client() as client:
        found = client.post("/v1/collections/mine/search", json={"query": place.mine.pages[0].marker, "limit": 2}).json()
        assert found["hits"][0]["locator"]["page_number"] == 1
        assert len(found["hits"]) <= 2
        limited = {"query": place.mine.word, "filters": {"pages": "2-2", "kinds": ["pdf"]}}
        hits = client.post("/v1/collections/mine/search", json=limited).json()["hits"]
        assert {hit["locator"]["page_number"] for hit in hits} == {2}
        odd = client.post("/v1/collections/mine/search", json={"query": "x", "filters": {"pages": "nine"}})
        assert (odd.status_code, odd.json()["error"]["hint"]) == (400, "write 12 or 10-20")
        wrong = client.post("/v1/collections/mine/search", json={"query": "", "more": 1}).json()["error"]
        assert (wrong["code"], wrong["param"]) == ("invalid_request", "query")
        assert client.post("/v1/collections/mine/search", content=b"{").status_code == 422


def test_answer_whole_and_streamed(modelled: Modelled) -> None:
    marker = modelled.document.pages[0].marker
    modelled.play(answer("It stood ", f"behind {marker} [1]."))
    with modelled.client() as client:
        whole = client.post(ASK, json={"question": f"Where was the {marker}?"}).json()
        assert whole["text"] == f"It stood behind {marker} [1]."
        assert whole["usage"]["prompt_tokens"] >= 7
        with client.stream("POST", ASK, json={"question": f"Where was the {marker}?", "stream": True}) as response:
            events = events_of(response)
    names = [name for name, _ in events]
    assert names[:2] == ["route", "evidence"]
    assert names[-1] == "done"
    text = "".join(told["text"] for name, told in events if name == "token")
    assert text == events[-1][1]["text"] == whole["text"]


def test_figures_of_model_calls_stand_beside_those_of_requests(modelled: Modelled) -> None:
    modelled.play(answer("It stood there [1]."))
    with modelled.client() as client:
        client.post(ASK, json={"question": f"Where was the {modelled.document.word}?"})
        names = {line.split("{")[0].split(" ")[0] for line in client.get("/metrics").text.splitlines() if line[:1] != "#"}
    assert "phidex_http_requests_total" in names
    assert any("token" in name for name in names)


def test_conversation_goes_on(modelled: Modelled) -> None:
    marker = modelled.document.pages[0].marker
    with modelled.client() as client:
        modelled.play(answer("Behind it [1]."))
        first = client.post(ASK, json={"question": f"Where was the {marker}?", "conversation": {}}).json()
        modelled.play(answer("In spring [1]."))
        second = client.post(ASK, json={"question": "And when?", "conversation": first["conversation"]}).json()
        assert [turn["question"] for turn in second["conversation"]["turns"]] == [f"Where was the {marker}?", "And when?"]
        damaged = client.post(ASK, json={"question": "And when?", "conversation": {"version": 99}})
        assert (damaged.status_code, damaged.json()["error"]["code"]) == (400, "bad_input")


def test_summary(place: Place) -> None:
    with place.client() as client:
        found = client.post("/v1/collections/mine/summarize", json={"source": "mine.pdf", "length": "short"}).json()
        assert found["citations"]
        assert found["route"]["role"] == "extractive"
        assert client.post("/v1/collections/mine/summarize", json={"source": "nothing.pdf"}).status_code == 404
        schema = {"type": "object", "properties": {"who": {"type": "string"}}}
        refused = client.post("/v1/collections/mine/extract", json={"schema": schema})
        assert (refused.status_code, refused.json()["error"]["code"]) == (501, "not_configured")


def test_model_stops_within_a_second_when_the_client_leaves_a_stream(modelled: Modelled) -> None:
    peers: list[Peer] = []

    def endless(peer: Peer) -> None:
        peers.append(peer)
        peer.start_stream()
        peer.text("The beginning ")
        peer.freeze()

    modelled.play(endless)
    with modelled.client() as client, client.stream("POST", ASK, json={"question": "Where?", "stream": True}) as response:
        for line in response.iter_lines():
            if "The beginning" in line:
                break
    left = time.monotonic()
    assert peers[0].client_left.wait(5)
    assert time.monotonic() - left < 1


def test_model_stops_when_nobody_waits_for_the_whole_answer(modelled: Modelled) -> None:
    peers: list[Peer] = []

    def silent(peer: Peer) -> None:
        peers.append(peer)
        peer.start_stream()
        peer.freeze()

    modelled.play(silent)
    with modelled.client() as client, pytest.raises(httpx.ReadTimeout):
        client.post(ASK, json={"question": "Where?"}, timeout=1.5)
    left = time.monotonic()
    assert peers[0].client_left.wait(5)
    assert time.monotonic() - left < 1


def test_model_that_breaks_off_is_told_in_the_stream_and_by_status(modelled: Modelled) -> None:
    def breaks(peer: Peer) -> None:
        peer.start_stream()
        peer.text("so far ")

    modelled.play(breaks)
    with modelled.client() as client:
        whole = client.post(ASK, json={"question": "Where?"})
        assert (whole.status_code, whole.json()["error"]["code"]) == (502, "incomplete_answer")
        with client.stream("POST", ASK, json={"question": "Where?", "stream": True}) as response:
            name, told = events_of(response)[-1]
        assert name == "error"
        assert told["error"]["code"] == "incomplete_answer"
        assert told["error"]["request_id"] == response.headers["x-request-id"]
        modelled.play(reply(500, "broken"))
        assert client.post(ASK, json={"question": "Where?", "role": "mini"}).status_code in (502, 503)
        assert client.post(ASK, json={"question": "Where?", "role": "moe"}).status_code == 501


def test_searches_go_on_beside_answers_that_take_long(modelled: Modelled) -> None:
    def silent(peer: Peer) -> None:
        peer.start_stream()
        peer.freeze()

    modelled.play(silent)
    with modelled.client() as client:
        streams = [client.stream("POST", ASK, json={"question": "Where?", "stream": True}) for _ in range(6)]
        opened = [stream.__enter__() for stream in streams]
        try:
            assert all(response.status_code == 200 for response in opened)
            found = client.post("/v1/collections/default/search", json={"query": modelled.document.word})
            assert found.json()["hits"]
        finally:
            for stream in streams:
                stream.__exit__(None, None, None)
