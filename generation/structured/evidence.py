"""Values -> the places in the packed documents that they rest on, found without a model and checked against the store.

The model is not asked where a value comes from: a small one names wrong sources as readily as wrong values, and each name that
it must add to its reply makes the reply itself worse. A value's words, amount or day are looked for in every sentence that the
model had before it; of several that have it, the one counts that speaks of the field, and of the values beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from phidex.generation.answer import Citation
from phidex.generation.structured.record import FieldEvidence, Support
from phidex.generation.structured.schema import Path, Schema, path_text
from phidex.generation.structured.value import day_of, folded, is_weak, says_amount, says_day, says_words
from phidex.generation.support import Rarity, numbers_agree, terms
from phidex.ingest.records import Chunk
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.pack import Context, PackedBlock

_PLACES = 3  # cited for one value
_LONG_CHARS = 60  # a text from here on is a statement, and may be in other words
_SAME_WORDS = 0.9  # share of a short value's telling terms that one sentence must have
_STATED = 0.5  # of a long one's, as for the claims of an answer
_SPEAKS = 0.5  # of a field's words, for a sentence that speaks of it
_NEAR = 0.25  # of a field's words around a value that stands in many texts by chance


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of the data.

    Args:
        about: words that say what it is.
        is_choice: it is a yes or no, or one of the schema's own choices: no text needs to have it.
        beside: the folded texts of the values in the same object.
    """

    path: Path
    value: Any
    about: str = ""
    is_choice: bool = False
    beside: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return self.value is None or self.value in ("", [], {})


def leaves_of(values: Any, schema: Schema[Any]) -> list[Leaf]:
    """The values at the ends of the data, in its order; an empty list is one."""
    found = list(_ends(values, ()))
    parents: dict[Path, list[str]] = {}
    for path, value in found:
        parents.setdefault(path[:-1], []).append(folded(str(value)))
    leaves: list[Leaf] = []
    for path, value in found:
        here = schema.at(path)
        is_choice = isinstance(value, bool) or "enum" in here or "const" in here
        beside = tuple(text for text in parents[path[:-1]] if text != folded(str(value)) and not is_weak(text))
        leaves.append(Leaf(path, value, schema.about(path), is_choice, beside))
    return leaves


