"""The one table of models: what each can read, what it is good at, what it costs in memory, each fact with its source.

From it come routes, budgets, serve commands, compose files and memory sums. It asks nothing and knows no endpoint.

Sources, by the short names used below:
    card      the model's card on the hub, read 2026-11 (windows, languages, benchmarks, licence)
    config    the model's config.json (layers, heads, sizes)
    RULER     Hsieh et al., RULER (2024), as the Phi-3.5 cards report it by length
    processor the vision model's own processor code, and its counts on a real server
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

ModelRole = Literal["mini", "moe", "vision", "embed", "rerank", "speech"]
ROLES: tuple[ModelRole, ...] = get_args(ModelRole)
ENCODERS: tuple[ModelRole, ...] = ("embed", "rerank")
"""Roles that read a text and write none."""

LANGUAGES = (
    *("ar", "cs", "da", "de", "en", "es", "fi", "fr", "he", "hu", "it", "ja"),
    *("ko", "nl", "no", "pl", "pt", "ru", "sv", "th", "tr", "uk", "zh"),
)
"""ISO 639-1 codes of the languages that Phi-3.5 was trained for. Source: card."""

_TILE_PIXELS = 336  # of a tile's side. Source: processor.
_TILE_TOKENS = 144  # of a tile, after merging two by two. Source: processor.
_VOCABULARY = 32_064  # Source: config.


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder's size, from which its memory follows. Source: config.

    Args:
        parameters: all of them, experts and image encoder included.
        kv_heads: key and value heads of a layer; fewer than query heads where these share them.
        head_dim: numbers of one head.
        hidden: numbers of one token.
    """

    parameters: int
    layers: int
    kv_heads: int
    head_dim: int
    hidden: int

    def kv_bytes_per_token(self, *, fp8: bool = False) -> int:
        """Bytes that one token of context keeps in the key-value cache.

        >>> MODELS["mini"].shape.kv_bytes_per_token() // 1024
        384
        """
        return 2 * self.layers * self.kv_heads * self.head_dim * (1 if fp8 else 2)

    def embedding_parameters(self) -> int:
        """Those of the input and output embeddings, which stay in 16 bits when the rest is made smaller."""
        return 2 * _VOCABULARY * self.hidden


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of one model.

    Args:
        hub: its id on the model hub.
        served: the name that our commands and defaults serve it under.
        window_tokens: what it can read at most, prompt and answer together.
        effective_tokens: how far its RULER score stays near that of short contexts; budgets default to it.
        ruler: RULER score by context length in tokens.
        scores: benchmark results in percent that the router rests on.
        images: pictures that one prompt may hold; 0 for a model that sees none.
        languages: ISO 639-1 codes; empty where it is not a question of languages.
        trusts_code: whether its files hold code that a server has to run (`--trust-remote-code`).
        note: what people should know before they choose it.
    """

    role: ModelRole
    name: str
    hub: str
    served: str
    licence: str
    shape: Shape
    window_tokens: int
    effective_tokens: int
    ruler: Mapping[int, float] = field(default_factory=dict[int, float])
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    images: int = 0
    languages: tuple[str, ...] = ()
    trusts_code: bool = False
    note: str = ""


MODELS: Mapping[ModelRole, Model] = {
    "mini": Model(
        role="mini",
        name="Phi-3.5-mini-instruct",
        hub="microsoft/Phi-3.5-mini-instruct",
        served="phi-3.5-mini",
        licence="MIT",
        shape=Shape(parameters=3_821_000_000, layers=32, kv_heads=32, head_dim=96, hidden=3072),
        window_tokens=131_072,
        effective_tokens=32_768,
        ruler={4096: 94.3, 8192: 91.1, 16_384: 90.7, 32_768: 87.1, 65_536: 78.0, 131_072: 63.6},
        scores={"mmlu": 69.0, "multilingual_mmlu": 55.4, "gsm8k": 86.2, "humaneval": 62.8, "mbpp": 69.6, "arc": 84.6},
        languages=LANGUAGES,
        note="fast and small; every head has keys of its own, so that a long context costs three times MoE's memory",
    ),
    "moe": Model(
        role="moe",
        name="Phi-3.5-MoE-instruct",
        hub="microsoft/Phi-3.5-MoE-instruct",
        served="phi-3.5-moe",
        licence="MIT",
        shape=Shape(parameters=41_873_000_000, layers=32, kv_heads=8, head_dim=128, hidden=4096),
        window_tokens=131_072,
        effective_tokens=65_536,
        ruler={4096: 94.8, 8192: 93.0, 16_384: 93.2, 32_768: 91.6, 65_536: 85.7, 131_072: 64.2},
        scores={"mmlu": 78.9, "multilingual_mmlu": 69.9, "gsm8k": 88.7, "humaneval": 70.7, "mbpp": 80.8, "arc": 91.0},
        languages=LANGUAGES,
        note="16 experts, two at work for each token: better at other languages, code and reasoning, at ten times the weights",
    ),
    "vision": Model(
        role="vision",
        name="Phi-3.5-vision-instruct",
        hub="microsoft/Phi-3.5-vision-instruct",
        served="phi-3.5-vision",
        licence="MIT",
        shape=Shape(parameters=4_146_000_000, layers=32, kv_heads=32, head_dim=96, hidden=3072),
        window_tokens=131_072,
        effective_tokens=32_768,
        scores={"mmmu": 43.0, "mmbench": 81.9, "textvqa": 72.0, "blink": 57.0},
        images=16,
        languages=("en",),
        trusts_code=True,
        note="pictures, pages and frames; English first",
    ),
    "embed": Model(
        role="embed",
        name="multilingual-e5-small",
        hub="intfloat/multilingual-e5-small",
        served="multilingual-e5-small",
        licence="MIT",
        shape=Shape(parameters=118_000_000, layers=12, kv_heads=12, head_dim=32, hidden=384),
        window_tokens=512,
        effective_tokens=512,
        note="dense vectors in 94 languages",
    ),
    "rerank": Model(
        role="rerank",
        name="bge-reranker-v2-m3",
        hub="BAAI/bge-reranker-v2-m3",
        served="bge-reranker-v2-m3",
        licence="Apache-2.0",
        shape=Shape(parameters=568_000_000, layers=24, kv_heads=16, head_dim=64, hidden=1024),
        window_tokens=8192,
        effective_tokens=512,
        note="reads question and passage together, in many languages",
    ),
    "speech": Model(
        role="speech",
        name="whisper-large-v3-turbo",
        hub="openai/whisper-large-v3-turbo",
        served="whisper",
        licence="MIT",
        shape=Shape(parameters=809_000_000, layers=4, kv_heads=20, head_dim=64, hidden=1280),
        window_tokens=448,
        effective_tokens=448,
        note="speech to text for recordings without subtitles",
    ),
}


def image_pixels(width: int, height: int, num_crops: int) -> tuple[int, int]:
    """Width and height that Phi-3.5-vision scales a picture to: what it can use of it, and not a pixel more.

    The longer side becomes the largest multiple of a tile's whose tiles, with those of the other side, are at most `num_crops`.

    >>> image_pixels(1920, 1080, 4), image_pixels(1080, 1920, 16), image_pixels(64, 64, 1)
    ((672, 378), (945, 1680), (336, 336))
    """
    ratio = max(width, height) / max(1, min(width, height))
    long = 1
    while (long + 1) * math.ceil((long + 1) / ratio) <= num_crops:
        long += 1
    sides = long * _TILE_PIXELS, max(1, int(long * _TILE_PIXELS / ratio))
    return sides if width >= height else (sides[1], sides[0])


def image_tokens(width: int, height: int, num_crops: int) -> int:
    """Tokens that Phi-3.5-vision spends on a picture of `width` by `height` pixels; small ones are enlarged and cost as much.

    Source: processor; equal to a real server's own count for every shape that was tried.

    >>> image_tokens(1920, 1080, 4), image_tokens(1000, 1000, 16), image_tokens(64, 64, 1)
    (757, 2509, 313)
    """
    columns, rows = (math.ceil(side / _TILE_PIXELS) for side in image_pixels(width, height, num_crops))
    return (columns * rows + 1) * _TILE_TOKENS + 1 + (rows + 1) * 12
