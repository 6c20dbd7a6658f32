"""What of the documents a model reads to fill a schema: whole ones where they fit beside it, otherwise the best passages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phidex.generation.ask import Asker
from phidex.generation.assemble import Assembler
from phidex.generation.chat_wire import Message
from phidex.generation.passages import best_passages
from phidex.generation.weigh import Scale
from phidex.retrieval.filters import Filters
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, PackedBlock, pack_context
from phidex.settings import PackSettings

SHRINKS = (1.0, 0.7, 0.5, 0.35)
"""Of the budget, one after another, where only the server's refusal tells that it was too much."""

_MOST_PARTS = 12  # fields that are searched for by themselves
_MOST_CHARS = 1000  # of what is searched for: a schema may describe its fields at length


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs passages beside instructions, so that both and the answer's reserve fit by the count of the model that reads them.

    Args:
        window: of the served model in tokens; None where it is not known.
        write: the whole prompt with these blocks, schema and question included.
    """

    pack: PackSettings
    scale: Scale
    window: int | None
    write: Callable[[Sequence[PackedBlock]], list[Message]]

    def whole(self, hits: Sequence[Hit], shrink: float = 1.0) -> tuple[Context, bool]:
        """Passages from the first one on, as many as fit, and whether that is all.

        Raises:
            BudgetError: instructions and schema alone do not fit.
        """
        context = self._packed(hits, shrink, in_order=True)
        return context, all(entry.status != "budget" for entry in context.ledger.entries)

    def best(self, hits: Sequence[Hit], shrink: float = 1.0) -> Context:
        """The best passages. Raises: BudgetError, as `whole`."""
        return self._packed(hits, shrink, in_order=False)

    def _packed(self, hits: Sequence[Hit], shrink: float, *, in_order: bool) -> Context:
        def measure(blocks: Sequence[PackedBlock]) -> int:
            return self.scale.prompt(self.write(blocks))

        return pack_context(
            hits,
            budget_tokens=int(Assembler(self.pack, self.scale, self.window).budget * shrink),
            reserve_tokens=self.pack.reserve_tokens,
            prompt_tokens=measure(()),
            count=self.scale.each,
            counted_by=self.scale.counted_by,
            measure=measure,
            order=self.pack.order,
            in_order=in_order,
        )


def find_passages(
    asker: Asker, question: str, fields: Sequence[str], limits: Sequence[Filters], on_warning: Callable[[str], None]
) -> list[Hit]:
    """The passages that speak of the question and of each field, best first, with what belongs to the best of them."""
    first, *rest = [text[:_MOST_CHARS] for text in (question.strip(), *fields[:_MOST_PARTS]) if text]

    def look(text: str, limit: int) -> list[Hit]:
        return asker.search(text, limit, limits, on_warning)

    return best_passages(look, asker.collection, asker.settings, first, parts=rest, limits=limits)
