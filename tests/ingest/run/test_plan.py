"""What a run decides for each file: by its bytes, its name, and what is there. No parser, no store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from phidex.ingest.run.plan import Alias, Done, Hashes, Planner, Step, Work
from phidex.ingest.run.prepare import Recipe
from phidex.ingest.run.sink import Details, Known
from phidex.ingest.sources.discover import source_id
from phidex.ingest.sources.found import Found


class Shelf:
    """A folder, and what a sink would know of it once every plan is carried out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, Known] = {}
        self.recipe = Recipe()
        self.hashes: Hashes | None = None

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / f"{name}.md").write_text(text)

    def uri(self, name: str) -> str:
        return (self.folder / f"{name}.md").as_uri()

    def plan(self, *names: str, tags: tuple[str, ...] | None = None, sync: bool = False) -> dict[str, str]:
        """What is done with each file, by its name, once it is done."""
        planner = Planner("c", self.known, self.recipe, tags, source_id, self.hashes)
        found = [Found(self.folder / f"{name}.md") for name in names] if names else self.discover()
        told = dict(self._carry_out(step) for step in planner.steps(iter(found)))
        gone = planner.forget_vanished([self.folder]) if sync else []
        for identity, also in planner.renamed().items():
            self.known[identity] = replace(self.known[identity], also=also)
        for identity in gone:
            told[Path(self.known.pop(identity).uri).stem] = "removed"
        return told

    def discover(self) -> Sequence[Found]:
        return [Found(path) for path in sorted(self.folder.glob("[!.]*.md"))]

    def _carry_out(self, step: Step) -> tuple[str, str]:
        match step:
            case Work(_, shown, task, outcome, reason):
                digest = self.recipe.digest(_sha(task.path), task.path.suffix)
                self.known[task.source_id] = Known(digest, _sha(task.path), task.uri, task.also, task.tags)
                return Path(shown).stem, f"{outcome} {reason}".strip()
            case Alias(shown, _, _, reason):
                return Path(shown).stem, f"alias: {reason}"
            case Done(report, _, details):
                if details:
                    known = self.known[details.source_id]
                    self.known[details.source_id] = replace(known, tags=details.tags, metadata=details.metadata)
                return Path(report.path).stem, report.outcome

    def names(self) -> dict[str, set[str]]:
        """All names of each source, by its first."""
        return {Path(known.uri).stem: {Path(uri).stem for uri in known.also} for known in self.known.values()}


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_new_unchanged_edited(shelf: Shelf) -> None:
    shelf.write(a="one", b="two")
    assert shelf.plan() == {"a": "added", "b": "added"}
    assert shelf.plan() == {"a": "unchanged", "b": "unchanged"}
    shelf.write(b="three")
    assert shelf.plan() == {"a": "unchanged", "b": "replaced"}
    shelf.recipe = Recipe(chunk_tokens=99)
    assert shelf.plan() == {"a": "replaced", "b": "replaced"}


def test_the_same_bytes_are_one_source_with_two_names(shelf: Shelf) -> None:
    shelf.write(a="same", b="same", c="other")
    assert shelf.plan() == {"a": "added", "b": "alias: the same bytes as a.md", "c": "added"}
    assert shelf.names() == {"a": {"b"}, "c": set()}
    assert set(shelf.plan().values()) == {"unchanged"}
    assert shelf.plan("b") == {"b": "unchanged"}
    shelf.write(d="same")
    assert shelf.plan() == {"a": "unchanged", "b": "unchanged", "c": "unchanged", "d": "alias: the same bytes as a.md"}
    assert shelf.names() == {"a": {"b", "d"}, "c": set()}


def test_the_same_bytes_under_another_suffix_are_another_document(shelf: Shelf) -> None:
    shelf.write(a="same")
    (shelf.folder / "b.txt").write_text("same")
    planner = Planner("c", {}, shelf.recipe, None, source_id)
    steps = list(planner.steps(iter([Found(shelf.folder / "a.md"), Found(shelf.folder / "b.txt")])))
    assert all(isinstance(step, Work) for step in steps)


def test_an_alias_that_is_edited_becomes_a_source(shelf: Shelf) -> None:
    shelf.write(a="same", b="same")
    shelf.plan()
    shelf.write(b="its own now")
    assert shelf.plan() == {"a": "unchanged", "b": "added"}
    assert shelf.names() == {"a": set(), "b": set()}
    assert set(shelf.plan().values()) == {"unchanged"}


