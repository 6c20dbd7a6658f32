"""One question asked of a collection, and everything that can be told of the result."""

from __future__ import annotations

import time
from dataclasses import dataclass

from phidex.eval.metrics.cited import bare_text, behaviour_scores, citation_scores, grounded, packing_scores
from phidex.eval.metrics.ranking import items_of, score_ranking
from phidex.eval.metrics.text import answer_scores
from phidex.eval.records import Question
from phidex.eval.runs.judge import Judge
from phidex.eval.runs.record import Plan, Record
from phidex.generation.answer import Answer
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context
from phidex.sdk import Phidex


@dataclass(frozen=True, slots=True)
class Interviewer:
    """Asks questions as a plan says. Thread-safe as `Phidex` is."""

    phidex: Phidex
    plan: Plan
    judge: Judge | None = None

    def ask(self, question: Question) -> Record:
        """The record of one question.

        Raises:
            PhidexError: it could not be answered.
        """
        scores: dict[str, float] = {}
        started = time.perf_counter()
        hits = self.phidex.search(question.text, self.plan.collection, self._wanted(question))
        scores["search_s"] = time.perf_counter() - started
        ranked = self._ranking(question, hits, scores)
        text, role = "", ""
        if self.plan.stage == "answer":
            answer = self._answer(question, scores)
            text, role = bare_text(answer), answer.route.role
        return Record(
            question.id,
            question.text,
            question.language,
            question.kind,
            question.type,
            {name: round(value, 6) for name, value in scores.items()},
            text,
            role,
            tuple(ranked),
        )

    def _wanted(self, question: Question) -> int:
        """Hits to ask for: twice as many as are judged, so that enough is left when repeats are passed over."""
        return min(500, self.plan.limit * (2 if question.gold else 1))

    def _ranking(self, question: Question, hits: list[Hit], scores: dict[str, float]) -> list[str]:
        items, relevance = items_of(hits, question.gold)
        items = items[: self.plan.limit]
        if any(value > 0 for value in relevance.values()):
            scores |= score_ranking(self.plan.measures, relevance, items)
        return items

    def _answer(self, question: Question, scores: dict[str, float]) -> Answer:
        started = time.perf_counter()
        context: Context | None = None
        answer: Answer | None = None
        for event in self.phidex.ask(question.text, self.plan.collection, role=self.plan.role or None, stream=True):
            if isinstance(event, Context):
                context = event
            elif isinstance(event, Answer):
                answer = event
        assert context is not None  # every answer is preceded by its context
        assert answer is not None
        scores["answer_s"] = time.perf_counter() - started
        scores |= packing_scores(context, question.gold)
        scores |= citation_scores(answer.citations, question.gold)
        scores |= behaviour_scores(answer, question.language, answerable=question.answerable)
        text = bare_text(answer)
        if question.answerable:
            scores |= answer_scores(text if answer.found else "", question.answers, question.language)
        support = grounded(answer)
        if support is not None:
            scores["grounded"] = support
        if answer.usage is not None:
            scores["prompt_tokens"] = answer.usage.prompt_tokens
        if answer.route.role in ("mini", "moe"):
            scores["escalated"] = float(answer.route.role == "moe")
        if self.judge is not None and question.answers and (grade := self.judge.grade(question, text)) is not None:
            scores["judged"] = grade.score
        return answer
