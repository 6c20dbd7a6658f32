"""What is known of embedding models: what to put before texts, which languages they were trained on, how long a text may be.

One table for every way a model is run (sentence-transformers here, or an endpoint that tells no more than a name). A model
that is not here is run without prompts, as one for all languages, unless `PHIDEX_EMBED__QUERY_PROMPT` and its neighbours say
otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CARD = "https://huggingface.co/"
# The languages of the teacher-student training: https://www.sbert.net/docs/sentence_transformer/pretrained_models.html
_SBERT_50 = (
    "ar", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gl", "gu", "he", "hi",
    "hr", "hu", "hy", "id", "it", "ja", "ka", "ko", "ku", "lt", "lv", "mk", "mn", "mr", "ms", "my", "nb",
    "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "th", "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
_SEARCH = "Represent this sentence for searching relevant passages: "
_INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model, or a family of them.

    Args:
        names: a pattern of the last part of their names, in lower case.
        hub: the id on the Hugging Face hub; "" for a family, and for what is served only.
        dim: length of the vectors; 0 where it differs within the family.
        query_prompt, passage_prompt: text put before questions and passages.
        languages: ISO 639-1 codes; None for a hundred languages, or as good as all.
        max_tokens: more of a text is not read; 0: no bound.
        source: where all this is written.
    """

    names: str
    hub: str
    dim: int
    licence: str
    max_tokens: int
    languages: tuple[str, ...] | None = None
    query_prompt: str = ""
    passage_prompt: str = ""
    source: str = ""

    @property
    def card(self) -> str:
        """Where the facts are from."""
        return self.source or _CARD + self.hub