@pytest.mark.parametrize("named", [(), ("a",), ("b", "a")])
def test_the_bytes_stay_under_the_other_name_when_the_first_is_edited(shelf: Shelf, named: tuple[str, ...]) -> None:
    """Whether or not the run finds the other file, and in either order."""
    shelf.write(a="same", b="same")
    shelf.plan()
    shelf.write(a="edited")
    told = shelf.plan(*named)
    assert told["a"] == "replaced"
    shelf.plan()
    assert shelf.names() == {"a": set(), "b": set()}
    assert set(shelf.plan().values()) == {"unchanged"}


def test_a_renamed_file_keeps_its_source(shelf: Shelf) -> None:
    shelf.write(a="text")
    shelf.plan()
    (identity,) = shelf.known
    (shelf.folder / "a.md").rename(shelf.folder / "b.md")
    assert shelf.plan() == {"b": "replaced was a.md"}
    assert shelf.names() == {"b": set()}
    assert set(shelf.known) == {identity}
    shelf.write(a="a new one")
    assert shelf.plan() == {"a": "added", "b": "unchanged"}
    assert len(shelf.known) == 2
    assert set(shelf.plan(sync=True).values()) == {"unchanged"}


def test_an_alias_outlives_its_first_name(shelf: Shelf) -> None:
    shelf.write(a="same", b="same", c="same")
    shelf.plan()
    (shelf.folder / "a.md").unlink()
    assert shelf.plan() == {"b": "replaced was a.md", "c": "unchanged"}
    assert shelf.names() == {"b": {"c"}}
    (shelf.folder / "c.md").unlink()
    assert shelf.plan(sync=True) == {"b": "unchanged"}
    assert shelf.names() == {"b": set()}


def test_settings_that_change_find_the_alias_first(shelf: Shelf) -> None:
    """It takes the source over, and the bytes are read once."""
    shelf.write(b="same")
    shelf.plan()
    shelf.write(a="same")
    shelf.plan()
    assert shelf.names() == {"b": {"a"}}
    shelf.recipe = Recipe(chunk_tokens=99)
    assert shelf.plan() == {"a": "replaced", "b": "unchanged"}
    assert shelf.names() == {"a": {"b"}}


