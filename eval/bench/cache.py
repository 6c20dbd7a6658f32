"""A conversation of ten turns over one collection: how much of its prompts a real vLLM serves from its prefix cache.

Ours only appends. Beside it the layout that comes to mind first: what was said before, then the best passages for this
question, packed anew in the order of their rank. Same questions, hits, budget and answers' length; the server's own counters
have the word.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

from phidex.eval.bench.options import Options
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.serving import served_model
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.generation.answer import Answer
from phidex.generation.assemble import Assembler
from phidex.generation.chat import Done, Message, OpenAIChat
from phidex.generation.conversation import Conversation
from phidex.generation.prompt import SYSTEM, answer_messages
from phidex.generation.respond import Responder
from phidex.generation.weigh import Scale
from phidex.retrieval.hit import Hit
from phidex.sdk import Phidex
from phidex.settings import ChatSettings, EmbedSettings, PackSettings, Settings

MODEL = "phi-3.5-mini"
_DOCUMENTS = ("debian-reference.en.pdf", "debian-policy-policy.pdf", "debmake-doc.en.pdf")
_ANSWER_TOKENS = 96
_QUESTIONS = (
    "How do I configure the network interface of a Debian system?",
    "And how is the hostname set?",
    "Which tool manages the wireless connection?",
    "How do I install a package with apt?",
    "How can I find out which package a file belongs to?",
    "What happens when a package is removed and when it is purged?",
    "How are configuration files of a package treated on upgrade?",
    "How do I build a package from its source?",
    "Which files must stand in the debian directory?",
    "How do I check the built package for mistakes?",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Tokens of one prompt, and how many of them were cached."""

    prompt_tokens: int
    cached_tokens: int


def ours(hits: Sequence[Sequence[Hit]], chat: OpenAIChat, settings: ChatSettings, pack: PackSettings) -> tuple[list[Turn], int]:
    """The turns of a conversation as the product holds it, and how often it was compacted."""
    conversation, turns, compacted = Conversation(), list[Turn](), 0
    responder = Responder(pack, settings, chat, None, lambda _: [])
    for question, found in zip(_QUESTIONS, hits, strict=True):
        *_, answer = responder.events(question, found, conversation=conversation)
        if not isinstance(answer, Answer) or answer.usage is None:
            raise RuntimeError("the server gave no answer with usage")
        compacted += answer.ledger.compacted
        turns.append(Turn(answer.usage.prompt_tokens, answer.usage.cached_tokens))
    return turns, compacted


def naive(hits: Sequence[Sequence[Hit]], chat: OpenAIChat, pack: PackSettings) -> list[Turn]:
    """The same questions with the history first, then the passages in the order of their rank, packed anew each turn."""
    said: list[Message] = []
    turns: list[Turn] = []
    assembler = Assembler(pack.model_copy(update={"order": "rank"}), Scale(chat, MODEL, None))
    for question, found in zip(_QUESTIONS, hits, strict=True):
        asked = answer_messages(question, assembler.single(question, found).context.blocks)[-1]
        text = ""
        with closing(chat.stream([Message("system", SYSTEM), *said, asked], model=MODEL)) as stream:
            for event in stream:
                if not isinstance(event, Done):
                    text += event.text
                elif event.usage:
                    turns.append(Turn(event.usage.prompt_tokens, event.usage.cached_tokens))
        said += [Message("user", question), Message("assistant", text)]
    return turns


def counters(url: str) -> tuple[int, int]:
    """The server's own sums: tokens looked up in the prefix cache, and found there."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/metrics", timeout=10) as reply:
        text = reply.read().decode()
    found = [
        re.search(rf"^vllm:prefix_cache_{name}_total{{[^}}]*}} (\S+)$", text, re.MULTILINE) for name in ("queries", "hits")
    ]
    if not all(found):
        raise RuntimeError("this vLLM has no counters of its prefix cache")
    looked_up, hit = (int(float(match[1])) for match in found if match)
    return looked_up, hit


def run(options: Options) -> Outcome:
    """The benchmark; about 4 minutes on two cores."""
    paths = options.documents(_DOCUMENTS)
    with scratch_folder() as folder:
        settings = Settings(embed=EmbedSettings(model="none"))
        with Phidex(folder / "data", settings) as phidex:
            phidex.ingest(*paths)
            hits = [phidex.search(question, limit=settings.pack.hits) for question in _QUESTIONS]
    pack = PackSettings()
    with served_model() as url:
        chat_settings = ChatSettings(url=url, max_answer_tokens=_ANSWER_TOKENS)
        with OpenAIChat(chat_settings) as chat:
            marks = [counters(url)]
            turns, compacted = ours(hits, chat, chat_settings, pack)
            marks.append(counters(url))
            other = naive(hits, chat, pack)
            marks.append(counters(url))
    shares = [100 * (end[1] - start[1]) / (end[0] - start[0]) for start, end in pairwise(marks)]
    rows: list[list[Cell]] = [
        [str(number), one.prompt_tokens, one.cached_tokens, two.prompt_tokens, two.cached_tokens]
        for number, (one, two) in enumerate(zip(turns, other, strict=True), 1)
    ]
    rows.append(["all", *(count for some in (turns, other) for count in _sums(some))])
    return Outcome(
        "cache",
        f"prefix cache over {len(turns)} turns of a conversation",
        [Table("Tokens of each turn's prompt", ("turn", "ours", "of it cached", "naive", "of it cached "), rows)],
        [
            Check("prompt tokens from the cache", shares[0], ">=", 80, " %"),
            Check("prompt tokens from the cache, naive layout", shares[1], "<", shares[0], " %"),
        ],
        [
            f"by the server's counters; by usage {_share(turns):.1f} % and {_share(other):.1f} %; compactions: {compacted}",
            f"tokens that the server had to compute: {_computed(turns):,}, naive {_computed(other):,}",
            "vLLM on a CPU caches blocks of 128 tokens, on a GPU of 16: there it is a little more",
        ],
    )


def _sums(turns: Sequence[Turn]) -> tuple[int, int]:
    return sum(turn.prompt_tokens for turn in turns), sum(turn.cached_tokens for turn in turns)


def _computed(turns: Sequence[Turn]) -> int:
    prompt, cached = _sums(turns)
    return prompt - cached


def _share(turns: Sequence[Turn]) -> float:
    prompt, cached = _sums(turns)
    return 100 * cached / max(1, prompt)
