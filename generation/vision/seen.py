"""What an answer says of pictures, told honestly: that it rests on what was seen, or that nothing was looked at.

A citation is compared with stored text, and a picture has none: what a model saw in one can be looked up by a person, at the
place that the citation names, and by nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from phidex.generation.answer import Answer, Citation
from phidex.generation.routing.route import seeing_model, served_roles
from phidex.generation.vision.wanted import Wanted
from phidex.settings import ChatSettings

SEEN = "seen in a picture, which cannot be compared with text"
"""The reason of a citation or claim that no text bears out, where its source was shown as a picture."""

_DOUBT = re.compile(r"((?:\[\d+\])+) does not clearly support: ")


def citation_of_picture(citation: Citation, shown: Collection[int]) -> Citation:
    """The citation, with its reason where only a picture can bear it out.

    Args:
        shown: markers of the sources that were shown.
    """
    if citation.verified or citation.marker not in shown:
        return citation
    return replace(citation, reason=SEEN)


def answer_from_pictures(answer: Answer, shown: Collection[int]) -> Answer:
    """The answer, with its reason where only a picture can bear out what no text does: one sentence in the place of doubts.

    Args:
        shown: see `citation_of_picture`.
    """
    if not shown:
        return answer
    claims = tuple(
        replace(claim, reason=SEEN, is_comparable=False)
        if claim.status == "unsupported" and not set(claim.markers).isdisjoint(shown)
        else claim
        for claim in answer.claims
    )
    kept = tuple(text for text in answer.warnings if _doubted(text).isdisjoint(shown))
    seen = sorted({marker for claim in claims if claim.reason == SEEN for marker in claim.markers if marker in shown})
    names = "".join(f"[{marker}]" for marker in seen)
    told = (f"what is said of {names} was {SEEN}: look for yourself",) if seen else ()
    citations = tuple(citation_of_picture(citation, shown) for citation in answer.citations)
    return replace(answer, claims=claims, citations=citations, warnings=(*kept, *told))


def unseen_warning(answer: Answer, wanted: Sequence[Wanted], settings: ChatSettings) -> tuple[str, ...]:
    """That the pictures were not looked at, and why; nothing where they were, or where no model reads anything."""
    attached = any(one.kind == "attached" for one in wanted)
    no_model = not served_roles(settings) and not seeing_model(settings)
    if answer.route.role == "vision" or not wanted or (no_model and not attached):
        return ()
    pictures = "a picture was" if len(wanted) == 1 else f"{len(wanted)} pictures were"
    if not seeing_model(settings):
        return (
            f"{pictures} not looked at: set PHIDEX_CHAT__VISION and its endpoint to a model that sees, such as Phi-3.5-vision",
        )
    asked_for = answer.route.reason.endswith("was asked for")
    why = answer.route.reason if asked_for else f"{settings.vision} could not be asked"
    return (f"{pictures} not looked at: {why}",)


def _doubted(warning: str) -> set[int]:
    """The markers of a warning that a claim is not borne out by their text."""
    found = _DOUBT.match(warning)
    return {int(number) for number in re.findall(r"\d+", found.group(1))} if found else set()
