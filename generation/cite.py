"""Markers in an answer -> its claims and citations, each compared with the stored text before it counts as verified."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from phidex.generation.answer import Citation, Claim, Notice
from phidex.generation.control import ZERO_WIDTH_SPACE
from phidex.generation.support import CJK, Rarity
from phidex.generation.verdict import SUPPORTED, Verdict, judge
from phidex.ingest.language import UNDETERMINED, detect_language
from phidex.ingest.records import Chunk
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.pack import Context, PackedBlock

_MARKER = re.compile(r"\[\s*(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\s*\]")
_TRAILING = re.compile(r"([.!?…؟۔。！？]+[\"'’”»)\]」』）]*)(\s*)((?:\[[\d\s,;]+\]\s*)+)")
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+")  # of a list: no claim of the sentence
_HEADING = re.compile(r"^\s*(?:#{1,6}\s|\*\*[^*]+\*\*:?\s*$|\|?[\s:|-]+$)")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LEAST_WORDS, _LEAST_CHARS = 4, 8  # of a sentence that states a fact; characters where words are not spaced
_SURE, _ENOUGH_CHARS = 0.6, 20  # of a language, and how much text tells it
_THAI = re.compile(r"[\u0e00-\u0e7f]")
_TO_MARKERS = re.compile(r".+?(?:(?:\[[\d\s,;]+\]\s*)+[.]?|$)")
_UNSPACED = re.compile(rf"{CJK.pattern}|[\u0e00-\u0eff]")
_SHOWN = 120
_DOUBTS = " does not clearly support: "
# The end of a sentence behind which another one has begun, its trailing markers included.
_SETTLED = re.compile(r"(?:(?:[.!?…؟۔][\"'’”»)\]]*\s+|[。！？][」』”）]*\s*)(?:\[[\d\s,;]+\]\s*)*|\n\s*)(?=[^\s\[])")


@dataclass(frozen=True, slots=True)
class Checked:
    """What an answer's text rests on.

    Args:
        citations: one for each marker and passage that claims rest on, by marker.
        claims: the sentences that state something, in their order.
        warnings: about markers and claims.
    """

    citations: tuple[Citation, ...]
    claims: tuple[Claim, ...]
    warnings: tuple[str, ...]


def cite(text: str, context: Context, stored: Mapping[str, Chunk], language: str = "") -> Checked:
    """The citations of an answer, its claims, and what is to be said of them: see `Citer.check`.

    Args:
        stored: the cited chunks as the store has them now, by id.
        language: of the text, ISO 639-1; default: as it is told from the text.
    """
    return Citer(context, lambda ids: [stored[one] for one in ids if one in stored]).check(text, language)


class Citer:
    """Checks what a model writes on one context, also while it comes.

    Args:
        stored: reads chunks back from the store by id; asked once for each.
    """

    def __init__(self, context: Context, stored: Callable[[Sequence[str]], list[Chunk]]) -> None:
        self.context = context
        self._read = stored
        self._stored: dict[str, Chunk | None] = {}
        self._rarity: Rarity | None = None
        self._settled = 0
        self._told: dict[tuple[int, str], bool] = {}

    def check(self, text: str, language: str = "") -> Checked:
        """The citations of a text, its claims, and what is to be said of them.

        A passage that supports nothing is cited only where its marker has no better one.
        """
        language = language or language_of(text)
        found: dict[tuple[int, str], Citation] = {}
        claims: list[Claim] = []
        warnings: list[str] = []
        for said, markers in claims_of(text):
            blocks = [block for marker in markers if (block := self.context.block(marker)) is not None]
            warnings += [f"[{marker}] names no source" for marker in markers if self.context.block(marker) is None]
            if not blocks:
                status = "unsupported" if markers else "missing"
                claims.append(Claim(said, tuple(markers), status, "there is no such source" if markers else ""))
                continue
            citations, claim = self._check(said, tuple(markers), blocks, language)
            claims.append(claim)
            for citation in citations:
                key = (citation.marker, citation.chunk_id)
                if key not in found or (citation.verified and not found[key].verified):
                    found[key] = citation
            if claim.status == "unsupported":
                shown = "".join(f"[{block.marker}]" for block in blocks)
                warnings.append(f"{shown}{_DOUBTS}{_shortened(said)} ({claim.reason})")
        verified = {citation.marker for citation in found.values() if citation.verified}
        first = {citation.marker: citation for citation in reversed(found.values())}  # of each marker, where none supports
        kept = [one for one in found.values() if one.verified or (one.marker not in verified and first[one.marker] is one)]
        by_marker = tuple(sorted(kept, key=lambda citation: citation.marker))
        return Checked(by_marker, tuple(claims), (*dict.fromkeys(warnings), *_uncited(claims)))

    def settled(self, text: str) -> Iterator[Citation | Notice]:
        """Citations, and warnings about claims, of the sentences that have become whole since the last call.

        Args:
            text: all that has come so far.
        """
        end = self._settled
        for match in _SETTLED.finditer(text, self._settled):
            end = match.end()
        fresh, self._settled = text[self._settled : end], end
        if "[" in fresh:
            language = language_of(text[:end])
            checked = self.check(fresh, language)
            yield from self.untold(checked.citations)
            if language != UNDETERMINED:  # or what follows may change the verdict
                yield from (Notice(text) for text in checked.warnings if "names no source" in text or _DOUBTS in text)

    def untold(self, citations: Sequence[Citation]) -> Iterator[Citation]:
        """Those that were not told before, or less well."""
        for one in citations:
            key = (one.marker, one.chunk_id)
            if key not in self._told or (one.verified and not self._told[key]):
                self._told[key] = one.verified
                yield one

    def _check(
        self, said: str, markers: tuple[int, ...], blocks: Sequence[PackedBlock], language: str
    ) -> tuple[list[Citation], Claim]:
        """The citation of each block for one claim, and whether any of them, or all together, bear it out."""
        if self._rarity is None:
            self._rarity = Rarity.of(chunk.text for block in self.context.blocks for chunk in block.chunks)
        rarity = self._rarity
        found = [(block, _judged(said, [block], rarity, language)) for block in blocks]
        if len(blocks) > 1 and not any(verdict.is_borne_out for _, verdict in found):
            together = _judged(said, blocks, rarity, language, spread=True)
            if together.is_borne_out:  # a statement that is put together from several passages
                parts = [(block, replace(one, is_borne_out=one.score >= SUPPORTED / 2, reason="")) for block, one in found]
                found = parts if any(one.is_borne_out for _, one in parts) else found
        citations = [self._citation(block, verdict) for block, verdict in found]
        if any(citation.verified for citation in citations):
            return citations, Claim(said, markers, "verified")
        _, best = max(found, key=lambda pair: pair[1].score)
        reason = next((one.reason for one in citations if one.reason), best.reason)
        return citations, Claim(said, markers, "unsupported", reason, all(verdict.is_comparable for _, verdict in found))

    def _citation(self, block: PackedBlock, verdict: Verdict) -> Citation:
        """The citation of one block: the chunk and sentence of it that support the claim best, as the store has them now."""
        holder = block.chunks[verdict.at]
        now = self._now(holder.id, block)
        is_there = now is not None and bool(verdict.quote) and " ".join(verdict.quote.split()) in " ".join(now.text.split())
        verified, reason = verdict.is_borne_out and is_there, verdict.reason
        if verdict.is_borne_out and not is_there:
            reason = "the passage has changed or is gone"
        quote = verdict.quote if verified or verdict.score >= SUPPORTED / 2 else ""
        return Citation(block.marker, block.source, holder.place_of(quote), holder.id, quote, verified, reason)

    def _now(self, chunk_id: str, block: PackedBlock) -> Chunk | None:
        """A chunk as the store has it; those of its block are read with it."""
        if chunk_id not in self._stored:
            ids = [chunk.id for chunk in block.chunks]
            self._stored |= dict.fromkeys(ids)
            self._stored |= {chunk.id: chunk for chunk in self._read(ids)}
        return self._stored[chunk_id]


def claims_of(text: str) -> Iterator[tuple[str, list[int]]]:
    """Each sentence that carries markers or states something, without its markers, and the markers.

    Markers behind the full stop belong before it. Headings, questions, code and what leads to a list state nothing.

    >>> [markers for _, markers in claims_of("The lease ends in May. [1] Is it long? It says:\\n- The rent is 900 euros")]
    [[1], []]
    """
    text = _TRAILING.sub(r" \3\1 ", _CODE.sub("\n", text.replace(ZERO_WIDTH_SPACE, "")))
    for sentence in _sentences(text):
        markers = [int(number) for group in _MARKER.findall(sentence) for number in re.findall(r"\d+", group)]
        bare = _ITEM.sub("", " ".join(_MARKER.sub("", sentence).split()))
        bare = re.sub(r"\s+([.,;:!?。、，])", r"\1", bare)
        if markers or _states(sentence, bare):
            yield bare, list(dict.fromkeys(markers))


def _sentences(text: str) -> Iterator[str]:
    """As punctuation tells; of Thai, whose spaces tell phrases, what ends with markers."""
    for line in text.splitlines():
        if _THAI.search(line):
            yield from filter(None, map(str.strip, _TO_MARKERS.findall(line)))
        else:
            yield from (line[start:end] for start, end in sentence_spans(line))


def language_of(text: str) -> str:
    """The language of a text, ISO 639-1; "und" where it is too short to tell."""
    bare = _MARKER.sub("", text).strip()
    least = _ENOUGH_CHARS // 2 if _UNSPACED.search(bare) else _ENOUGH_CHARS
    if len(bare) < least:
        return UNDETERMINED
    language, score = detect_language(bare)
    return language if score >= _SURE else UNDETERMINED


def _states(sentence: str, bare: str) -> bool:
    """Whether a sentence without a marker states something that has to have one."""
    if _HEADING.match(sentence) or bare.rstrip("*_ ").endswith((":", "：", "?", "？", "؟")):
        return False
    if _UNSPACED.search(bare):
        return sum(char.isalpha() for char in bare) >= _LEAST_CHARS
    return len(re.findall(r"\w+", bare)) >= _LEAST_WORDS


def _judged(said: str, blocks: Sequence[PackedBlock], rarity: Rarity, language: str, *, spread: bool = False) -> Verdict:
    chunks = [chunk for block in blocks for chunk in block.chunks]
    languages = {chunk.language for chunk in chunks}
    written = languages.pop() if len(languages) == 1 else UNDETERMINED
    texts = [chunk.text for chunk in chunks]
    if not spread:
        return judge(said, texts, rarity, language=language, written=written)
    quotes = [judge(said, [text], rarity, language=language, written=written).quote for text in texts]
    return judge(said, ["\n".join(filter(None, quotes))], rarity, language=language, written=written)


def _uncited(claims: Sequence[Claim]) -> list[str]:
    """What is said of statements without a source, where others have one."""
    missing = [claim.text for claim in claims if claim.status == "missing"]
    if not missing or len(missing) == len(claims):
        return []
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return [f"no source is named for: {_shortened(missing[0])}{more}"]


def _shortened(claim: str) -> str:
    return claim if len(claim) <= _SHOWN else f"{claim[: _SHOWN - 3]}…"
