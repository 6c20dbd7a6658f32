"""Who solves long-context tasks: an oracle, chance, a chat endpoint that reads it all, or our own packing and answers."""

from __future__ import annotations

import contextlib
import random
import string
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from phidex.eval.chat import reply_of
from phidex.eval.metrics.cited import bare_text
from phidex.eval.records import Question, TestSet
from phidex.eval.tasks.repository import Functions, code_prompt
from phidex.eval.tasks.ruler import LongTask
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Message
from phidex.generation.control import neutral_messages
from phidex.retrieval.filters import Filters
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

Answerer = Callable[[LongTask], str]
"""A task -> the answer's text."""

_TOKENS = 160  # of an answer
_CODE_TOKENS = 1_024
_SYSTEM = "Answer the question from the text, in the language of the question, and as briefly as you can."


def oracle(task: LongTask) -> str:
    """What is wanted: scores 1 on every task."""
    return ", ".join(task.outputs)


def chance(task: LongTask) -> str:
    """A guess of the right form by one who has not read the text: digits for digits, letters for letters. Scores near 0."""
    guess = random.Random(task.id)
    forms = {**dict.fromkeys(string.digits, string.digits), **dict.fromkeys(string.ascii_lowercase, string.ascii_lowercase)}
    forms |= dict.fromkeys(string.ascii_uppercase, string.ascii_uppercase)
    return ", ".join("".join(guess.choice(forms.get(char, char)) for char in output) for output in task.outputs)


def chat_answerer(chat: ChatModel, model: str) -> Answerer:
    """The endpoint reads the whole text in one prompt."""

    def answer(task: LongTask) -> str:
        messages = [Message("system", _SYSTEM), Message("user", f"{task.context}\n\n{task.question}")]
        return reply_of(chat, neutral_messages(messages), model=model, max_tokens=_TOKENS)

    return answer


@contextlib.contextmanager
def packed_answerer(settings: Settings, folder: Path, tasks: Sequence[LongTask]) -> Generator[Answerer]:
    """Our own way: each text is a document, found, packed into the budget of the settings and answered by who is configured;
    without a model, in quotations. Only the lexical leg: a text is gone after one question.

    Args:
        folder: for the documents and their collection; the caller removes it.
        tasks: all that will be asked.
    """
    own = settings.model_copy(update={"data": folder / "data", "embed": EmbedSettings(model="none")})
    texts = folder / "texts"
    texts.mkdir()
    names = {task.id: f"{number}.txt" for number, task in enumerate(tasks)}
    for task in tasks:
        (texts / names[task.id]).write_text(task.context, "utf-8")
    with Phidex(settings=own) as phidex:
        phidex.ingest(texts)
        sources = {entry.source.name: entry.source.id for entry in phidex.sources()}

        def answer(task: LongTask) -> str:
            return bare_text(phidex.ask(task.question, filters=Filters(sources=(sources[names[task.id]],))))

        yield answer


def code_reader(chat: ChatModel, model: str, test_set: TestSet, length_tokens: int) -> Callable[[Question], dict[str, float]]:
    """RepoQA's own way: the endpoint reads the code and writes the function that is described; scores (`function_found`, and
    how deep in the code the function stood)."""
    functions = Functions.of(test_set.documents)

    def read(question: Question) -> dict[str, float]:
        depth = random.Random(question.id).random()
        code, asked = code_prompt(test_set, question, length_tokens, depth)
        messages = neutral_messages([Message("user", f"{code}\n\n{asked}")])
        reply = reply_of(chat, messages, model=model, max_tokens=_CODE_TOKENS)
        return {"function_found": functions.found(reply, question), "packed_at": round(depth, 6)}

    return read


def long_settings(settings: Settings, tokens: int) -> Settings:
    """The settings with a budget of so many tokens, as many hits as it holds."""
    pack = settings.pack.model_copy(update={"mode": "long", "long_tokens": max(1_024, min(131_072, tokens))})
    return settings.model_copy(update={"pack": pack})
