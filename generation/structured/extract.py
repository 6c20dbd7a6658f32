"""A schema and documents -> data that fits, each value with its evidence: for one question, or for one document as a whole.

passages --pack beside the schema--> prompt --model, held to the schema--> JSON --validate--> data --evidence--> answer
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from phidex.errors import BudgetError
from phidex.generation.answer import Role, Route
from phidex.generation.ask import Asker
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import Message, total_usage
from phidex.generation.passages import all_passages
from phidex.generation.routing.fallback import first_that_answers
from phidex.generation.routing.kind import kind_of
from phidex.generation.routing.route import Asked
from phidex.generation.structured.evidence import Evidence, leaves_of
from phidex.generation.structured.obtain import obtain
from phidex.generation.structured.passages import SHRINKS, Packer, find_passages
from phidex.generation.structured.prompt import extract_messages
from phidex.generation.structured.record import FieldEvidence, StructuredAnswer
from phidex.generation.structured.roles import routes_for
from phidex.generation.structured.schema import MismatchError, Path, Schema, path_text, read_json
from phidex.generation.structured.write import Reply, Writer, schema_forms
from phidex.generation.weigh import Scale
from phidex.ingest.records import Source
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, PackedBlock
from phidex.retrieval.query.resolve import resolve_filters
from phidex.retrieval.query.understand import understand
from phidex.retrieval.search import with_words

T = TypeVar("T")

_NAMED = 12  # fields in one warning
_SURE = 0.5  # of a question's language


@dataclass(frozen=True, slots=True)
class Extractor(Generic[T]):
    """Fills one schema from one collection. Safe to share between threads.

    Args:
        chat: passes the schema on to its server, where its `stream` takes `extra`.
        strict: a value that no passage has becomes null, where the schema allows null.
    """

    asker: Asker
    chat: ChatModel
    schema: Schema[T]
    writer: Writer
    strict: bool = False

    @staticmethod
    def of(asker: Asker, chat: ChatModel, schema: Schema[Any], *, strict: bool = False) -> Extractor[Any]:
        """With a writer of its own."""
        return Extractor(asker, chat, schema, Writer(chat, schema_forms(schema.name, schema.definition)), strict)

    def ask(
        self,
        question: str,
        *,
        filters: Filters | None = None,
        role: Role | None = None,
        cancelled: threading.Event | None = None,
    ) -> StructuredAnswer[T]:
        """The answer to a question as data, from the best passages for it and for each field.

        Raises:
            InputError, NotFoundError: the question is empty, or a filter names nothing.
            ConfigError: the role that is asked for is not configured.
            BudgetError: question and schema exceed the budget, or leave no room for a passage.
            IncompleteAnswerError: no reply fits the schema; see `partial`.
            ServiceError: no endpoint can be asked.
        """
        asked = with_words(understand(question))
        limits = [resolve_filters(one, self.asker.collection) for one in (asked.filters, filters) if one is not None]
        language = asked.language if asked.language_score >= _SURE else "und"
        whole = all_passages(self.asker.collection, limits) if self.asker.settings.pack.mode == "whole" else None
        routes = routes_for(self.asker, Asked(kind_of(asked), language, self._rough(whole)), role)
        answer, troubles = first_that_answers(routes, lambda route: self._answer(asked.text, route, whole, limits, cancelled))
        return replace(answer, question=question, warnings=(*asked.warnings, *troubles, *answer.warnings))

    def document(
        self, source: Source, question: str, limits: Sequence[Filters], cancelled: threading.Event | None = None
    ) -> StructuredAnswer[T] | None:
        """The data of one document, read whole where it fits; None where the filters leave nothing of it. Raises: as `ask`."""
        whole = all_passages(self.asker.collection, limits, source)
        if not whole:
            return None
        mine = [*limits, Filters(sources=(source.id,))]
        routes = routes_for(self.asker, Asked("lookup", source.language, self._rough(whole)), None)
        answer, troubles = first_that_answers(routes, lambda route: self._answer(question, route, whole, mine, cancelled))
        return replace(answer, warnings=(*troubles, *answer.warnings))

    def _rough(self, whole: Sequence[Hit] | None) -> int:
        """About how many tokens of context it will be."""
        pack = self.asker.settings.pack
        budget = pack.budget_tokens if pack.mode == "focused" else pack.long_tokens
        return budget if whole is None else min(sum(hit.chunk.token_count for hit in whole), budget)

    def _answer(
        self,
        question: str,
        route: Route,
        whole: Sequence[Hit] | None,
        limits: Sequence[Filters],
        cancelled: threading.Event | None,
    ) -> StructuredAnswer[T]:
        found: list[Hit] | None = None
        told: list[str] = []
        spent = {"search": 0.0, "pack": 0.0}

        def search() -> list[Hit]:
            nonlocal found
            if found is None:
                started = time.monotonic()
                found = find_passages(self.asker, question, self.schema.questions(), limits, told.append)
                spent["search"] += time.monotonic() - started
            return found

        for shrink in SHRINKS:
            started = time.monotonic()
            context = self._pack(question, route, whole, search, told, shrink)
            spent["pack"] += time.monotonic() - started
            started = time.monotonic()
            try:
                answer = self._filled(question, route, context, cancelled)
            except BudgetError:
                if context.ledger.counted_by == "server" or shrink == SHRINKS[-1]:
                    raise
                continue
            spent["pack"] -= spent["search"]  # which is done when it is packed
            spent["answer"] = time.monotonic() - started
            return replace(answer, timings=spent, warnings=tuple(dict.fromkeys((*told, *answer.warnings))))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _pack(
        self,
        question: str,
        route: Route,
        whole: Sequence[Hit] | None,
        search: Callable[[], list[Hit]],
        told: list[str],
        shrink: float,
    ) -> Context:
        def write(blocks: Sequence[PackedBlock]) -> list[Message]:
            return extract_messages(cast("Schema[object]", self.schema), question, blocks)

        pack = self.asker.settings.pack
        packer = Packer(pack, Scale(self.chat, route.model, pack.tokenizer), self.chat.window_tokens(route.model), write)
        context, is_all = packer.whole(whole, shrink) if whole is not None else (None, False)
        if context is not None and is_all:
            return context
        hits = search()
        context = packer.best(hits, shrink)
        if (hits or whole) and not context.blocks:
            hint = "raise PHIDEX_PACK__BUDGET_TOKENS, or shorten the schema"
            raise BudgetError("no passage fits the budget beside the schema", hint=hint)
        if whole is None:
            return context
        packed = sum(len(block.chunks) for block in context.blocks)
        told.append(f"too long to be read whole: the best {packed} of {len(whole)} passages were read")
        return context

    def _filled(self, question: str, route: Route, context: Context, cancelled: threading.Event | None) -> StructuredAnswer[T]:
        if not context.blocks:
            return self._nothing(question, route, context)
        messages = extract_messages(cast("Schema[object]", self.schema), question, context.blocks)
        ledger = context.ledger
        room = ledger.budget_tokens - ledger.prompt_tokens - ledger.context_tokens
        limit = max(16, min(self.asker.settings.chat.max_answer_tokens, room))
        got = obtain(self.writer, messages, self._read, model=route.model, max_tokens=limit, cancelled=cancelled)
        said, data = got.value
        evidence = Evidence(context, self.asker.collection.chunks)
        fields = evidence.of(leaves_of(said, self.schema))
        if self.strict:
            data = self._without_unsupported(said, fields, data)
        values = self.schema.plain(data)
        fields |= self._defaults(values, fields)
        found = any(one.support not in ("empty", "default") for one in fields.values())
        return StructuredAnswer(
            question=question,
            data=data,
            values=values,
            fields=fields,
            found=found,
            route=route,
            ledger=ledger,
            text=got.reply.text,
            usage=total_usage(got.usages),
            warnings=(*got.warnings(ledger), *_doubts(fields)),
        )

    def _read(self, reply: Reply) -> tuple[Any, T]:
        said = _restored(read_json(reply.text))
        return said, self.schema.read(said)

    def _nothing(self, question: str, route: Route, context: Context) -> StructuredAnswer[T]:
        """No passage was found, and no model is asked: nulls, as far as the schema allows them."""
        nulls: list[dict[str, Any]] = [self.schema.nothing(), {}]
        for values in nulls:
            try:
                data = self.schema.read(values)
            except MismatchError:
                continue
            plain = self.schema.plain(data)
            fields = self._defaults(plain, {})
            return StructuredAnswer(question, data, plain, fields, False, route, context.ledger, warnings=_doubts(fields))
        said = "nothing was found in these documents, and the schema does not allow to say so"
        return StructuredAnswer(question, None, None, {}, False, route, context.ledger, warnings=(said,))

    def _defaults(self, values: Any, fields: dict[str, FieldEvidence]) -> dict[str, FieldEvidence]:
        """What stands in the data and not in the reply: the schema's own values."""
        known: Mapping[str, Any] = self.schema.at(()).get("properties", {})
        leaves = [leaf for leaf in leaves_of(values, self.schema) if leaf.path[0] in known]
        added = [(path_text(leaf.path), leaf) for leaf in leaves if not _is_said(path_text(leaf.path), fields)]
        return {path: FieldEvidence(path, leaf.value, "empty" if leaf.is_empty else "default") for path, leaf in added}

    def _without_unsupported(self, said: Any, fields: dict[str, FieldEvidence], data: T) -> T:
        """The data with null for what no passage has, one value after another, as far as the schema allows."""
        values = copy.deepcopy(said)
        for leaf in leaves_of(said, self.schema):
            if fields[path_text(leaf.path)].support == "unsupported":
                before = _put(values, leaf.path, None)
                try:
                    data = self.schema.read(values)
                except MismatchError:
                    _put(values, leaf.path, before)
        return data


def _is_said(path: str, fields: dict[str, FieldEvidence]) -> bool:
    return any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in fields)


def _put(values: Any, path: Path, value: Any) -> Any:
    """What stood at the path, where now `value` stands."""
    here = values
    for step in path[:-1]:
        here = here[step]
    before, here[path[-1]] = here[path[-1]], value
    return before


def _restored(value: Any) -> Any:
    """Values with the control tokens that were broken up for the model as the documents write them."""
    if isinstance(value, str):
        return value.replace("<\u200b", "<")
    if isinstance(value, list):
        return [_restored(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _restored(one) for key, one in cast("dict[str, Any]", value).items()}
    return value


def _doubts(fields: dict[str, FieldEvidence]) -> tuple[str, ...]:
    kinds = (
        ("unsupported", "no passage has these values, check them"),
        ("empty", "the documents do not say"),
        ("default", "the schema's own values, not the documents'"),
    )
    found: list[str] = []
    for support, words in kinds:
        paths = [path for path, one in fields.items() if one.support == support]
        if paths:
            more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
            found.append(f"{words}: {', '.join(paths[:_NAMED])}{more}")
    return tuple(found)
