"""The settings of each stage: one section a stage, every field with a description, a unit and bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo


class Section(BaseModel):
    """A section's rules: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StoreSettings(Section):
    """Where the points live: the embedded engine under `data`, or a Qdrant server when `url` is set."""

    url: str = Field(default="", description="Qdrant server, e.g. http://localhost:6333; empty for the embedded engine")
    api_key: SecretStr | None = Field(default=None, description="key of the Qdrant server")
    prefer_grpc: bool = Field(default=False, description="talk gRPC to the server")
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="seconds to wait for the store")
    idle_s: float = Field(
        default=300.0, ge=1, le=86_400, description="the engine's process leaves after this many idle seconds"
    )
    min_free_mb: int = Field(default=256, ge=0, description="writes are refused when less than this many MB of disk are free")
    index: Literal["auto", "exact", "hnsw"] = Field(
        default="auto",
        description="search of dense vectors: auto: exact below `index_from` chunks, a graph (HNSW) from there on",
    )
    index_from: int = Field(
        default=100_000, ge=1_000, le=1_000_000_000, description="chunks from which `auto` indexes, quantizes and goes to disk"
    )
    quantization: Literal["auto", "none", "int8", "binary"] = Field(
        default="auto",
        description="vectors held in memory: auto: int8 with a graph, else full ones; binary: for models made for it",
    )
    rescore: bool = Field(default=True, description="score candidates found by quantized vectors again with the full ones")
    oversampling: float = Field(default=2.0, ge=1, le=32, description="times as many candidates are scored again as are wanted")
    on_disk: Literal["auto", "never", "always"] = Field(
        default="auto", description="full vectors and the term index on disk, not in memory: auto: from `index_from` chunks on"
    )
    hnsw_m: int = Field(default=16, ge=4, le=128, description="edges of a node of the graph")
    hnsw_ef_construct: int = Field(
        default=64, ge=8, le=2000, description="candidates looked at when a node is put into the graph"
    )
    hnsw_ef: int = Field(default=128, ge=8, le=10_000, description="candidates that a search of the graph keeps")
    shards: int | None = Field(
        default=None, ge=1, le=10_000, description="cluster: shards of new collections; default: the server's"
    )
    replicas: int | None = Field(default=None, ge=1, le=100, description="cluster: copies of each shard of new collections")
    write_consistency: int | None = Field(
        default=None, ge=1, le=100, description="cluster: copies that must have a write before it counts as done"
    )
    read_consistency: Literal["majority", "quorum", "all"] | int | None = Field(
        default=None, description="cluster: copies that a read asks: a number, majority, quorum or all; default: one"
    )


