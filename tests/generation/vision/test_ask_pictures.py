"""Questions about pictures through the SDK and the command line, on real documents, with a scripted model server."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from tests.builders import settings_for
from tests.generation.vision.drawn import image, sent_image
from tests.generation.vision.scripted import Model, always, count_images, serving, texts, user_parts
from tests.retrieval.engines import end_engine

from phidex import Answer, AsyncPhidex, Conversation, InputError, NotFoundError, Phidex, Route
from phidex.generation.vision.seen import SEEN
from phidex.settings import ChatSettings

pymupdf: Any = _pymupdf  # its own types are incomplete

QUESTION = "What colour is the curve in the diagram of the harbour depth?"
WORDS = (
    "The harbour depth was measured every morning by the engineers of the port and is drawn in the diagram below, which has "
    "a curve for each quay. The harbour was dredged in March and again in June of that year."
)
OTHER = "The canteen opens at seven and serves soup, bread and coffee until the end of the second shift on working days."


def report(path: Path) -> Path:
    """Two pages: prose with a diagram drawn in lines, and prose alone; and a page with a picture in it."""
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        page.insert_textbox((72, 72, 520, 200), WORDS, fontsize=11)
        page.draw_bezier((80, 500), (200, 300), (300, 600), (500, 350), color=(1, 0, 0), width=4)
        document.new_page(width=595, height=842).insert_textbox((72, 72, 520, 200), OTHER, fontsize=11)
        page = document.new_page(width=595, height=842)
        page.insert_textbox((72, 72, 520, 120), "The lighthouse of the harbour is shown in the figure.", fontsize=11)
        page.insert_image((100, 200, 400, 400), stream=image(600, 400, "JPEG", "blue"))
        page.insert_textbox((100, 405, 400, 430), "Figure 1: The lighthouse from the sea", fontsize=10)
        document.save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A data folder with the report in it."""
    root = tmp_path_factory.mktemp("pictures")
    report(root / "harbour.pdf")
    with Phidex(settings=settings_for(root / "data")) as phidex:
        phidex.ingest(root / "harbour.pdf", ocr="off")
    yield root
    end_engine(root / "data")


@pytest.fixture
def model() -> Model:
    return Model(
        lambda body: (
            "A crimson arc falls and rises again [1]." if count_images(body) else "The harbour was dredged in March [1]."
        )
    )


def chat(url: str, **values: Any) -> ChatSettings:
    given: dict[str, Any] = {"url": url, "vision": "phi-3.5-vision", "retries": 0, **values}
    return ChatSettings(**given)


@pytest.fixture
def phidex(folder: Path, model: Model) -> Iterator[Phidex]:
    with serving(model) as server, Phidex(settings=settings_for(folder / "data", chat=chat(server.url))) as opened:
        yield opened


def test_a_visual_question_is_answered_from_the_drawn_page_beside_its_text(phidex: Phidex, model: Model) -> None:
    answer = phidex.ask(QUESTION)
    assert answer.route.role == "vision"
    assert "something to look at" in answer.route.reason
    assert answer.route.signals["pictures"] == count_images(model.asked[-1])
    parts = user_parts(model.asked[-1])
    at = next(index for index, part in enumerate(parts) if "Picture of source [1] (harbour | p. 1)" in part.get("text", ""))
    assert WORDS[:40] in parts[at]["text"]  # the text of the page lies beside its picture
    page = sent_image(parts[at + 1])
    assert page.size == (474, 672)
    colours: Any = page.convert("RGB").getcolors(1 << 20)
    assert any(red > 200 and green < 80 and blue < 80 for _, (red, green, blue) in colours)  # the curve itself
    assert parts[-1]["text"].endswith(f"Question: {QUESTION}")
    citation = answer.citations[0]
    assert (citation.marker, str(citation.locator), citation.verified, citation.reason) == (1, "p. 1", False, SEEN)
    assert any("[1] was seen in a picture" in warning for warning in answer.warnings)
    assert not any("does not clearly support" in warning for warning in answer.warnings)


def test_what_the_text_bears_out_is_verified_beside_a_picture_too(phidex: Phidex, model: Model) -> None:
    model.say = always("The harbour was dredged in March and again in June [1].")
    answer = phidex.ask(QUESTION)
    assert [citation.verified for citation in answer.citations] == [True]
    assert not any("picture" in warning for warning in answer.warnings)


