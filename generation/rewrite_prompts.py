"""What a model is asked before the search: to complete a follow-up, take a question apart, translate it, guess its answer.

Each asks for JSON; `lines` says the same for servers that cannot hold a model to a schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from phidex.generation.chat_wire import Message
from phidex.generation.control import break_control_tokens

Task = Literal["complete", "parts", "translate", "guess"]

TASKS: dict[Task, str] = {
    "complete": """\
You rewrite the last question of a conversation so that it can be understood without the conversation.
- Put names in the place of words like "it", "there" or "that one", and add what the question leaves unsaid.
- Keep its language, its meaning and every name, number and code as they are written. Do not answer it.
- If it can be understood alone, repeat it unchanged.""",
    "parts": """\
You take a question apart into the simpler questions that must be answered first.
- At most four, each understandable alone, in the language of the question. Do not answer them.
- If the question asks for one thing only, repeat it unchanged as the only one.""",
    "translate": """\
You translate a search query.
- Keep names, numbers and code as they are written. Translate the meaning in the words that documents of that language use.
- Do not answer it and do not explain.""",
    "guess": """\
You write the passage of a document that would answer a question, as it might stand there.
- Two to four sentences in the language of the question, in the style of a manual or report.
- It serves a search only: invent details where you must, but name what the question names.""",
}

_ANSWER: dict[Task, str] = {
    "complete": "the question",
    "parts": "the questions",
    "translate": "the translations, in the order of the languages",
    "guess": "the passage",
}


def rewrite_messages(
    task: Task, question: str, *, before: Sequence[Message] = (), about: str = "", structured: bool
) -> list[Message]:
    """The conversation that asks for a rewriting; all that people or models wrote stands in it as data.

    Args:
        before: the turns before the question, oldest first.
        about: what else the task needs: the names of languages.
        structured: whether the server holds the model to the schema of `schema`.
    """
    form = (
        f'Reply with JSON alone: {{"texts": [{_ANSWER[task]}]}}'
        if structured
        else f"Reply with {_ANSWER[task]} alone, one a line."
    )
    shown = [f"{'User' if turn.role == 'user' else 'Assistant'}: {_one_line(turn.content)}" for turn in before]
    parts = ["Conversation:\n" + "\n".join(shown)] if shown else []
    if about:
        parts.append(f"Languages: {about}")
    parts.append(f"Question: {_one_line(question)}")
    return [Message("system", f"{TASKS[task]}\n{form}"), Message("user", "\n\n".join(parts))]


def schema(most: int) -> dict[str, object]:
    """The field of a request that holds the model to a list of at most `most` texts."""
    texts = {"type": "array", "items": {"type": "string", "maxLength": 1200}, "minItems": 1, "maxItems": most}
    shape = {"type": "object", "properties": {"texts": texts}, "required": ["texts"], "additionalProperties": False}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "texts", "strict": True, "schema": shape}}}


def _one_line(text: str) -> str:
    return break_control_tokens(" ".join(text.split()))