class IngestSettings(Section):
    """How documents are cut."""

    chunk_tokens: int = Field(default=256, ge=32, le=8192, description="upper bound of a chunk, in tokens of `tokenizer`")
    tokenizer: Path | None = Field(
        default=None, description="a tokenizer.json to measure with; default: the built-in script-aware one"
    )
    max_file_mb: int = Field(default=1024, ge=1, description="larger files are refused, in MB")
    max_recording_mb: int = Field(
        default=20_480, ge=1, description="likewise of video and audio files, which are read in parts"
    )
    engine: Literal["local", "ray"] = Field(
        default="local", description="where files are read and passages embedded: worker processes here, or a Ray cluster"
    )
    ray_address: str = Field(
        default="", description="head of the Ray cluster, as host:port or ray://…; empty: one is started on this machine"
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="worker processes; 0: as many as cores and free memory allow (of the cluster: cores)",
    )
    memory_mb: int = Field(
        default=2048, ge=256, le=1_048_576, description="MB that a worker may use; a file that needs more is named as failed"
    )
    timeout_s: float = Field(
        default=120.0, ge=1, le=86_400, description="seconds without progress after which a file is given up"
    )
    blobs: str = Field(
        default="",
        description="where pictures and what lies nowhere else are kept: a folder, or a URL that fsspec opens, such as s3://…; "
        "default: `blobs` in the data folder",
    )
    quality: Literal["fast", "balanced", "layout"] = Field(
        default="balanced",
        description="fast: text alone; balanced: tables and figures where a page hints at them; layout: a model on every page",
    )
    ocr: Literal["auto", "off", "always"] = Field(
        default="auto", description="which pages Tesseract recognises: auto: those without text of their own"
    )
    ocr_languages: tuple[str, ...] = Field(
        default=(), description='ISO 639-1 codes to expect on scans, as JSON: ["en", "de"]; default: found out page by page'
    )
    describe: bool = Field(default=False, description="have the vision model (PHIDEX_CHAT__VISION) describe figures")
    max_pages: int = Field(default=50_000, ge=1, le=10_000_000, description="documents with more pages are refused")
    passwords: tuple[SecretStr, ...] = Field(
        default=(), description='passwords tried on encrypted documents, in order, as JSON: ["first", "second"]'
    )
    git: bool = Field(default=True, description="folders under git are read as repositories: .gitignore, commits, rules")
    take: tuple[Literal["vendored", "generated", "minified", "lock file"], ...] = Field(
        default=(), description='what rules leave out of repositories and is wanted all the same, as JSON: ["generated"]'
    )
    submodules: bool = Field(default=False, description="read the submodules of repositories too")
    git_timeout_s: float = Field(default=1800.0, ge=10, le=86_400, description="seconds that one command of git may take")
    archive_depth: int = Field(default=3, ge=0, le=8, description="archives in archives that are opened; 0 opens none")
    max_archive_entries: int = Field(default=100_000, ge=1, le=10_000_000, description="entries read of one archive")
    max_archive_mb: int = Field(default=10_240, ge=1, le=1_048_576, description="MB unpacked of one archive, all in all")
    max_archive_ratio: int = Field(
        default=200, ge=2, le=10_000, description="an archive that unpacks to more than this many times its size is not read on"
    )
    download_timeout_s: float = Field(default=600.0, ge=1, le=86_400, description="seconds for one download, all in all")
    allow_http: bool = Field(default=False, description="take http:// URLs too, which anyone on the way can change")
    allow_private_urls: bool = Field(
        default=False, description="take URLs into this machine and private networks: only where you trust who names them"
    )
    guard_repositories: bool = Field(
        default=False,
        description="go to repositories as to documents: never into private networks, by https alone, and without the "
        "credentials and keys of whoever runs this; `phidex serve` always does",
    )


class SpeechSettings(Section):
    """Speech to text, for recordings that have no transcript beside or inside them."""

    url: str = Field(
        default="", description="OpenAI-compatible transcription endpoint (vLLM serving Whisper), e.g. http://localhost:8003/v1"
    )
    model: str = Field(
        default="",
        description="name of the model at `url`, empty for the only one; without `url`, a folder or hub id for faster-whisper, "
        "e.g. small",
    )
    api_key: SecretStr | None = Field(default=None, description="bearer key of the endpoint")
    language: str = Field(
        default="",
        pattern="^([a-z]{2,3})?$",
        description="ISO 639-1 code of what is spoken; empty: found out for each recording",
    )
    languages: tuple[str, ...] = Field(
        default=(),
        description='which transcript to read where there are several, the first that there is, as JSON: ["en", "de"]',
    )
    diarize: bool = Field(
        default=False, description="ask the endpoint for speakers too (`diarized_json`): for models that tell"
    )
    piece_s: float = Field(
        default=540.0, ge=30, le=600, description="seconds of audio in one request, cut at silences; vLLM refuses more than 600"
    )
    timeout_s: float = Field(default=300.0, gt=0, le=3600, description="seconds to wait for the text of one piece")
    retries: int = Field(default=2, ge=0, le=10, description="further attempts after a failure of the endpoint that may pass")
    compute_type: str = Field(
        default="int8", description="number type of faster-whisper: int8, int8_float16, float16, float32 …"
    )
    allow_download: bool = Field(default=False, description="whether faster-whisper may fetch its model from the hub")