def test_a_figure_is_shown_itself_and_cited_by_its_place(phidex: Phidex, model: Model) -> None:
    model.say = always("It is blue with a red line [1].")
    phidex.ask("What does the figure of the lighthouse show?")
    shown = [sent_image(part) for part in user_parts(model.asked[-1]) if part["type"] == "image_url"]
    blue = [
        one
        for one in shown
        if one.convert("RGB").getpixel((one.width // 4, one.height * 3 // 4)) == pytest.approx((0, 0, 255), abs=12)
    ]
    assert blue, [one.size for one in shown]
    assert "Figure 1: The lighthouse from the sea" in texts(model.asked[-1])


def test_a_question_of_words_goes_to_the_text_model_without_pictures(phidex: Phidex, model: Model) -> None:
    answer = phidex.ask("When does the canteen open?")
    assert answer.route.role == "mini"
    assert count_images(model.asked[-1]) == 0
    assert not any("looked at" in warning for warning in answer.warnings)


def test_vision_can_be_asked_for(phidex: Phidex, model: Model) -> None:
    answer = phidex.ask("When does the canteen open?", role="vision")
    assert (answer.route.role, answer.route.reason) == ("vision", "vision was asked for")
    assert count_images(model.asked[-1]) >= 1


def test_attached_pictures_are_looked_at_upright_and_cited(phidex: Phidex, model: Model, tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    path = tmp_path / "photo of quay.jpg"
    path.write_bytes(image(1600, 1200, "JPEG", exif=exif))
    named = re.compile(r"Picture of source \[(\d+)\] \((photo of quay\.jpg|picture 2) \(attached\)")

    def say(body: dict[str, Any]) -> str:
        return f"A red line [{named.findall(texts(body))[0][0]}]."

    model.say = say
    answer = phidex.ask("What is this?", images=[path, image(100, 80)])
    assert (answer.route.role, answer.route.reason) == ("vision", "2 pictures come with the question")
    assert [name for _, name in named.findall(texts(model.asked[-1]))] == ["photo of quay.jpg", "picture 2"]
    parts = [sent_image(part) for part in user_parts(model.asked[-1]) if part["type"] == "image_url"]
    assert (504, 672) in [part.size for part in parts]
    assert (100, 80) in [part.size for part in parts]
    assert answer.citations[0].source.uri == path.as_uri()
    assert answer.citations[0].reason == SEEN
    assert "attached" in answer.citations[0].source.title


def test_without_a_vision_model_the_text_model_answers_and_that_is_said(folder: Path, model: Model) -> None:
    with serving(model) as server, Phidex(settings=settings_for(folder / "data", chat=chat(server.url, vision=""))) as phidex:
        answer = phidex.ask(QUESTION)
        attached = phidex.ask("What is this?", images=[image(64, 64)])
    assert answer.route.role == "mini"
    assert answer.route.reason.startswith("pictures cannot be looked at, since no vision model is configured; ")
    assert any("not looked at: set PHIDEX_CHAT__VISION" in warning for warning in answer.warnings)
    assert any("not looked at: set PHIDEX_CHAT__VISION" in warning for warning in attached.warnings)
    assert all(count_images(body) == 0 for body in model.asked)


def test_a_vision_model_that_is_down_is_replaced_and_that_is_said(phidex: Phidex, model: Model) -> None:
    model.down = {"phi-3.5-vision"}
    answer = phidex.ask(QUESTION)
    assert answer.route.role == "mini"
    assert "phi-3.5-vision could not be asked" in answer.route.reason
    assert any("not looked at: phi-3.5-vision could not be asked" in warning for warning in answer.warnings)


def test_what_is_no_image_is_refused_with_the_cure(phidex: Phidex, model: Model, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    with pytest.raises(InputError, match=r"the attached notes\.txt is damaged or no image") as caught:
        phidex.ask("What is this?", images=[text])
    assert "PNG, JPEG, TIFF" in caught.value.hint
    with pytest.raises(NotFoundError, match="there is no file"):
        phidex.ask("What is this?", images=[tmp_path / "gone.png"])
    with pytest.raises(InputError, match="leave stream") as with_schema:
        phidex.ask("What is this?", images=[text], schema={"type": "object"})  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert "images" in with_schema.value.hint
    assert model.asked == []


def test_more_pictures_than_fit_are_looked_over_in_groups_first(folder: Path, model: Model) -> None:
    def say(body: dict[str, Any]) -> str:
        if "numbered pictures" not in body["messages"][0]["content"]:
            return "The third and the fifth are green."
        return "2" if "picture 3" in texts(body) else "1"  # of pictures 1 to 3, and of 4 and 5

    model.say = say
    images = [image(64 + number, 64, colour="green") for number in range(5)]
    settings = settings_for(folder / "data", chat=chat("", vision_images=3, vision_looks=2))
    with serving(model) as server:
        settings = settings.model_copy(update={"chat": settings.chat.model_copy(update={"url": server.url})})
        with Phidex(settings=settings) as phidex:
            answer = phidex.ask("Which is green?", images=images)
    *looks, close = model.asked
    assert [count_images(body) for body in looks] == [3, 3]
    assert count_images(close) == 2
    assert "Picture 1 (picture 1 (attached)" in texts(looks[0])
    sizes = [sent_image(part).width for part in user_parts(close) if part["type"] == "image_url"]
    assert sizes[0] == 65  # the second of the first group
    assert "; a first look over 6 " in answer.route.reason
    assert "in 2 groups chose 2 for a close one" in answer.route.reason
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3 * 7  # those of the looks included


def test_the_first_look_can_be_switched_off(folder: Path, model: Model) -> None:
    with serving(model) as server:
        settings = settings_for(folder / "data", chat=chat(server.url, vision_images=2, vision_looks=0))
        with Phidex(settings=settings) as phidex:
            answer = phidex.ask("Which is green?", images=[image(64, 64)] * 3)
    assert [count_images(body) for body in model.asked] == [2]
    assert any("further pictures were not looked at" in warning for warning in answer.warnings)


def test_what_does_not_fit_the_window_is_left_out_and_accounted_for(folder: Path, model: Model) -> None:
    model.window = 4_096
    with serving(model) as server:
        settings = settings_for(folder / "data", chat=chat(server.url, vision_looks=1))
        settings = settings.model_copy(update={"chat": settings.chat.model_copy(update={"vision_looks": 0})})
        with Phidex(settings=settings) as phidex:
            answer = phidex.ask("Which is green?", images=[image(640, 480)] * 6)
    shown = count_images(model.asked[-1])
    assert 0 < shown < 6
    assert any(re.match(rf"{shown} of \d+ pictures were looked at: the window has no room", text) for text in answer.warnings)
    entries = [entry for entry in answer.ledger.entries if entry.place.endswith("(picture)")]
    assert sorted({entry.status for entry in entries}) == ["budget", "packed"]
    assert sum(entry.status == "packed" for entry in entries) == shown
    assert answer.ledger.free_tokens >= 0


def test_a_conversation_goes_to_vision_for_a_picture_and_back(phidex: Phidex, model: Model) -> None:
    conversation = Conversation()
    first = phidex.ask("When was the harbour dredged?", conversation=conversation)
    second = phidex.ask(QUESTION, conversation=conversation)
    third = phidex.ask("And when does the canteen open?", conversation=conversation)
    assert [one.route.role for one in (first, second, third)] == ["mini", "vision", "mini"]
    assert "Earlier in this conversation" in texts(model.of("phi-3.5-vision")[-1])
    assert "Earlier in this conversation" in texts(model.of("phi-3.5-mini")[-1])
    assert Conversation.from_dict(conversation.to_dict()).blocks.keys() == conversation.blocks.keys()


def test_a_page_that_is_gone_leaves_an_answer_from_its_text(tmp_path: Path, model: Model) -> None:
    path = report(tmp_path / "gone.pdf")
    with serving(model) as server, Phidex(settings=settings_for(tmp_path / "data", chat=chat(server.url))) as phidex:
        phidex.ingest(path, ocr="off")
        path.unlink()
        answer = phidex.ask(QUESTION)
    end_engine(tmp_path / "data")
    assert any("gone.pdf, p. 1, was not looked at" in warning for warning in answer.warnings)
    assert WORDS[:40] in texts(model.asked[-1])


def test_async_and_its_stream_take_pictures(folder: Path, model: Model) -> None:
    async def ask(url: str) -> tuple[Answer, list[object]]:
        async with AsyncPhidex(settings=settings_for(folder / "data", chat=chat(url))) as phidex:
            answer = await phidex.ask("What is this?", images=[image(64, 64)])
            return answer, [event async for event in phidex.ask_stream("What is this?", images=[image(64, 64)])]

    with serving(model) as server:
        answer, events = asyncio.run(ask(server.url))
    assert answer.route.role == "vision"
    assert isinstance(events[0], Route)
    assert events[0].role == "vision"
    assert all(count_images(body) for body in model.asked)


def test_the_command_line_takes_pictures_for_a_question_and_for_a_chat(folder: Path, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(image(64, 64))
    with serving(model) as server:
        env = {"PHIDEX_CHAT__URL": server.url, "PHIDEX_CHAT__VISION": "phi-3.5-vision", "PHIDEX_EMBED__MODEL": "none"}
        common = ["--data", str(folder / "data"), "--image", str(path)]
        asked = run("ask", "What is this?", *common, "--image", str(path), env=env)
        chatted = run("chat", *common, env=env, typed="What is this?\n\n")
        refused = run("ask", "What is this?", *common, "--image", str(folder / "harbour.pdf"), env=env)
    assert asked.returncode == 0, asked.stderr
    assert "A crimson arc falls and rises again [1]" in asked.stdout
    assert chatted.returncode == 0, chatted.stderr
    first, second = model.asked
    assert count_images(first) > count_images(second) >= 1
    assert refused.returncode == 2
    assert "harbour.pdf is damaged or no image" in refused.stderr


def run(*arguments: str, env: dict[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-m", "phidex", *arguments]
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **env}
    )
