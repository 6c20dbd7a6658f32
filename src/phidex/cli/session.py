"""How a command opens the SDK, limits a question, and prints for machines."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phidex.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from phidex.retrieval.filters import Filters
    from phidex.sdk import Phidex
    from phidex.settings import Settings

_SHOWN = 20  # names of what there is, in a hint


@contextlib.contextmanager
def open_phidex(
    data: Path | None,
    ingest: Mapping[str, Any] | None = None,
    *,
    pack: Mapping[str, Any] | None = None,
    password: str = "",
) -> Generator[Phidex]:
    """The SDK.

    Args:
        ingest, pack: settings of these sections, in place of the environment's.
        password: tried on encrypted documents before those of the settings; "" for none.
    """
    from phidex.sdk import Phidex

    settings = read_settings(data, ingest, pack)
    if password:
        settings = _with_password(settings, password)
    with Phidex(settings=settings) as phidex:
        yield phidex


def read_settings(
    data: Path | None, ingest: Mapping[str, Any] | None = None, pack: Mapping[str, Any] | None = None
) -> Settings:
    """The settings, and the log as they want it."""
    from phidex.settings import load_settings  # pydantic takes longer to import than all the rest of `phidex --help`

    given = {"data": data, "ingest": ingest, "pack": pack}
    settings = load_settings(**{name: value for name, value in given.items() if value})
    logging.basicConfig(level=settings.log.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs, and with them passwords
    return settings


def _with_password(settings: Settings, password: str) -> Settings:
    from pydantic import SecretStr

    passwords = (SecretStr(password), *settings.ingest.passwords)
    return settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"passwords": passwords})})


@contextlib.contextmanager
def resumable() -> Generator[None]:
    """What may be interrupted, and be gone on with by the same command."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted; what was written stays, and the same command goes on from there", file=sys.stderr)
        raise SystemExit(130) from None


def print_json(value: Any) -> None:
    """Print what machines read."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def read_filters(
    phidex: Phidex,
    collection: str,
    *,
    languages: Sequence[str] | None,
    sources: Sequence[str] | None,
    kinds: Sequence[str] | None,
    tags: Sequence[str] | None,
    pages: str | None,
) -> Filters:
    """What a question is limited to. A language or tag that no source has is told: an error where all that were named are such.

    Raises:
        InputError: a value is no kind, no language or no range of pages.
        NotFoundError: a source, or all tags or all languages, are not in the collection.
    """
    from phidex.ingest.records import KINDS
    from phidex.retrieval.filters import Filters, page_range

    kinds = [kind.lower() for kind in kinds or ()]
    languages = [language.lower() for language in languages or ()]
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"there is no kind {kind!r}", hint=f"kinds are: {', '.join(KINDS)}")
    for language in languages:
        if not (language.isalpha() and len(language) in (2, 3)):
            raise InputError(f"{language!r} is no language code", hint="write ISO 639-1, such as en, de or ja")
    if languages:
        _tell_unknown("passage is in the language", "languages", languages, phidex.languages(collection))
    if tags:
        have = sorted({tag for entry in phidex.sources(collection) for tag in entry.source.tags})
        _tell_unknown("source has the tag", "tags", tags, have)
    return Filters(
        sources=tuple(phidex.find_sources(*sources, collection=collection)) if sources else (),
        kinds=tuple(kinds),
        languages=tuple(languages),
        tags=tuple(tags or ()),
        pages=page_range(pages) if pages else None,
    )


def _tell_unknown(what: str, plural: str, named: Sequence[str], have: Iterable[str]) -> None:
    known = list(have)
    unknown = [value for value in named if value not in known]
    if not unknown:
        return
    more = ", …" if len(known) > _SHOWN else ""
    message = f"no {what} {' or '.join(map(repr, unknown))}"
    hint = f"{plural} that there are: {', '.join(known[:_SHOWN])}{more}" if known else f"there are no {plural} at all"
    if len(unknown) == len(named):
        raise NotFoundError(message, hint=hint)
    print(f"note: {message} ({hint})", file=sys.stderr)
