"""What can be seen for one question: from its hits and what is attached to it, to the prompt with its pictures.

    hits, attached --wanted--> pictures --load--> --plan--> those that fit --beside--> prompt
                                                     `-- more than fit: --look--> the few to look at closely

The steps are in the files of their names; here is their order, and what is said of what they left out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from phidex.errors import BudgetError
from phidex.generation.assemble import Assembler, Prompt
from phidex.generation.chat import ChatModel
from phidex.generation.chat_wire import data_url
from phidex.generation.conversation import Conversation
from phidex.generation.models.table import MODELS, image_tokens
from phidex.generation.prompt import picture_messages
from phidex.generation.vision.beside import Shown, assemble_beside, picture_entry, place_of, text_tokens
from phidex.generation.vision.look import Looker
from phidex.generation.vision.plan import WRAP_TOKENS, Offer, groups_of, plan_pictures, room_for_pictures
from phidex.generation.vision.wanted import Files, Wanted, wanted_pictures
from phidex.ingest.records import Chunk, PageLocator, Picture, Source
from phidex.retrieval.count import estimate_tokens
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import LedgerEntry
from phidex.settings import ChatSettings

log = logging.getLogger(__name__)

_LABEL_TOKENS = 16  # of what stands before a picture, its place not counted

PageTexts = Callable[[Sequence[tuple[str, int]]], list[Chunk]]
"""Source id and page number of pages -> all passages on them."""


@dataclass(slots=True)
class Sight:
    """The pictures of one question. Not for two threads at once.

    Args:
        files: the blobs of the collection.
        passwords: tried on encrypted PDFs.
        attached: what somebody attached to the question.
        pages: first and last page that it names.
        page_texts: reads what else stands on pages that are shown.
        chat: for the first look over many.
        loaded: pictures that were read before, by key.
        looked: the pictures to look at closely, and how they were found, once that is known.
    """

    settings: ChatSettings
    files: Files
    passwords: tuple[str, ...] = ()
    attached: tuple[Wanted, ...] = ()
    pages: tuple[int, int] | None = None
    page_texts: PageTexts | None = None
    chat: ChatModel | None = None
    cancelled: threading.Event | None = None
    loaded: dict[str, Picture] = field(default_factory=dict[str, Picture])
    looked: tuple[list[Wanted], str] | None = None

    def wanted(self, hits: Sequence[Hit]) -> tuple[Wanted, ...]:
        """The pictures that may help, the best first. Nothing is read: it costs the router some microseconds."""
        return wanted_pictures(hits, self.attached, pages=self.pages)

    def prompt(
        self,
        assembler: Assembler,
        question: str,
        hits: Sequence[Hit],
        *,
        model: str,
        conversation: Conversation | None = None,
    ) -> Prompt:
        """The prompt with the pictures that fit; of text alone where there is none to show.

        Raises:
            BudgetError: the question does not fit, or not one of the attached pictures.
            ServiceError: the first look cannot be had.
        """
        wanted = self.wanted(hits)
        asked = wanted[: self.settings.vision_images * max(1, self.settings.vision_looks)]
        warnings = [f"{len(wanted) - len(asked)} further pictures were not looked at"] if len(asked) < len(wanted) else []
        warnings += self._load(asked)
        seen = [one for one in asked if one.key in self.loaded]
        limit = self._limit(assembler)
        recap = assembler.recap(conversation, limit) if conversation is not None else ""
        room = self._room(assembler, question, hits, limit, recap)
        looker = Looker(self.chat, model, self.cancelled) if self.chat is not None else None
        if self.looked is None:  # once, also where a smaller prompt has to be tried
            self.looked = self._first_look(question, seen, room, looker)
        close, note = self.looked
        shown, left_out = self._fitting(close, room)
        if self.attached and not shown:
            raise BudgetError(
                f"no attached picture fits the window of {limit:,} tokens beside the question",
                hint="serve the vision model with a larger window, or with fewer crops",
            )
        if left_out:
            told = "no more fit one prompt" if len(shown) == self.settings.vision_images else "the window has no room for more"
            warnings.append(f"{len(shown)} of {len(seen)} pictures were looked at: {told}")
        usages = tuple(looker.usages) if looker is not None else ()
        if not shown:
            if conversation is not None:
                prompt = assembler.turn(question, hits, conversation, model=model)
            else:
                prompt = assembler.single(question, hits)
            return replace(prompt, warnings=tuple(warnings), usages=usages)
        hits = [*hits, *self._beside(shown, hits)]
        prompt = assemble_beside(assembler, question, hits, shown, conversation=conversation, limit_tokens=limit, recap=recap)
        ledger = replace(prompt.context.ledger, entries=(*prompt.context.ledger.entries, *left_out))
        context = replace(prompt.context, ledger=ledger)
        return replace(prompt, context=context, note=note, warnings=tuple(warnings), usages=usages)

    def _load(self, wanted: Sequence[Wanted]) -> list[str]:
        """Reads what was not read yet; what cannot be had, in sentences."""
        fresh = [one for one in wanted if one.key not in self.loaded]
        if not fresh:
            return []
        from phidex.generation.vision.load import Loader  # Pillow and PyMuPDF: most questions need neither

        pictures, troubles = Loader(self.files, self.settings.vision_crops, self.passwords).load(fresh)
        self.loaded |= pictures
        if pictures or troubles:
            log.info("vision.loaded pictures=%d failed=%d", len(pictures), len(troubles))
        return troubles

    def _limit(self, assembler: Assembler) -> int:
        """Tokens of prompt and answer together: the text's budget, and what all pictures may cost, within the window."""
        most = MODELS["vision"].effective_tokens
        dearest = sorted(map(self._tokens, self.loaded.values()), reverse=True)[: self.settings.vision_images]
        return min(assembler.budget + sum(dearest), assembler.window or most)

    def _room(self, assembler: Assembler, question: str, hits: Sequence[Hit], limit: int, recap: str) -> int:
        """Tokens for pictures, beside the question, the answer and what text there is."""
        base = text_tokens(assembler, picture_messages(question, (), {}, recap=recap))
        text = min(sum(hit.chunk.token_count for hit in hits), assembler.budget - assembler.pack.reserve_tokens)
        return room_for_pictures(limit - assembler.pack.reserve_tokens - base, text)

    def _first_look(self, question: str, seen: list[Wanted], room: int, looker: Looker | None) -> tuple[list[Wanted], str]:
        """The pictures to look at closely, and what to say of how they were found; all of them where all fit."""
        fit, rest = self._fitting(seen, room)
        if not rest or not fit or not self.settings.vision_looks or looker is None:
            return seen, ""
        size = len(fit)
        groups = groups_of(len(seen), size, self.settings.vision_looks)

        def show(index: int) -> tuple[str, str]:
            one = seen[index]
            return place_of(one.hit), data_url(self.loaded[one.key])

        chosen = looker.choose(question, groups, show, size)
        looked = groups[-1].stop
        number = f"{looked} of {len(seen)}" if looked < len(seen) else f"{looked}"
        log.info("vision.looked pictures=%d groups=%d chosen=%d", looked, len(groups), len(chosen))
        if not chosen:
            return seen[:size], f"a first look over {number} pictures in {len(groups)} groups singled none out"
        note = f"a first look over {number} pictures in {len(groups)} groups chose {len(chosen)} for a close one"
        return [seen[index] for index in sorted(chosen)], note

    def _fitting(self, wanted: Sequence[Wanted], room: int) -> tuple[list[Shown], list[LedgerEntry]]:
        """Those that fit, and the entries of those that do not."""
        pictures = [self.loaded[one.key] for one in wanted]
        offers = [
            Offer(one.kind, picture.width, picture.height, rank, _LABEL_TOKENS + estimate_tokens(place_of(one.hit)))
            for rank, (one, picture) in enumerate(zip(wanted, pictures, strict=True))
        ]
        limit = self.settings.vision_images
        plan = plan_pictures(offers, crops=self.settings.vision_crops, limit=limit, room_tokens=room)
        shown = [Shown(wanted[one.index].hit, data_url(pictures[one.index]), one.tokens) for one in plan.shown]
        return shown, [picture_entry(wanted[one.index].hit, one.tokens, 0) for one in plan.left_out]

    def _beside(self, shown: Sequence[Shown], hits: Sequence[Hit]) -> list[Hit]:
        """What else stands on the pages that are shown: behind all hits, it takes what room they leave."""
        sources: dict[str, Source] = {}
        pages: dict[tuple[str, int], None] = {}
        for one in shown:
            place, source = one.hit.chunk.locator, one.hit.source
            if isinstance(place, PageLocator) and all(source.id != attached.hit.source.id for attached in self.attached):
                sources[source.id] = source
                pages[source.id, place.page_number] = None
        if not pages or self.page_texts is None:
            return []
        known = {hit.chunk.id for hit in hits}
        texts = sorted(self.page_texts(list(pages)), key=lambda chunk: chunk.order)
        return [Hit(chunk, sources[chunk.source_id], 0.0, {}) for chunk in texts if chunk.id not in known]

    def _tokens(self, picture: Picture) -> int:
        return image_tokens(picture.width, picture.height, self.settings.vision_crops) + WRAP_TOKENS
