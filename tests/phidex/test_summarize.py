"""`Phidex.summarize` and `phidex summarize` as people use them: real documents, every way to name one, clear errors."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders import CommandLine, phidex_cli, settings_for
from tests.generation.summary.texts import REPORT
from tests.retrieval.engines import end_engine

from phidex import AsyncPhidex, Conversation, Filters, InputError, NotFoundError, Phidex, ServiceError, Summary
from phidex.generation.summary.summary import NOTICE, SENTENCES, STYLES, Length, Style
from phidex.generation.support import CJK
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store

__all__ = ["phidex_cli"]  # a fixture

ROOT = Path(__file__).resolve().parents[2]
MANUALS = {language: f"debmake-doc.{language}.pdf" for language in ("en", "zh-cn")}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phidex]:
    """Two manuals, a report in every language, a note in two folders, and source code."""
    home = tmp_path_factory.mktemp("summaries")
    for language, text in REPORT.items():
        (home / "reports").mkdir(exist_ok=True)
        (home / "reports" / f"{language}.txt").write_text(text, "utf-8")
    for folder in ("one", "two"):
        (home / folder).mkdir()
        (home / folder / "note.md").write_text(
            f"# Note {folder}\n\nThe pump of house {folder} was repaired in May by Mr Ohm.\n"
        )
    (home / "tool").mkdir()
    (home / "tool" / "pump.py").write_text(
        '"""Measures the pump\'s pressure every minute."""\n\n\ndef read(port):\n    return port\n'
    )
    (home / "tool" / "README.md").write_text("# Tool\n\nThis tool watches the pumps of all houses and rings a bell.\n")
    with Phidex(settings=settings_for(home / "data")) as phidex:
        manuals = [ROOT / "examples" / name for name in MANUALS.values()]
        phidex.ingest(*manuals, collection="manuals")
        phidex.ingest(home / "reports", home / "one", home / "two", home / "tool")
        yield phidex
    end_engine(home / "data")


def chunk_texts(phidex: Phidex, collection: str, identities: set[str]) -> dict[str, tuple[str, object, int]]:
    store = open_store(phidex.settings.data, phidex.settings.store)
    try:
        found = Collection.open(store, collection).chunks(sorted(identities))
        return {chunk.id: (" ".join(chunk.text.split()), chunk.locator, chunk.order) for chunk in found}
    finally:
        store.close()


@pytest.mark.parametrize("length", SENTENCES)
@pytest.mark.parametrize("name", MANUALS.values())
def test_key_sentences_of_a_manual_are_verbatim_in_order_and_at_their_place(library: Phidex, name: str, length: Length) -> None:
    found = library.summarize(name, "manuals", length=length)
    assert len(found.sentences) == SENTENCES[length]
    held = chunk_texts(library, "manuals", {one.chunk_id for one in found.citations})
    orders: list[tuple[int, int]] = []
    for sentence in found.sentences:
        (citation,) = sentence.citations
        text, locator, order = held[citation.chunk_id]
        assert sentence.text in text
        assert citation.quote == sentence.text
        assert citation.locator == locator
        orders.append((order, text.index(sentence.text)))
    assert orders == sorted(orders)
    assert len({sentence.text for sentence in found.sentences}) == len(found.sentences)
    assert found.text.endswith(NOTICE)
    assert found.route.role == "extractive"
    again = library.summarize(name, "manuals", length=length)
    assert again.text == found.text
    assert json.loads(json.dumps(found.to_dict()))["text"] == found.text


@pytest.mark.parametrize("language", REPORT)
def test_reports_in_every_language_are_summarized_in_it(library: Phidex, language: str) -> None:
    found = library.summarize(f"{language}.txt", length="short")
    assert len(found.sentences) == 3
    assert "".join(sentence.text for sentence in found.sentences).replace(" ", "") == REPORT[language].replace(" ", "")


@pytest.mark.parametrize("style", STYLES)
def test_styles_give_their_form(library: Phidex, style: Style) -> None:
    text = library.summarize(MANUALS["en"], "manuals", style=style).text
    assert (len(re.findall(r"^- .+\[\d+\]$", text, re.MULTILINE)) == 7) is (style == "bullets")
    assert bool(re.search(r"^## ", text, re.MULTILINE)) is (style == "sections")


def test_a_collection_gives_each_document_its_sentence(library: Phidex) -> None:
    found = library.summarize(collection="manuals", length="short")
    named = [Path(sentence.citations[0].source.name).name for sentence in found.sentences]
    assert set(named) == set(MANUALS.values())
    assert named == sorted(named)
    assert found.title == "manuals"
    assert len({sentence.section for sentence in found.sentences}) == len(MANUALS)
    only = library.summarize(filters=Filters(languages=("ja",)))
    assert {one.source.name for one in only.citations} == {"ja.txt"}


def test_a_source_tree_is_summarized_with_what_its_code_says(library: Phidex) -> None:
    home = library.settings.data.parent
    found = library.summarize(str(home / "tool"))
    assert {sentence.text for sentence in found.sentences} == {
        "Measures the pump's pressure every minute.",
        "This tool watches the pumps of all houses and rings a bell.",
    }
    assert found.title == "tool"


def test_a_commit_of_a_repository_is_one_text(tmp_path: Path) -> None:
    work = tmp_path / "pumps"
    work.mkdir()
    for number in range(4):
        (work / f"page{number}.md").write_text(
            f"# Page {number}\n\nThe pump number {number} of the works is cleaned every spring.\n"
        )
    git = ["git", "-C", str(work), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)
    try:
        with Phidex(settings=settings_for(tmp_path / "data")) as phidex:
            phidex.ingest(work)
            found = phidex.summarize(str(work), length="short")
            assert len(found.sentences) == 3
            assert {sentence.section for sentence in found.sentences} == {""}
    finally:
        end_engine(tmp_path / "data")