class EmbedSettings(Section):
    """The dense leg."""

    model: str = Field(
        default="auto",
        description="auto | bundled | multilingual | fast | endpoint | none | a local path or hub id of a "
        "sentence-transformers model. fast: a static multilingual model, without torch; endpoint: served at `url`",
    )
    query_prompt: str | None = Field(
        default=None, description="text put before queries; default: what the model is known to need"
    )
    passage_prompt: str | None = Field(
        default=None, description="text put before passages; default: what the model is known to need"
    )
    languages: tuple[str, ...] | None = Field(
        default=None,
        description='ISO 639-1 codes that the model knows, as JSON: ["en", "de"]; default: what is known of it, else all',
    )
    hub_timeout_s: float = Field(default=10.0, gt=0, le=120, description="seconds that `auto` waits for the model hub in all")
    threads: int = Field(default=0, ge=0, le=256, description="CPU threads of the model; 0 lets torch decide")
    dimensions: int | None = Field(
        default=None,
        ge=8,
        le=16_384,
        description="shorten vectors to this length: for models trained for it (Matryoshka); default: their full length",
    )
    url: str = Field(default="", description="OpenAI-compatible endpoint of `endpoint`, e.g. http://localhost:8001/v1")
    api_key: SecretStr | None = Field(default=None, description="bearer key of the endpoint")
    served: str = Field(default="", description="name of the model at the endpoint; empty: the only one that it serves")
    batch: int = Field(default=64, ge=1, le=2048, description="passages in one request to the endpoint")
    concurrency: int = Field(default=4, ge=1, le=64, description="requests to the endpoint at the same time")
    timeout_s: float = Field(default=60.0, gt=0, le=3600, description="seconds to wait for a reply of the endpoint")
    retries: int = Field(default=3, ge=0, le=10, description="further attempts after a failure of the endpoint that may pass")


class RerankSettings(Section):
    """A second look at the best hits, by a model that reads question and passage together."""

    model: str = Field(
        default="off",
        description="off | endpoint | a local path or hub id of a cross-encoder for sentence-transformers, "
        "e.g. BAAI/bge-reranker-v2-m3",
    )
    candidates: int = Field(default=50, ge=2, le=1000, description="hits that are read again")
    max_tokens: int = Field(default=512, ge=16, le=32_768, description="tokens of question and passage together; more is cut")
    url: str = Field(
        default="",
        description="where `endpoint` is: vLLM, Jina or Cohere (http://localhost:8002/v1), or TEI (http://localhost:8080)",
    )
    api_key: SecretStr | None = Field(default=None, description="bearer key of the endpoint")
    served: str = Field(default="", description="name of the model at the endpoint; empty: the only one that it serves")
    timeout_s: float = Field(default=20.0, gt=0, le=600, description="seconds to wait for a reply of the endpoint")
    retries: int = Field(default=1, ge=0, le=10, description="further attempts after a failure of the endpoint that may pass")


class SearchSettings(Section):
    """How the legs are asked and fused."""

    candidates: int = Field(default=100, ge=10, le=2000, description="hits asked of each leg before fusion")
    limit: int = Field(default=10, ge=1, le=500, description="hits returned")
    collapse: bool = Field(
        default=True, description="show passages that are nearly the same as one hit, which names the others"
    )
    diversity: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="above 0, hits that repeat what better ones say stand back (MMR); 1: by that alone",
    )
    expand: Literal["off", "neighbours", "section", "document"] = Field(
        default="neighbours",
        description="what the best hits bring along into an answer's context: passages around, the section, documents that fit",
    )
    expand_hits: int = Field(default=3, ge=1, le=500, description="how many hits, the best ones, are expanded")
    expand_tokens: int = Field(default=2_000, ge=0, le=131_072, description="tokens that expansion adds at most")
    rewrite: Literal["auto", "off", "words", "model"] = Field(
        default="auto",
        description="follow-up questions: searched with words of an earlier question (words), or rewritten by the model, "
        "where one is set; auto: the model where the question hangs on an earlier one",
    )
    decompose: bool = Field(default=False, description="have the model take compound questions apart, into four at most")
    translate: bool = Field(
        default=False,
        description="have the model translate questions into the collection's main languages that the dense leg cannot reach",
    )
    hypothetical: bool = Field(default=False, description="have the model guess an answer, and search for that too (HyDE)")
    rewrite_timeout_s: float = Field(default=10.0, gt=0, le=120, description="seconds for each of these; then it goes without")