def _ends(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for key, one in cast("dict[str, Any]", value).items():
            yield from _ends(one, (*path, key))
    elif isinstance(value, list) and value:
        for index, one in enumerate(cast("list[Any]", value)):
            yield from _ends(one, (*path, index))
    elif path:
        yield path, value


class _Sentence:
    """One sentence of a packed passage."""

    def __init__(self, block: PackedBlock, chunk: Chunk, text: str) -> None:
        self.block, self.chunk, self.text = block, chunk, text

    @cached_property
    def folded(self) -> str:
        """For comparing."""
        return folded(self.text)

    @cached_property
    def terms(self) -> frozenset[int]:
        """Its own."""
        return terms(self.text)

    def says(self, value: Any) -> Support | None:
        """How it states the value; None where it does not."""
        if isinstance(value, bool):
            return None
        if isinstance(value, str):
            if says_words(folded(value), self.folded):
                return "quoted"
            day = day_of(value)
            return "agrees" if day and says_day(day, self.text, self.chunk.language) else None
        if says_words(folded(str(value)), self.folded):
            return "quoted"
        return "agrees" if says_amount(value, self.text) else None


class Evidence:
    """Looks values up in the passages that a model had before it.

    Args:
        stored: reads chunks back from the store by id: what is gone or changed there verifies nothing.
    """

    def __init__(self, context: Context, stored: Callable[[Sequence[str]], list[Chunk]]) -> None:
        passages = [(block, chunk) for block in context.blocks for chunk in block.chunks]
        self._stored = stored
        self._sentences = [
            _Sentence(block, chunk, chunk.text[start:end])
            for block, chunk in passages
            for start, end in sentence_spans(chunk.text)
        ]
        self._rarity = Rarity.of(chunk.text for _, chunk in passages)
        self._around = {chunk.id: terms(f"{block.header}\n{chunk.text}") for block, chunk in passages}

    def of(self, leaves: Sequence[Leaf]) -> dict[str, FieldEvidence]:
        """The evidence of each value, by its path as text."""
        found = [(leaf, *self._look(leaf)) for leaf in leaves]
        ids = list(dict.fromkeys(place.chunk.id for _, _, places in found for place in places))
        stored = {chunk.id: chunk for chunk in self._stored(ids)} if ids else {}
        return {path_text(leaf.path): _checked(leaf, support, places, stored) for leaf, support, places in found}

    def best(self, about: str) -> Citation | None:
        """The sentence that says most of some words, verified where it says most of them; None where none has any."""
        places = self._speaking(terms(about), 0.0)
        if not places:
            return None
        stored = {chunk.id: chunk for chunk in self._stored([places[0].chunk.id])}
        return _citation(places[0], stored, can_verify=self._rarity.support(terms(about), places[0].terms) >= _SPEAKS)

    def _look(self, leaf: Leaf) -> tuple[Support, list[_Sentence]]:
        """How the value is supported, and the sentences to cite, best first."""
        if leaf.is_empty:
            return "empty", []
        about = terms(leaf.about)
        stating: list[tuple[_Sentence, Support]] = [
            (sentence, says) for sentence in self._sentences if (says := sentence.says(leaf.value))
        ]
        if is_weak(leaf.value):
            stating = [
                (sentence, says)
                for sentence, says in stating
                if self._rarity.support(about, self._around[sentence.chunk.id]) >= _NEAR
                or any(one in sentence.folded for one in leaf.beside)
            ]
        if stating:
            ranked = sorted(stating, key=lambda one: -self._fit(one[0], leaf, about))  # stable: then by place
            return ranked[0][1], _one_a_passage([sentence for sentence, _ in ranked])
        is_words = isinstance(leaf.value, str) and not leaf.is_choice and not is_weak(leaf.value)
        if is_words and (agreeing := self._agreeing(leaf.value)):
            return "agrees", agreeing
        speaking = self._speaking(terms(f"{leaf.about} {leaf.value}") if isinstance(leaf.value, str) else about, 0.0)
        near = [one for one in speaking if self._rarity.support(about, one.terms) >= _SPEAKS][:1]
        return ("related" if leaf.is_choice and near else "unsupported"), near

    def _fit(self, sentence: _Sentence, leaf: Leaf, about: frozenset[int]) -> float:
        """How much a sentence speaks of the field and of what stands beside it."""
        beside = sum(one in sentence.folded for one in leaf.beside) / len(leaf.beside) if leaf.beside else 0.0
        around = self._rarity.support(about, self._around[sentence.chunk.id])
        return self._rarity.support(about, sentence.terms) + 0.5 * beside + 0.25 * around

    def _agreeing(self, value: str) -> list[_Sentence]:
        """Sentences that say a text in other words or another order; the numbers in it must stand in the passage."""
        wanted = terms(value)
        least = _STATED if len(value) >= _LONG_CHARS else _SAME_WORDS
        found = [(self._rarity.coverage(wanted, one.terms), one) for one in self._sentences]
        kept = [(covered, one) for covered, one in found if covered >= least and numbers_agree(folded(value), one.chunk.text)]
        return _one_a_passage([one for _, one in sorted(kept, key=lambda pair: -pair[0])])

    def _speaking(self, about: frozenset[int], least: float) -> list[_Sentence]:
        scored = [(self._rarity.support(about, one.terms), one) for one in self._sentences]
        return [one for covered, one in sorted(scored, key=lambda pair: -pair[0]) if covered > least]


def _one_a_passage(sentences: Sequence[_Sentence]) -> list[_Sentence]:
    first: dict[str, _Sentence] = {}
    for sentence in sentences:
        first.setdefault(sentence.chunk.id, sentence)
    return list(first.values())[:_PLACES]


def _checked(leaf: Leaf, support: Support, places: Sequence[_Sentence], stored: Mapping[str, Chunk]) -> FieldEvidence:
    can_verify = support in ("quoted", "agrees")
    citations = tuple(_citation(place, stored, can_verify=can_verify) for place in places)
    if can_verify and not any(citation.verified for citation in citations):
        support = "unsupported"
    return FieldEvidence(path_text(leaf.path), leaf.value, support, citations)


def _citation(place: _Sentence, stored: Mapping[str, Chunk], *, can_verify: bool) -> Citation:
    now = stored.get(place.chunk.id)
    stands = now is not None and " ".join(place.text.split()) in " ".join(now.text.split())
    block, chunk = place.block, place.chunk
    return Citation(block.marker, block.source, chunk.place_of(place.text), chunk.id, place.text, can_verify and stands)