def test_names_that_fit_nothing_or_too_much_are_clear_errors(library: Phidex) -> None:
    with pytest.raises(NotFoundError, match=r"no source 'jap\.txt'") as missing:
        library.summarize("jap.txt")
    assert "ja.txt" in missing.value.hint
    with pytest.raises(InputError, match="fits 2 documents") as several:
        library.summarize("note.md")
    assert "path" in several.value.hint
    home = library.settings.data.parent
    assert "house two" in library.summarize(str(home / "two" / "note.md")).text
    assert "house two" in library.summarize("Note two").text
    identity = library.find_sources("ko.txt")[0]
    assert library.summarize(identity).citations[0].source.id == identity
    with pytest.raises(NotFoundError, match="no text to summarize"):
        library.summarize("ko.txt", filters=Filters(languages=("sv",)))


@pytest.mark.parametrize(
    ("wish", "said"), [({"language": "German"}, "language code"), ({"style": "poem"}, "style"), ({"length": "9"}, "length")]
)
def test_wishes_that_are_none_are_refused(library: Phidex, wish: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        library.summarize("en.txt", **wish)  # type: ignore[arg-type]


def test_a_language_that_no_passage_has_is_told(library: Phidex) -> None:
    found = library.summarize("en.txt", language="tr")
    assert found.language == "en"
    assert any("'tr'" in warning for warning in found.warnings)
    mixed = library.summarize(MANUALS["zh-cn"], "manuals", language="en")
    assert mixed.language == "en"
    assert not any(CJK.search(sentence.text) for sentence in mixed.sentences)
    assert not mixed.warnings


def test_a_conversation_without_a_model_gives_its_questions_and_what_was_found(library: Phidex) -> None:
    conversation = Conversation()
    only = Filters(sources=tuple(library.find_sources("en.txt")))
    for question in ("When was the old harbour of the town closed?", "Who rebuilt the harbour wall with stone?"):
        library.ask(question, filters=only, conversation=conversation)
    found = library.summarize(conversation, length="short")
    assert [one.section for one in found.sentences] == [turn.question for turn in conversation.turns]
    assert ["1987" in found.sentences[0].text, "quarry" in found.sentences[1].text] == [True, True]
    assert all(one.supported and one.citations[0].source.name == "en.txt" for one in found.sentences)
    assert not found.warnings
    with pytest.raises(InputError, match="empty"):
        library.summarize(Conversation())


def test_a_server_that_is_down_leaves_key_sentences_and_says_so(library: Phidex) -> None:
    chat = library.settings.chat.model_copy(update={"url": "http://127.0.0.1:9/v1"})
    with Phidex(settings=library.settings.model_copy(update={"chat": chat})) as phidex:
        found = phidex.summarize("en.txt", length="short")
        asked = phidex.summarize("en.txt", length="short", role="extractive")
        with pytest.raises(ServiceError):
            phidex.summarize("en.txt", role="mini")
    assert (asked.route.reason, asked.warnings) == ("extractive was asked for", ())
    assert found.route.role == "extractive"
    assert "could not be asked" in found.route.reason
    assert found.warnings
    assert len(found.sentences) == 3


async def _summary(library: Phidex) -> Summary:
    async with AsyncPhidex(settings=library.settings) as phidex:
        return await phidex.summarize("en.txt", style="bullets")


def test_async_gives_the_same(library: Phidex) -> None:
    assert asyncio.run(_summary(library)).text == library.summarize("en.txt", style="bullets").text


def test_the_command_prints_text_places_and_errors(phidex_cli: CommandLine) -> None:
    report = phidex_cli.home / "report.txt"
    report.write_text(REPORT["en"], "utf-8")
    with phidex_cli.sdk() as phidex:
        phidex.ingest(report)
    shown = phidex_cli("summarize", str(report), "--length", "short", "--style", "bullets").stdout
    assert "- The old harbour of the town was closed in 1987 after a storm. [1]" in shown
    assert "[1] report.txt, lines 1-1  verbatim" in shown
    assert "route: extractive" in shown
    data = phidex_cli.json("summarize", "--language", "EN")
    assert len(data["sentences"]) == 3
    assert data["citations"][0]["locator"]["type"] == "lines"
    assert "no source 'x.pdf'" in phidex_cli("summarize", "x.pdf", code=2).stderr
    assert "no language code" in phidex_cli("summarize", "--language", "german", code=2).stderr
    assert "there is no conversation" in phidex_cli("summarize", "--conversation", "none.json", code=2).stderr
    (phidex_cli.home / "broken.json").write_text("{", "utf-8")
    broken = str(phidex_cli.home / "broken.json")
    assert "holds no conversation" in phidex_cli("summarize", "--conversation", broken, code=2).stderr


def test_the_examples_of_the_page_run(library: Phidex) -> None:
    page = (ROOT / "docs" / "summaries.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks
    shown: list[str] = []

    def show(*some: object) -> None:
        shown.append(" ".join(map(str, some)))

    for number, block in enumerate(blocks, 1):
        exec(block, {"phidex": library, "print": show})
        assert len(shown) >= number
    for option in re.findall(r"`(--[a-z]+)", page):
        assert option in (ROOT / "src/phidex/cli/summary.py").read_text("utf-8") + (
            ROOT / "src/phidex/cli/options.py"
        ).read_text("utf-8")