_EN = ("en",)
# The first match counts: the particular before the general.
KNOWN_MODELS = (
    KnownModel(
        r"multilingual-e5-large-instruct", "intfloat/multilingual-e5-large-instruct", 1024, "MIT", 512, query_prompt=_INSTRUCT
    ),
    KnownModel(
        r"multilingual-e5-small", "intfloat/multilingual-e5-small", 384, "MIT", 512,
        query_prompt="query: ", passage_prompt="passage: ",
    ),
    KnownModel(
        r"multilingual-e5-base", "intfloat/multilingual-e5-base", 768, "MIT", 512,
        query_prompt="query: ", passage_prompt="passage: ",
    ),
    KnownModel(
        r"multilingual-e5-large", "intfloat/multilingual-e5-large", 1024, "MIT", 512,
        query_prompt="query: ", passage_prompt="passage: ",
    ),
    KnownModel(
        r"e5-(small|base|large)(-unsupervised|-v2)?", "", 0, "MIT", 512, _EN, "query: ", "passage: ",
        _CARD + "intfloat/e5-base-v2",
    ),
    KnownModel(r"e5-mistral-7b-instruct", "intfloat/e5-mistral-7b-instruct", 4096, "MIT", 4096, _EN, _INSTRUCT),
    KnownModel(
        r"(.*[-_])?e5([-_].*)?", "", 0, "of its author", 512, None, "query: ", "passage: ", _CARD + "intfloat/e5-base-v2"
    ),  # what others have trained on from these
    KnownModel(r"bge-m3", "BAAI/bge-m3", 1024, "MIT", 8192),
    KnownModel(r"bge-(small|base|large)-en(-v1\.5)?", "", 0, "MIT", 512, _EN, _SEARCH, "", _CARD + "BAAI/bge-base-en-v1.5"),
    KnownModel(
        r"bge-(small|base|large)-zh(-v1\.5)?", "", 0, "MIT", 512, ("zh",), "为这个句子生成表示以用于检索相关文章：", "",
        _CARD + "BAAI/bge-base-zh-v1.5",
    ),
    KnownModel(r"gte-multilingual-base", "Alibaba-NLP/gte-multilingual-base", 768, "Apache-2.0", 8192),
    KnownModel(r"gte-(small|base|large)(-en-v1\.5)?", "", 0, "MIT", 512, _EN, source=_CARD + "thenlper/gte-base"),
    KnownModel(r"all-minilm(-l6-v2)?", "sentence-transformers/all-MiniLM-L6-v2", 384, "Apache-2.0", 256, _EN),
    KnownModel(r"all-minilm-l12-v2", "sentence-transformers/all-MiniLM-L12-v2", 384, "Apache-2.0", 128, _EN),
    KnownModel(r"all-mpnet-base-v2", "sentence-transformers/all-mpnet-base-v2", 768, "Apache-2.0", 384, _EN),
    KnownModel(
        r"paraphrase-multilingual-minilm-l12-v2", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 384,
        "Apache-2.0", 128, _SBERT_50,
    ),
    KnownModel(
        r"paraphrase-multilingual(-mpnet-base-v2)?", "sentence-transformers/paraphrase-multilingual-mpnet-base-v2", 768,
        "Apache-2.0", 128, _SBERT_50,
    ),
    KnownModel(
        r"static-similarity-mrl-multilingual-v1", "sentence-transformers/static-similarity-mrl-multilingual-v1", 1024,
        "Apache-2.0", 0, _SBERT_50,
    ),
    KnownModel(
        r"static-retrieval-mrl-en-v1", "sentence-transformers/static-retrieval-mrl-en-v1", 1024, "Apache-2.0", 0, _EN
    ),
    KnownModel(r"potion-multilingual-128m", "minishlab/potion-multilingual-128M", 256, "MIT", 0),
    KnownModel(r"potion-(base-\w+|retrieval-32m)", "", 0, "MIT", 0, _EN, source=_CARD + "minishlab/potion-retrieval-32M"),
    KnownModel(
        r"nomic-embed-text-v2-moe", "nomic-ai/nomic-embed-text-v2-moe", 768, "Apache-2.0", 512,
        query_prompt="search_query: ", passage_prompt="search_document: ",
    ),
    KnownModel(
        r"nomic-embed-text(-v1(\.5)?)?", "nomic-ai/nomic-embed-text-v1.5", 768, "Apache-2.0", 8192, _EN,
        "search_query: ", "search_document: ",
    ),
    KnownModel(
        r"jina-embeddings-v3", "jinaai/jina-embeddings-v3", 1024, "CC-BY-NC-4.0", 8192,
        query_prompt="Represent the query for retrieving evidence documents: ",
        passage_prompt="Represent the document for retrieval: ",
    ),
    KnownModel(r"jina-embeddings-v2-base-en", "jinaai/jina-embeddings-v2-base-en", 768, "Apache-2.0", 8192, _EN),
    KnownModel(
        r"mxbai-embed-large(-v1)?", "mixedbread-ai/mxbai-embed-large-v1", 1024, "Apache-2.0", 512, _EN, _SEARCH
    ),
    KnownModel(
        r"snowflake-arctic-embed-[ml]-v2\.0", "Snowflake/snowflake-arctic-embed-l-v2.0", 0, "Apache-2.0", 8192,
        query_prompt="query: ",
    ),
    KnownModel(r"qwen3-embedding-0\.6b", "Qwen/Qwen3-Embedding-0.6B", 1024, "Apache-2.0", 32_768, query_prompt=_INSTRUCT),
    KnownModel(
        r"qwen3-embedding(-[48]b)?", "", 0, "Apache-2.0", 32_768, None, _INSTRUCT, "", _CARD + "Qwen/Qwen3-Embedding-8B"
    ),
    KnownModel(
        r"embeddinggemma(-300m)?", "google/embeddinggemma-300m", 768, "Gemma", 2048,
        query_prompt="task: search result | query: ", passage_prompt="title: none | text: ",
    ),
    KnownModel(
        r"text-embedding-3-(small|large)", "", 0, "served only", 8191,
        source="https://platform.openai.com/docs/guides/embeddings",
    ),
)  # fmt: skip


def known_model(name: str) -> KnownModel | None:
    """What is known of a model, by its hub id, its path, or the name it is served under; None: nothing.

    >>> known_model("intfloat/multilingual-e5-small").passage_prompt
    'passage: '
    >>> known_model("bge-m3:latest").hub
    'BAAI/bge-m3'
    >>> known_model("my-own-model") is None
    True
    """
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1].split(":")[0].lower()
    return next((known for known in KNOWN_MODELS if re.fullmatch(known.names, last)), None)


def hub_id(name: str) -> str:
    """The hub id that a short name stands for ("bge-m3"); a name that stands for nothing else stays as it is."""
    known = known_model(name) if "/" not in name else None
    return known.hub if known and known.hub else name
