"""Questions: `phidex search`, `phidex ask`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from phidex.cli.options import (
    AskRoleOption,
    CollectionOption,
    DataOption,
    ImageOption,
    JsonOption,
    KindOption,
    LanguageOption,
    LimitOption,
    ModeOption,
    PagesOption,
    PicturesOption,
    QueryArgument,
    QuestionArgument,
    ResumeOption,
    SourceOption,
    TagOption,
)
from phidex.cli.session import open_phidex, print_json, read_filters
from phidex.errors import BudgetError, InputError, ServiceError

if TYPE_CHECKING:
    from phidex.generation.answer import Answer

_SERVICE_DOWN = 3  # exit code


def search(
    query: QueryArgument,
    collection: CollectionOption = "default",
    data: DataOption = None,
    limit: LimitOption = None,
    languages: LanguageOption = None,
    sources: SourceOption = None,
    kinds: KindOption = None,
    tags: TagOption = None,
    pages: PagesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the passages that answer best, each with its document, page and place."""
    from phidex.show import show_hits

    with open_phidex(data) as phidex:
        filters = read_filters(phidex, collection, languages=languages, sources=sources, kinds=kinds, tags=tags, pages=pages)
        hits = phidex.search(query, collection, limit, filters, on_warning=lambda text: print(f"note: {text}", file=sys.stderr))
    if as_json:
        print_json([hit.to_dict() for hit in hits])
    else:
        show_hits(hits)


def ask(
    question: QuestionArgument,
    collection: CollectionOption = "default",
    data: DataOption = None,
    languages: LanguageOption = None,
    sources: SourceOption = None,
    kinds: KindOption = None,
    tags: TagOption = None,
    pages: PagesOption = None,
    mode: ModeOption = None,
    pictures: PicturesOption = None,
    role: AskRoleOption = None,
    images: ImageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from the documents, with citations that name document, page and box.

    Where no model can be asked, passages are quoted in its place, and the exit code is 3.
    """
    from phidex.generation.answer import Answer
    from phidex.show import AnswerPrinter, save_pictures

    answer: Answer | None = None
    with open_phidex(data, pack={"mode": mode} if mode else None) as phidex:
        filters = read_filters(phidex, collection, languages=languages, sources=sources, kinds=kinds, tags=tags, pages=pages)
        printer = None if as_json else AnswerPrinter()
        for event in phidex.ask(question, collection, filters=filters, role=role, images=images or (), stream=True):
            if printer:
                printer.show(event)
            if isinstance(event, Answer):
                answer = event
    assert answer is not None
    if as_json:
        print_json(answer.to_dict())
    if pictures is not None:
        for path in save_pictures(answer, pictures):
            print(f"picture: {path}", file=sys.stderr)
    if answer.route.signals.get("in_place_of"):
        print(f"error: no model answered: {_trouble(answer)}", file=sys.stderr)
        print("  hint: quotations stand in its place; start the server, or ask with --role extractive", file=sys.stderr)
        raise SystemExit(_SERVICE_DOWN)


def chat(
    collection: CollectionOption = "default",
    data: DataOption = None,
    languages: LanguageOption = None,
    sources: SourceOption = None,
    kinds: KindOption = None,
    tags: TagOption = None,
    pages: PagesOption = None,
    mode: ModeOption = None,
    resume: ResumeOption = None,
    images: ImageOption = None,
) -> None:
    """Ask one question after another: follow-ups are understood from what was said. An empty line ends."""
    from phidex.generation.conversation import Conversation
    from phidex.show import AnswerPrinter

    with open_phidex(data, pack={"mode": mode} if mode else None) as phidex:
        filters = read_filters(phidex, collection, languages=languages, sources=sources, kinds=kinds, tags=tags, pages=pages)
        conversation = phidex.conversations.resume(resume) if resume is not None else Conversation()
        conversation.collection = conversation.collection or collection
        printer = AnswerPrinter()
        for question in _questions():
            try:
                events = phidex.ask(
                    question, collection, filters=filters, conversation=conversation, images=images or (), stream=True
                )
                for event in events:
                    printer.show(event)
            except (BudgetError, InputError, ServiceError) as exc:  # the conversation can go on
                print(f"error: {exc.message}\n  hint: {exc.hint}" if exc.hint else f"error: {exc.message}", file=sys.stderr)
                continue
            if resume is not None:
                phidex.conversations.save(resume, conversation)


def _trouble(answer: Answer) -> str:
    """What kept the models from answering, beside what else there is to know of an answer."""
    return next((text for text in answer.warnings if "could not be asked" in text), answer.route.reason)


def _questions() -> Iterator[str]:
    """Lines of the standard input until an empty one; with a prompt where a person types."""
    while True:
        if sys.stdin.isatty():
            print("> ", end="", flush=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line
