"""`phidex conversations` and the SDK's store: what was kept by name is listed, shown, renamed, exported and deleted."""

from __future__ import annotations

import pytest
from tests.builders import CommandLine, phidex_cli

from phidex.errors import NotFoundError
from phidex.generation.conversation import Conversation, Turn

__all__ = ["phidex_cli"]  # a fixture


def test_the_command_keeps_the_house(phidex_cli: CommandLine) -> None:
    assert "no conversation was kept" in phidex_cli("conversations", "list").stdout
    conversation = Conversation()
    conversation.add(Turn("Who signed?", "Maria Okafor.", "Maria Okafor.", ()), ())
    with phidex_cli.sdk() as phidex:
        phidex.conversations.save("lease", conversation)
    assert "lease" in phidex_cli("conversations", "list").stdout
    (entry,) = phidex_cli.json("conversations", "list")
    assert (entry["name"], entry["title"], entry["turns"]) == ("lease", "Who signed?", 1)
    assert "## Who signed?\n\nMaria Okafor." in phidex_cli("conversations", "show", "lease").stdout
    assert phidex_cli.json("conversations", "show", "lease")["turns"][0]["answer"] == "Maria Okafor."
    phidex_cli("conversations", "rename", "lease", "flat 2")
    target = phidex_cli.home / "flat.md"
    phidex_cli("conversations", "export", "flat 2", "--output", target)
    assert target.read_text("utf-8").startswith("# Who signed?")
    assert "hint: there are: flat 2" in phidex_cli("conversations", "show", "lease", code=2).stderr
    phidex_cli("conversations", "delete", "flat 2")
    with phidex_cli.sdk() as phidex:
        assert phidex.conversations.list() == []
        with pytest.raises(NotFoundError):
            phidex.conversations.load("flat 2")