class PackSettings(Section):
    """How much context an answer gets."""

    budget_tokens: int = Field(default=8_000, ge=256, le=131_072, description="tokens of prompt and answer together")
    reserve_tokens: int = Field(default=1_024, ge=16, le=16_384, description="tokens kept for the answer")
    mode: Literal["focused", "long", "whole"] = Field(
        default="focused",
        description="focused: the best passages; long: as many as `long_tokens` hold, each language and source with a share; "
        "whole: the chosen documents from beginning to end, in parts where they do not fit",
    )
    order: Literal["document", "rank", "edges", "reverse"] = Field(
        default="document",
        description="of the passages in a prompt: document: by source and place, which a server's prefix cache needs; "
        "rank: best first; edges: best first and last; reverse: best last",
    )
    hits: int = Field(default=30, ge=1, le=2000, description="hits that compete for the budget")
    long_tokens: int = Field(
        default=131_072, ge=1_024, le=131_072, description="tokens of prompt and answer together in modes `long` and `whole`"
    )
    long_hits: int = Field(default=2_000, ge=1, le=2_000, description="hits that compete for the budget in mode `long`")
    quota: float = Field(
        default=0.25, ge=0, le=0.5, description="mode `long`: part of the budget kept for languages, and as much for sources"
    )
    conversation_tokens: int = Field(
        default=32_768,
        ge=1_024,
        le=131_072,
        description="tokens that a conversation's prompt may grow to; then it is compacted",
    )
    follow_up_tokens: int = Field(
        default=2_000, ge=0, le=65_536, description="tokens of new passages that a later question of a conversation brings"
    )
    note_tokens: int = Field(
        default=512, ge=64, le=4_096, description="mode `whole`: tokens noted of each part that is read by itself"
    )
    tokenizer: Path | None = Field(
        default=None, description="tokenizer.json of the served model, where the server cannot count"
    )


