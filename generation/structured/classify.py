"""Labels and a document -> the label that fits, or several, with the passage that says most of what the label means."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from phidex.errors import BudgetError, InputError
from phidex.generation.answer import Citation, Route
from phidex.generation.ask import Asker
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Message, as_list, as_object, total_usage
from phidex.generation.passages import all_passages
from phidex.generation.routing.fallback import first_that_answers
from phidex.generation.routing.route import Asked
from phidex.generation.structured.evidence import Evidence
from phidex.generation.structured.obtain import obtain
from phidex.generation.structured.passages import SHRINKS, Packer
from phidex.generation.structured.prompt import classify_messages
from phidex.generation.structured.record import Labels
from phidex.generation.structured.roles import routes_for
from phidex.generation.structured.schema import MismatchError, read_json
from phidex.generation.structured.write import Reply, Writer, choice_forms, schema_forms
from phidex.generation.weigh import Scale
from phidex.ingest.records import Source
from phidex.ingest.sentences import sentence_spans
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, PackedBlock

_MOST_LABELS = 200
_NEAREST = 3  # hits of a search for a label


def read_labels(labels: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Labels with what each means, "" where that is not told.

    Raises:
        InputError: there are fewer than two, one is empty, or one is there twice.
    """
    given = dict(labels) if isinstance(labels, Mapping) else dict.fromkeys(labels, "")
    if isinstance(labels, str) or not 2 <= len(given) <= _MOST_LABELS:
        raise InputError("a document is given one of several labels", hint=f"name from 2 to {_MOST_LABELS} labels")
    if len({_plain(label) for label in given}) < len(labels) or not all(label.strip() for label in given):
        raise InputError("a label is empty, or is there twice", hint="name each label once")
    return given


@dataclass(frozen=True, slots=True)
class Classifier:
    """Labels documents of one collection. Safe to share between threads.

    Args:
        labels: with what each means, "" where that is not told.
        several: a document may have any number of them.
        question: what to look at, in the words of who asks; may be empty.
    """

    asker: Asker
    chat: ChatModel
    labels: Mapping[str, str]
    writer: Writer
    several: bool = False
    question: str = ""

    @staticmethod
    def of(
        asker: Asker, chat: ChatModel, labels: Mapping[str, str], *, several: bool = False, question: str = ""
    ) -> Classifier:
        """With a writer of its own."""
        names = list(labels)
        items = {"type": "array", "items": {"enum": names}, "maxItems": len(names)}
        definition = {"type": "object", "properties": {"labels": items}, "required": ["labels"]}
        forms = schema_forms("labels", definition) if several else choice_forms(names)
        return Classifier(asker, chat, labels, Writer(chat, forms), several, question)

    def document(self, source: Source, limits: Sequence[Filters], cancelled: threading.Event | None = None) -> Labels | None:
        """The labels of one document, by its beginning where it is too long; None where the filters leave nothing of it.

        Raises:
            BudgetError: the labels alone do not fit the budget.
            IncompleteAnswerError: the model names no label; see `partial`.
            ServiceError: the endpoint is down, overloaded or broke off.
        """
        hits = all_passages(self.asker.collection, limits, source)
        if not hits:
            return None
        pack = self.asker.settings.pack
        budget = pack.budget_tokens if pack.mode == "focused" else pack.long_tokens
        rough = min(sum(hit.chunk.token_count for hit in hits), budget)
        routes = routes_for(self.asker, Asked("lookup", source.language, rough), None)
        labels, troubles = first_that_answers(routes, lambda route: self._shrinking(route, hits, cancelled))
        return replace(labels, warnings=(*troubles, *labels.warnings))

    def _shrinking(self, route: Route, hits: Sequence[Hit], cancelled: threading.Event | None) -> Labels:
        for shrink in SHRINKS:
            context = self._pack(route, hits, shrink)
            try:
                return self._labelled(route, context, len(hits), cancelled)
            except BudgetError:
                if context.ledger.counted_by == "server" or shrink == SHRINKS[-1]:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _pack(self, route: Route, hits: Sequence[Hit], shrink: float) -> Context:
        pack = self.asker.settings.pack
        scale = Scale(self.chat, route.model, pack.tokenizer)
        packer = Packer(pack, scale, self.chat.window_tokens(route.model), self._messages)
        context, _ = packer.whole(hits, shrink)
        if not context.blocks:
            hint = "raise PHIDEX_PACK__BUDGET_TOKENS"
            raise BudgetError("no passage fits the budget beside the labels", hint=hint)
        return context

    def _messages(self, blocks: Sequence[PackedBlock]) -> list[Message]:
        return classify_messages(self.labels, self.question, blocks, several=self.several)

    def _labelled(self, route: Route, context: Context, passages: int, cancelled: threading.Event | None) -> Labels:
        limit = self.asker.settings.chat.max_answer_tokens
        got = obtain(
            self.writer,
            self._messages(context.blocks),
            self._read,
            model=route.model,
            max_tokens=min(limit, self.asker.settings.pack.reserve_tokens),
            cancelled=cancelled,
        )
        told = list(got.warnings(context.ledger))
        packed = sum(len(block.chunks) for block in context.blocks)
        if packed < passages:
            told.append(f"too long to be read whole: the first {packed} of {passages} passages were read")
        return Labels(
            labels=got.value,
            citations=self._cited(got.value, context),
            route=route,
            ledger=context.ledger,
            usage=total_usage(got.usages),
            warnings=tuple(told),
        )

    def _cited(self, labels: Sequence[str], context: Context) -> dict[str, Citation]:
        """The passages by label: those that share its words, otherwise what a search for it finds among what was read."""
        evidence = Evidence(context, self.asker.collection.chunks)
        found: dict[str, Citation] = {}
        for label in labels:
            about = f"{label} {self.labels[label]}".strip()
            if (best := evidence.best(about)) is not None:
                found[label] = best
            elif (near := self._nearest(about, context)) is not None:
                found[label] = near
        return found

    def _nearest(self, about: str, context: Context) -> Citation | None:
        source = context.blocks[0].source
        blocks = {chunk.id: block for block in context.blocks for chunk in block.chunks}
        for hit in self.asker.search(about, _NEAREST, [Filters(sources=(source.id,))]):
            if hit.chunk.id in blocks:
                start, end = next(sentence_spans(hit.chunk.text), (0, 0))
                marker, quote = blocks[hit.chunk.id].marker, hit.chunk.text[start:end]
                return Citation(marker, source, hit.chunk.locator, hit.chunk.id, quote, verified=False)
        return None

    def _read(self, reply: Reply) -> tuple[str, ...]:
        known = {_plain(label): label for label in self.labels}
        if reply.form.name == "choice" or _plain(reply.text) in known:
            said = [reply.text]
        else:
            value = as_object(read_json(reply.text))
            said = [str(one) for one in (as_list(value.get("labels")) if self.several else [value.get("label", "")])]
        strange = [label for label in said if _plain(label) not in known]
        if strange:
            shown = [label[:80] for label in strange]
            known_ones = f"the labels are: {', '.join(self.labels)}"
            raise MismatchError(
                (f"{', '.join(map(repr, shown))} is no label; {known_ones}",), (f"that is no label; {known_ones}",)
            )
        return tuple(dict.fromkeys(known[_plain(label)] for label in said))


def _plain(label: str) -> str:
    return " ".join(label.split()).strip(" .\"'`").casefold()
