"""The account of a token budget: what went into a prompt and why, what was left out and why, whose tokens they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

LeftOut = Literal["duplicate", "overlap", "quota", "budget", "sent"]
"""Why a hit is not in the context: its text is there already (alone, or inside a neighbour's), its room was kept for another
language or source, no room was left, or an earlier turn of the conversation has brought it."""

Status = Literal["packed"] | LeftOut
Why = Literal["score", "quota", "order"]
"""Why a hit is in the context: by its rank, by the share kept for its language or source, or since all goes in, in order."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One hit's fate: `status` is "packed", or why it was left out.

    Args:
        tokens: what it costs with its share of a header; of what was left out without being weighed, the chunker's own count.
        marker: the number it is cited by; of what was sent before too; 0 where there is none.
        why: of what is packed; empty otherwise.
    """

    chunk_id: str
    source_id: str
    place: str
    tokens: int
    status: Status
    marker: int = 0
    language: str = ""
    source: str = ""
    why: Why | Literal[""] = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "chunk_id": self.chunk_id,
            "source_id": self.source_id,
            "source": self.source,
            "language": self.language,
            "place": self.place,
            "tokens": self.tokens,
            "status": self.status,
            "why": self.why,
            "marker": self.marker,
        }


@dataclass(frozen=True, slots=True)
class Share:
    """The tokens of one language or source among the packed ones; `share` is in [0, 1]."""

    name: str
    tokens: int
    share: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the token budget went.

    Args:
        budget_tokens: prompt and answer together.
        reserve_tokens: kept for the answer.
        prompt_tokens: instructions, question and history.
        context_tokens: the packed blocks.
        counted_by: "server", "tokenizer" or "estimate".
        history_tokens: of `prompt_tokens`, what earlier turns of the conversation take, their evidence included.
        compacted: the conversation no longer fitted its window, so that the prompt was begun afresh.
    """

    budget_tokens: int
    reserve_tokens: int
    prompt_tokens: int
    context_tokens: int
    counted_by: str
    entries: tuple[LedgerEntry, ...] = ()
    history_tokens: int = 0
    compacted: bool = False

    @property
    def free_tokens(self) -> int:
        """What is left over; never negative."""
        return self.budget_tokens - self.reserve_tokens - self.prompt_tokens - self.context_tokens

    def by_source(self) -> tuple[Share, ...]:
        """The share of each source (by id), largest first."""
        return self._shares(lambda entry: entry.source_id)

    def by_language(self) -> tuple[Share, ...]:
        """The share of each language (ISO 639-1), largest first."""
        return self._shares(lambda entry: entry.language)

    def _shares(self, key: Callable[[LedgerEntry], str]) -> tuple[Share, ...]:
        tokens: Counter[str] = Counter()
        for entry in self.entries:
            if entry.status == "packed":
                tokens[key(entry)] += entry.tokens
        whole = max(1, tokens.total())
        return tuple(Share(name, count, count / whole) for name, count in tokens.most_common())

    def counts(self) -> dict[str, int]:
        """How many hits had each status, most frequent first."""
        return dict(Counter(entry.status for entry in self.entries).most_common())

    def summary(self) -> str:
        """One line for people: passages, tokens, languages, and what was left out.

        >>> Ledger(8000, 1024, 200, 0, "server").summary()
        'no passages, 200 of 8,000 tokens (1,024 kept for the answer)'
        """
        counts = self.counts()
        packed, total = counts.pop("packed", 0), len(self.entries)
        passages = f"{packed:,} of {total:,} passage{'s' * (total > 1)}" if total else "no passages"
        used = self.prompt_tokens + self.context_tokens
        about = "" if self.counted_by in ("server", "tokenizer") else "about "
        parts = [f"{passages}, {about}{used:,} of {self.budget_tokens:,} tokens ({self.reserve_tokens:,} kept for the answer)"]
        if len(languages := self.by_language()) > 1:
            parts.append(", ".join(f"{one.name} {one.share:.0%}" for one in languages[:6]))
        if sent := counts.pop("sent", 0):
            parts.append(f"{sent:,} sent before")
        if counts:
            parts.append("left out: " + ", ".join(f"{number:,} {why}" for why, number in counts.items()))
        if self.compacted:
            parts.append("the conversation was compacted")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, the entries split into what is packed, what was sent before, and what was left out."""
        titles = {entry.source_id: entry.source for entry in self.entries}
        by_source = [
            {"source_id": one.name, "source": titles[one.name], "tokens": one.tokens, "share": round(one.share, 4)}
            for one in self.by_source()
        ]
        by_language = [{"language": one.name, "tokens": one.tokens, "share": round(one.share, 4)} for one in self.by_language()]
        return {
            "budget_tokens": self.budget_tokens,
            "reserve_tokens": self.reserve_tokens,
            "prompt_tokens": self.prompt_tokens,
            "history_tokens": self.history_tokens,
            "context_tokens": self.context_tokens,
            "free_tokens": self.free_tokens,
            "counted_by": self.counted_by,
            "compacted": self.compacted,
            "summary": self.summary(),
            "by_source": by_source,
            "by_language": by_language,
            "counts": self.counts(),
            "packed": [entry.to_dict() for entry in self.entries if entry.status == "packed"],
            "sent_before": [entry.to_dict() for entry in self.entries if entry.status == "sent"],
            "left_out": [entry.to_dict() for entry in self.entries if entry.status not in ("packed", "sent")],
        }
