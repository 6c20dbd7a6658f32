"""Whether the documents hold no answer, judged without a model, and what is said then."""

from __future__ import annotations

from collections.abc import Sequence

from phidex.generation.support import CJK, Rarity, terms
from phidex.retrieval.hit import Hit

# Share of the question's telling terms that the best of five passages must have. Measured on XQuAD, questions whose article was
# taken out of the collection against those whose article is there: 70-90% of the first are recognised and 1-6% of the second
# taken for them, by language (eval/LOG.md). Ideographs share fewer terms by chance.
_COVERAGE = 0.32
_COVERAGE_CJK = 0.24
# With a dense leg, words and meaning speak together: coverage and best cosine added up, by model. Of 156 questions about other
# manuals 87% stay below this, of 14 reworded ones about the manual one (eval/LOG.md). A model that is not here cannot speak
# against weak words, so that only a question with next to no shared terms counts as unanswered.
_COVERAGE_AND_COSINE = {"all-MiniLM-L6-v2": 0.51}
_COVERAGE_UNKNOWN_MODEL = 0.05

_ENOUGH_HITS = 20


def is_absent(question: str, hits: Sequence[Hit], dense_model: str) -> bool:
    """Whether no passage comes near the question, in words or in meaning.

    Args:
        dense_model: the model whose cosines the hits carry; empty for none.
    """
    if not hits:
        return True
    rarity = Rarity.of(hit.chunk.text for hit in hits)
    wanted = terms(question)
    covered = max(rarity.coverage(wanted, terms(f"{' '.join(hit.chunk.heading)}\n{hit.chunk.text}")) for hit in hits[:5])
    least = _COVERAGE_CJK if CJK.search(question) else _COVERAGE
    least *= min(1.0, max(0.3, len(hits) / _ENOUGH_HITS))  # few passages do not tell common words from rare ones
    cosines = [hit.why["dense"].score for hit in hits if "dense" in hit.why]
    if not cosines:
        return covered < least
    if dense_model not in _COVERAGE_AND_COSINE:
        return covered < _COVERAGE_UNKNOWN_MODEL
    return covered + max(cosines) < _COVERAGE_AND_COSINE[dense_model]


def absent_text(hits: Sequence[Hit]) -> str:
    """The sentence that says so, with the nearest places."""
    text = "The answer is not in these documents."
    if hits:
        nearest = "; ".join(f"{hit.source.name}, {hit.chunk.locator}" for hit in hits[:3])
        text += f" The nearest passages are in {nearest}."
    return text
