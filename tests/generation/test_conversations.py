"""Saved conversations: kept whole, found again, renamed, deleted, exported; a damaged one is said and hides no other."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.generation.passages import LEASE

from phidex.errors import InputError, NotFoundError
from phidex.generation.conversation import Conversation, Turn
from phidex.generation.conversations import ConversationStore
from phidex.retrieval.pack import PackedBlock


def talk(question: str = "Who signed\nthe lease?") -> Conversation:
    found = Conversation()
    block = PackedBlock(1, LEASE.source, (LEASE.chunk,), 30)
    found.add(Turn(question, "Maria Okafor signed it [1]. See [9].", "Maria Okafor signed it [1].", (1,)), [block])
    return found


@pytest.fixture
def store(tmp_path: Path) -> ConversationStore:
    return ConversationStore(tmp_path / "data" / "conversations")


def test_nothing_is_made_before_something_is_kept(store: ConversationStore) -> None:
    assert store.list() == []
    assert store.resume("lease").turns == []
    assert not store.folder.exists()


def test_kept_listed_and_gone_on_with(store: ConversationStore) -> None:
    conversation = talk()
    conversation.collection = "flats"
    path = store.save("the lease", conversation)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    os.utime(path, (1, 1))
    store.save("Vertrag 2", talk("Wann endet der Vertrag?"))
    assert [(one.name, one.title, one.turns, one.collection) for one in store.list()] == [
        ("Vertrag 2", "Wann endet der Vertrag?", 1, ""),
        ("the lease", "Who signed the lease?", 1, "flats"),
    ]
    assert store.resume("the lease").to_dict() == conversation.to_dict()
    assert store.list()[0].to_dict()["turns"] == 1
    assert sorted(path.name for path in store.folder.iterdir()) == ["Vertrag 2.json", "the lease.json"]


def test_a_file_by_its_path_is_no_name(store: ConversationStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(tmp_path / "talk.json", talk())
    assert len(store.load(str(tmp_path / "talk.json"))) == 1
    assert store.list() == []
    (tmp_path / "talk.json").rename(tmp_path / "bare")
    monkeypatch.chdir(tmp_path)
    assert len(store.load("bare")) == 1  # of a file that exists
    (tmp_path / "notes.json").write_text('{"mine": 1}')
    (tmp_path / "who-signed-the-lease").write_text("a file of the user's")
    for taken in (tmp_path / "notes.json", "who-signed-the-lease"):
        with pytest.raises(InputError, match="not overwritten"):
            store.save(taken, talk())
    assert (tmp_path / "notes.json").read_text() == '{"mine": 1}'
    assert store.free_name(talk()) == "who-signed-the-lease-2"
    store.save("bare", talk())  # of a conversation that lies there, it is one more state
    with pytest.raises(InputError, match="there is no folder"):
        store.resume(tmp_path / "none" / "talk.json")


def test_renamed_and_deleted(store: ConversationStore) -> None:
    store.save("one", talk())
    store.save("two", talk("Other?"))
    with pytest.raises(InputError, match="already"):
        store.rename("one", "two")
    store.rename("one", "three")
    assert {one.name for one in store.list()} == {"two", "three"}
    store.delete("two")
    assert [one.name for one in store.list()] == ["three"]
    for wrong in (lambda: store.delete("two"), lambda: store.rename("one", "four"), lambda: store.load("thre")):
        with pytest.raises(NotFoundError, match="there is no conversation") as found:
            wrong()
        assert "three" in found.value.hint


@pytest.mark.parametrize("name", ["", " ", ".hidden", "a\nb", "x" * 300, "字" * 80])
def test_what_can_be_no_name(store: ConversationStore, name: str) -> None:
    with pytest.raises(InputError, match="is no name"):
        store.save(name, talk())
    store.save("fine", talk())
    with pytest.raises(InputError, match="is no name"):
        store.rename("fine", name)


def test_a_name_never_leads_out_of_the_folder(store: ConversationStore) -> None:
    store.save("one", talk())
    with pytest.raises(InputError):
        store.rename("one", "../outside")
    with pytest.raises(NotFoundError):
        store.delete("../../anything")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"version": 1}', '{"turns": [{}]}', "null", "\x00"])
def test_a_damaged_file_is_said_and_hides_no_other(store: ConversationStore, content: str) -> None:
    store.save("good", talk())
    (store.folder / "bad.json").write_text(content, "utf-8")
    entries: dict[str, Any] = {one.name: one for one in store.list()}
    assert entries["good"].fault == ""
    if content != '{"version": 1}':
        assert entries["bad"].fault
    with pytest.raises(InputError):
        store.load("bad")


def test_a_failure_to_write_leaves_what_was_kept(store: ConversationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save("one", talk())
    before = (store.folder / "one.json").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        store.save("one", talk("Another?"))
    assert (store.folder / "one.json").read_bytes() == before
    assert [path.name for path in store.folder.iterdir()] == ["one.json"]


def test_exported_as_markdown(store: ConversationStore) -> None:
    conversation = talk()
    conversation.title = "The lease"
    store.save("one", conversation)
    assert store.export("one") == (
        "# The lease\n\n## Who signed the lease?\n\nMaria Okafor signed it [1]. See [9].\n\n- [1] lease.pdf, p. 1\n"
    )


def test_names_by_the_first_question(store: ConversationStore) -> None:
    assert store.free_name(talk()) == "who-signed-the-lease"
    store.save("who-signed-the-lease", talk())
    assert store.free_name(talk()) == "who-signed-the-lease-2"
    assert store.free_name(Conversation()) == "conversation"
