"""The embedder seam: text in, dense vectors out, and what a collection remembers of who made them.

Implemented in `retrieval/sentence.py`, `retrieval/static.py` and `retrieval/served/embeddings.py`; chosen in
`retrieval/choose.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from phidex.retrieval.store import Floats

ENDPOINT = "endpoint:"  # before the names of models that are served
GIVEN = "given:"  # before the names of embedders that a program brings


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """What a collection remembers of its embedder.

    Args:
        model: hub id, local path, the name of the bundled model, or "endpoint:" and the name it is served under.
        dim: length of its vectors.
        fingerprint: of configuration and weights, or of what it makes of probes (`fingerprint.py`): two models of one name
            differ here.
        languages: ISO 639-1 codes that it knows; None when it knows all that matter.
        query_prompt, passage_prompt: text put before what is embedded.
    """

    model: str
    dim: int
    fingerprint: str
    languages: tuple[str, ...] | None = None
    query_prompt: str = ""
    passage_prompt: str = ""

    def knows(self, language: str) -> bool:
        """Whether text in this language gets a vector. Undetermined text does: it costs little and may be of use."""
        return self.languages is None or language in self.languages or language == "und"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> EmbedderIdentity:
        """The identity that `to_dict` was called on."""
        languages: list[str] | None = data["languages"]
        rest: dict[str, Any] = {name: value for name, value in data.items() if name != "languages"}
        return EmbedderIdentity(**rest, languages=None if languages is None else tuple(languages))


class Embedder(Protocol):
    """Text -> dense vectors, float32, rows L2-normalised."""

    @property
    def identity(self) -> EmbedderIdentity:
        """What this embedder is; reading it loads no weights."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Floats:
        """(n, dim). Long texts are truncated by tokens. Fastest on some hundred texts at once: they are batched by length."""
        ...

    def embed_query(self, text: str) -> Floats:
        """(dim,)"""
        ...