def test_vanished_files_are_removed_where_they_were_looked_for(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "x.md"
    elsewhere.write_text("far")
    shelf.write(a="one", b="two")
    shelf.plan()
    sha256 = _sha(elsewhere)
    shelf.known["far"] = Known(shelf.recipe.digest(sha256, elsewhere.suffix), sha256, elsewhere.as_uri())
    shelf.known["web"] = Known("d", "s", "https://host/doc.pdf")
    elsewhere.unlink()
    (shelf.folder / "b.md").unlink()
    hidden = shelf.folder / ".hidden.md"
    hidden.write_text("not found by discovery, and there")
    shelf.known["hidden"] = Known("d", "s", hidden.as_uri())
    assert shelf.plan(sync=True) == {"a": "unchanged", "b": "removed"}
    assert {"far", "web", "hidden"} < shelf.known.keys()


def test_members_of_archives_vanish_with_their_archive_or_from_it(shelf: Shelf) -> None:
    archive = shelf.folder / "docs.zip"
    archive.touch()
    shelf.write(a="inside")
    member = Found(shelf.folder / "a.md", uri=f"{archive.as_uri()}#a.md", keep=True)
    known = {"kept": Known("d", "s", member.uri), "gone": Known("d", "s", f"{archive.as_uri()}#b.md")}
    planner = Planner("c", known, shelf.recipe, None, source_id)
    list(planner.steps(iter([member])))
    assert planner.forget_vanished([shelf.folder]) == ["gone"]
    archive.unlink()
    planner = Planner("c", known, shelf.recipe, None, source_id)
    list(planner.steps(iter([Found(shelf.folder / "a.md")])))
    assert planner.forget_vanished([shelf.folder]) == ["kept", "gone"]


def test_a_checkout_of_which_a_part_was_named_says_nothing_of_the_rest(shelf: Shelf) -> None:
    shelf.write(a="x")
    repo = "git+https://host/owner/repo.git"
    known = {"rest": Known("d", "s", f"{repo}#src/x.py")}
    for target, gone in ((shelf.folder, []), ("https://host/owner/repo.git", ["rest"])):
        planner = Planner("c", known, shelf.recipe, None, source_id)
        list(planner.steps(iter([Found(shelf.folder / "a.md", uri=f"{repo}#docs/a.md")])))
        assert planner.forget_vanished([target]) == gone


def test_tags_stay_where_none_are_given(shelf: Shelf) -> None:
    shelf.write(a="one")
    assert shelf.plan(tags=("x",)) == {"a": "added"}
    assert shelf.plan() == {"a": "unchanged"}
    shelf.write(a="two")
    assert shelf.plan() == {"a": "replaced"}
    assert [known.tags for known in shelf.known.values()] == [("x",)]
    assert shelf.plan(tags=("y",)) == {"a": "updated"}
    assert [known.tags for known in shelf.known.values()] == [("y",)]
    assert shelf.plan(tags=()) == {"a": "updated"}
    assert [known.tags for known in shelf.known.values()] == [()]


def test_what_is_said_of_a_file_is_renewed_without_reading_it(shelf: Shelf) -> None:
    shelf.write(a="one")
    shelf.plan()
    (identity,) = shelf.known
    shelf.known[identity] = replace(shelf.known[identity], metadata={"author": "Ada", "commit": "c1", "modified": "true"})

    def details(commit: str) -> Details | None:
        planner = Planner("c", shelf.known, shelf.recipe, None, source_id)
        (step,) = planner.steps(iter([Found(shelf.folder / "a.md", metadata={"commit": commit})]))
        assert isinstance(step, Done)
        assert step.report.outcome == "unchanged"
        return step.details

    renewed = details("c2")
    assert renewed is not None
    assert renewed == Details(identity, (), {"author": "Ada", "commit": "c2"})
    shelf.known[identity] = replace(shelf.known[identity], metadata=renewed.metadata)
    assert details("c2") is None


def test_a_file_that_is_about_to_be_read_needs_no_renewing(shelf: Shelf) -> None:
    """It is named twice in one run."""
    shelf.write(a="one")
    planner = Planner("c", {}, shelf.recipe, ("x",), source_id)
    named = [Found(shelf.folder / "a.md", metadata={"commit": "c1"})] * 2
    first, second = planner.steps(iter(named))
    assert isinstance(first, Work)
    assert isinstance(second, Done)
    assert second.details is None


def test_the_same_bytes_with_other_tags_are_another_source(shelf: Shelf) -> None:
    shelf.write(a="same")
    shelf.plan(tags=("x",))
    shelf.write(b="same")
    assert shelf.plan("b", tags=("y",)) == {"b": "added"}


def test_what_cannot_be_looked_into_is_remembered(shelf: Shelf) -> None:
    planner = Planner("c", {}, shelf.recipe, None, source_id)
    locked = Found(shelf.folder / "locked", reason="cannot be read: Permission denied", failed=True)
    (step,) = planner.steps(iter([locked]))
    assert isinstance(step, Done)
    assert step.report.outcome == "failed"
    assert planner.blind


def test_a_deck_that_has_the_bytes_of_a_source_is_that_source(shelf: Shelf) -> None:
    (shelf.folder / "older.pdf").write_bytes(b"slides")
    (shelf.folder / "talk.pdf").write_bytes(b"slides")
    (shelf.folder / "talk.mp4").write_bytes(b"talk")
    planner = Planner("c", {}, shelf.recipe, None, source_id)
    steps = list(planner.steps(iter([Found(shelf.folder / name) for name in ("older.pdf", "talk.mp4", "talk.pdf")])))
    older, talk, alias = steps
    assert isinstance(older, Work)
    assert isinstance(talk, Work)
    assert isinstance(alias, Alias)
    assert talk.task.deck_id == older.task.source_id == alias.source_id


def test_hashes_spare_reading(shelf: Shelf) -> None:
    shelf.hashes = {}
    shelf.write(a="one")
    shelf.plan()
    path = shelf.folder / "a.md"
    when = path.stat().st_mtime_ns
    shelf.write(a="two")
    os.utime(path, ns=(when, when))  # it looks as it did, and so is not read
    assert shelf.plan() == {"a": "unchanged"}
    os.utime(path)
    assert shelf.plan() == {"a": "replaced"}
