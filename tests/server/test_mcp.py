"""The official client of the Model Context Protocol, over HTTP with keys and over stdio."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from tests.builders import settings_for
from tests.retrieval.engines import end_engine
from tests.server.conftest import Place

from phidex.sdk import Phidex

TOOLS = ["ask", "list_collections", "list_sources", "read", "search"]

Work = Callable[[Client], Awaitable[Any]]


def over_http(place: Place, key: str, work: Work) -> Any:
    """What the work returns, done with the key."""

    async def main() -> Any:
        headers = {"Authorization": f"Bearer {place.tokens[key]}"}
        async with (
            create_mcp_http_client(headers) as http,
            Client(streamable_http_client(f"{place.served.url}/mcp", http_client=http)) as client,
        ):
            return await work(client)

    return asyncio.run(main())


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured result of a tool; the text of an error."""
    found = await client.call_tool(tool, arguments)
    if found.is_error:
        return str(getattr(found.content[0], "text", ""))
    return found.structured_content


def test_a_key_lists_searches_asks_and_reads_its_collection(place: Place) -> None:
    sentence = place.mine.pages[1].text.split(".")[0]

    async def work(client: Client) -> None:
        assert sorted(tool.name for tool in (await client.list_tools()).tools) == TOOLS
        assert await call(client, "list_collections") == {"collections": ["mine"]}
        sources = await call(client, "list_sources", collection="mine")
        (listed,) = [one for one in sources["sources"] if one["name"] == "mine.pdf"]
        assert listed["pages"] == 3
        found = await call(client, "search", query=sentence, collection="mine", limit=3)
        best = found["passages"][0]
        assert best["source"] == "mine.pdf"
        assert best["locator"]["type"] == "page"
        page = best["locator"]["page_number"]
        read = await call(client, "read", source=listed["source_id"], collection="mine", page=page)
        assert best["text"] in [one["text"] for one in read["passages"]]
        assert {one["locator"]["page_number"] for one in read["passages"]} == {page}
        whole = await call(client, "read", source="mine.pdf", collection="mine", limit=1)
        assert whole["notes"] == [f"{listed['passages'] - 1} more passages; go on with start=1"]
        answer = await call(client, "ask", question=f"{sentence}?", collection="mine")
        assert answer["answered_by"] == "extractive"
        assert answer["citations"][0]["status"] == "verified"

    over_http(place, "reader", work)


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool != "list_collections"])
def test_no_tool_reaches_what_the_key_is_not_for(place: Place, tool: str) -> None:
    needed = {"ask": {"question": "boiler"}, "search": {"query": "boiler"}, "read": {"source": "theirs.pdf"}}

    async def work(client: Client) -> Any:
        return await call(client, tool, collection="theirs", **needed.get(tool, {}))

    assert "the key is not for the collection 'theirs'" in over_http(place, "reader", work)
    assert "lacks the scope read" in over_http(
        place, "sender", lambda client: call(client, tool, collection="mine", **needed.get(tool, {}))
    )


def test_without_a_key_nothing_is_told(place: Place) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Accept": "application/json, text/event-stream"}
    assert httpx.post(f"{place.served.url}/mcp", json=body, headers=headers).status_code == 401


def test_errors_say_what_to_do(place: Place) -> None:
    async def work(client: Client) -> list[Any]:
        return [
            await call(client, "search", query="x", collection="mine", limit=0),
            await call(client, "search", query=" ", collection="mine"),
            await call(client, "read", source="gone.pdf", collection="mine"),
        ]

    limit, query, source = over_http(place, "reader", work)
    assert "greater than or equal to 1" in limit
    assert "empty" in query
    assert "no source 'gone.pdf'" in source


def test_stdio_serves_the_program_that_starts_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "notes.md").write_text("# Boiler\n\nThe boiler was replaced in March 2021 by Ohm Ltd.\n")
    with Phidex(settings=settings_for(data)) as phidex:
        phidex.ingest(tmp_path / "notes.md")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PHIDEX_")}
    environment = {**ours, "PHIDEX_EMBED__MODEL": "none", "PHIDEX_STORE__IDLE_S": "5", "PHIDEX_STORE__MIN_FREE_MB": "1"}
    command = StdioServerParameters(command=sys.executable, args=["-m", "phidex", "mcp", "--data", str(data)], env=environment)

    async def main() -> None:
        async with Client(command) as client:
            found = await call(client, "search", query="Who replaced the boiler?")
            assert "Ohm Ltd" in found["passages"][0]["text"]
            read = await call(client, "read", source="notes.md", line=3)
            assert [one["place"] for one in read["passages"]] == ["lines 1-3"]

    try:
        asyncio.run(main())
    finally:
        end_engine(data)


def test_the_audit_log_names_the_collection(place: Place) -> None:
    over_http(place, "reader", lambda client: call(client, "search", query="boiler", collection="mine"))
    lines = [json.loads(line) for line in (place.data / "server" / "audit.jsonl").read_text().splitlines()]
    assert any(line["route"] == "/mcp" and line["collection"] == "mine" for line in lines)