class ChatSettings(Section):
    """The model endpoint; without one, answers are extractive."""

    url: str = Field(default="", description="OpenAI-compatible endpoint, e.g. http://localhost:8000/v1; empty for none")
    api_key: SecretStr | None = Field(default=None, description="bearer key of the endpoint")
    mini: str = Field(default="phi-3.5-mini", description="served name of Phi-3.5-mini")
    moe: str = Field(default="", description="served name of Phi-3.5-MoE; empty when it is not served")
    vision: str = Field(default="", description="served name of Phi-3.5-vision; empty when it is not served")
    moe_url: str = Field(default="", description="endpoint of Phi-3.5-MoE, where it is another than `url`")
    moe_api_key: SecretStr | None = Field(
        default=None, description="bearer key of `moe_url`; default: that of `url`, where both are on one host"
    )
    vision_url: str = Field(default="", description="endpoint of Phi-3.5-vision, where it is another than `url`")
    vision_api_key: SecretStr | None = Field(
        default=None, description="bearer key of `vision_url`; default: that of `url`, where both are on one host"
    )
    vision_crops: int = Field(
        default=4,
        ge=1,
        le=64,
        description="`num_crops` that Phi-3.5-vision is served with: tiles of 336 pixels that a picture is cut into at most",
    )
    vision_images: int = Field(
        default=16, ge=1, le=1_000, description="pictures that the vision server takes in one prompt (`--limit-mm-per-prompt`)"
    )
    vision_looks: int = Field(
        default=4,
        ge=0,
        le=64,
        description="prompts that may look over pictures before the answer, where one prompt cannot take all; 0: none",
    )
    window_tokens: int | None = Field(
        default=None, ge=512, le=10_000_000, description="window of the served models, where an endpoint does not tell it"
    )
    prefer: Literal["fast", "balanced", "best"] = Field(
        default="balanced",
        description="what the router leans to: `fast` keeps to the smaller model, `best` to the larger one where it helps",
    )
    escalate: bool = Field(
        default=True, description="have the larger model answer again where the smaller one's answer is doubtful"
    )
    repair: bool = Field(
        default=True, description="have a model correct its answer, once, where its sources do not bear out what it says"
    )
    concurrency: int = Field(
        default=8, ge=1, le=1024, description="requests to one role at the same time; more wait in a queue"
    )
    queue: int = Field(default=256, ge=0, le=10_000, description="requests that wait for one role; more are refused at once")
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="port on 127.0.0.1 that shows figures of model calls for Prometheus (/metrics); needs phidex[telemetry]",
    )
    temperature: float = Field(default=0.0, ge=0, le=2, description="sampling temperature")
    max_answer_tokens: int = Field(default=1_024, ge=16, le=16_384, description="upper bound of an answer")
    connect_timeout_s: float = Field(default=5.0, gt=0, le=60, description="seconds to connect")
    first_token_timeout_s: float = Field(default=300.0, gt=0, le=3600, description="seconds to the first token")
    stall_timeout_s: float = Field(
        default=60.0, gt=0, le=600, description="seconds between tokens before the stream counts as dead"
    )
    retries: int = Field(
        default=2, ge=0, le=10, description="further attempts after a retryable failure before the first token"
    )


class ServerSettings(Section):
    """`phidex serve`. Keys and grants are no settings: `phidex keys` makes them."""

    host: str = Field(default="127.0.0.1", description="address to listen on; others than this machine's own need keys")
    port: int = Field(default=8100, ge=1, le=65_535, description="port to listen on")
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description='names that requests may address it by, as JSON: ["docs.example.org"]; default: on this machine\'s own '
        "addresses localhost alone, elsewhere any",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description='web pages that may call it from a browser, as JSON: ["https://app.example.org"]; default: none'
    )
    requests_per_minute: int = Field(
        default=1_200, ge=0, le=1_000_000, description="requests of one key, unless it has a limit of its own; 0: no limit"
    )
    max_body_kb: int = Field(default=1_024, ge=16, le=65_536, description="KB of a request that is no upload")
    max_upload_mb: int = Field(
        default=2_048, ge=1, le=1_048_576, description="MB of one upload, unless the key has a limit of its own"
    )
    max_upload_files: int = Field(default=1_000, ge=1, le=100_000, description="files of one upload")
    threads: int = Field(default=16, ge=1, le=256, description="searches and look-ups at the same time; more wait")
    answers: int = Field(default=32, ge=1, le=1_024, description="answers and summaries at the same time; more wait")
    queue: int = Field(default=1_000, ge=1, le=100_000, description="requests that wait; more are refused at once")
    answer_timeout_s: float = Field(default=600.0, gt=0, le=86_400, description="seconds for an answer or a summary")
    body_timeout_s: float = Field(default=30.0, gt=0, le=600, description="seconds to wait for the next part of a request")
    shutdown_s: float = Field(default=20.0, gt=0, le=600, description="seconds that running answers have to end at a stop")
    job_days: int = Field(default=30, ge=1, le=3_650, description="days for which jobs that ended are kept")


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section that a field of `Settings` is; None of a plain one."""
    return field.annotation if isinstance(field.annotation, type) and issubclass(field.annotation, Section) else None


def variables(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    """Every variable that sets a field of the model, sections included, with its field."""
    for name, field in model.model_fields.items():
        yield prefix + name.upper(), field
        if section := section_of(field):
            yield from variables(section, f"{prefix}{name.upper()}__")
