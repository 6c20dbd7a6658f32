"""What endpoints of other makes answer, and faults: each forced by a transport in the place of the network."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from phidex.errors import ConfigError, InputError, PhidexError, ServiceError
from phidex.retrieval.choose import choose_embedder, open_embedder
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.fingerprint import PROBES, agree, fingerprint_of
from phidex.retrieval.rerank import choose_reranker, try_scores
from phidex.retrieval.served import connection
from phidex.retrieval.served.connection import Connection
from phidex.retrieval.served.embeddings import ServedEmbedder
from phidex.retrieval.served.scores import ServedReranker
from phidex.settings import EmbedSettings, RerankSettings

URL = "http://127.0.0.1:1/v1"
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(connection.time, "sleep", waited.append)
    return waited


def vector_of(text: str, dim: int = 8) -> list[float]:
    return np.random.default_rng(list(text.encode())).normal(size=dim).tolist()


def embeddings(body: dict[str, Any], dim: int = 8) -> httpx.Response:
    if not body:  # another question than for vectors
        return httpx.Response(404)
    rows: list[dict[str, Any]] = [{"index": n, "embedding": vector_of(text, dim)} for n, text in enumerate(body["input"])]
    return httpx.Response(200, json={"data": rows[::-1]})  # in no order that counts


class Server:
    """Answers by a function of path and body; remembers what it was asked."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], httpx.Response]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[httpx.Headers] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body: dict[str, Any] = json.loads(request.content) if request.content else {}
        self.asked.append((request.url.path, body))
        self.headers.append(request.headers)
        return self.answer(request.url.path, body)

    def embedder(self, identity: EmbedderIdentity | None = None, **values: Any) -> ServedEmbedder:
        settings = EmbedSettings.model_validate({"model": "endpoint", "url": URL, "served": "m", **values})
        return ServedEmbedder(settings, identity=identity, transport=httpx.MockTransport(self))

    def reranker(self, **values: Any) -> ServedReranker:
        settings = RerankSettings.model_validate({"model": "endpoint", "url": URL, "served": "m", **values})
        return ServedReranker(settings, transport=httpx.MockTransport(self))


def failing(status: int, message: str, **headers: str) -> Server:
    return Server(lambda path, body: httpx.Response(status, json={"error": {"message": message}}, headers=headers))


# Embeddings


def test_base64_and_numbers_are_the_same_vectors() -> None:
    def in_base64(path: str, body: dict[str, Any]) -> httpx.Response:
        if not body or body.get("encoding_format") != "base64":
            return embeddings(body)
        rows = [base64.b64encode(np.array(vector_of(text), "<f4").tobytes()).decode() for text in body["input"]]
        return httpx.Response(200, json={"data": [{"index": n, "embedding": row} for n, row in enumerate(rows)]})

    texts = ["one", "two", "three"]
    first = Server(in_base64).embedder().embed_passages(texts)
    assert np.allclose(first, Server(lambda path, body: embeddings(body)).embedder().embed_passages(texts), atol=1e-6)
    expected = np.array([vector_of(text) for text in texts])
    assert np.allclose(first, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("status", [400, 422])
def test_what_a_server_does_not_know_is_left_out_from_then_on(status: int) -> None:
    def strict(path: str, body: dict[str, Any]) -> httpx.Response:
        for name in body.keys() - {"model", "input", "encoding_format"}:
            return httpx.Response(status, json={"error": {"message": f"Unrecognized request argument supplied: {name}"}})
        return embeddings(body)

    server = Server(strict)
    embedder = server.embedder()
    embedder.embed_passages(["a"])
    asked = len(server.asked)
    embedder.embed_query("b")
    assert len(server.asked) == asked + 1
    assert server.asked[-1][1].keys() == {"model", "input", "encoding_format"}


def test_a_text_that_is_too_long_is_halved_until_it_fits_and_the_others_are_whole() -> None:
    def short(path: str, body: dict[str, Any]) -> httpx.Response:
        if body and max(map(len, body["input"])) > 100:
            return httpx.Response(400, json={"error": {"message": "maximum context length is 100 tokens, you asked for more"}})
        return embeddings(body)

    embedder = Server(short).embedder()
    long = "long " * 100
    vectors = embedder.embed_passages(["a", long, "b"])
    expected = embedder.embed_passages(["a", long[:62], "b"])
    assert np.allclose(vectors, expected, atol=1e-6)


def test_a_batch_that_is_too_large_is_split_and_remembered() -> None:
    def small(path: str, body: dict[str, Any]) -> httpx.Response:
        if len(body.get("input", "")) > 4:
            message = f"batch size {len(body['input'])} > maximum allowed batch size 4"
            return httpx.Response(422, json={"error": message, "error_type": "Validation"})
        return embeddings(body)

    server = Server(small)
    embedder = server.embedder(batch=32, concurrency=1)
    assert embedder.embed_passages([str(n) for n in range(32)]).shape == (32, 8)
    server.asked.clear()
    embedder.embed_passages([str(n) for n in range(16)])
    assert [len(body["input"]) for _, body in server.asked] == [4] * 4


def test_many_passages_keep_their_order_over_requests_at_the_same_time() -> None:
    embedder = Server(lambda path, body: embeddings(body)).embedder(batch=5, concurrency=8)
    texts = [f"passage {n}" for n in range(123)]
    expected = np.array([vector_of(text) for text in texts])
    assert np.allclose(embedder.embed_passages(texts), expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_prompts_and_languages_come_from_what_is_known_of_the_name() -> None:
    listing = {"data": [{"id": "ours", "root": "BAAI/bge-base-en-v1.5"}]}
    server = Server(lambda path, body: httpx.Response(200, json=listing) if path == "/v1/models" else embeddings(body))
    embedder = server.embedder(served="")
    assert embedder.identity.model == "endpoint:ours"
    assert embedder.identity.languages == ("en",)
    embedder.embed_query("why")
    assert server.asked[-1][1]["input"] == ["Represent this sentence for searching relevant passages: why"]
    assert server.embedder(query_prompt="", languages=("de",)).identity.languages == ("de",)


def test_the_only_model_of_a_tei_needs_no_name() -> None:
    def tei(path: str, body: dict[str, Any]) -> httpx.Response:
        if path == "/info":
            return httpx.Response(200, json={"model_id": "BAAI/bge-m3", "version": "1.8"})
        return embeddings(body) if path == "/v1/embeddings" else httpx.Response(404, text="")

    assert Server(tei).embedder(served="").identity.model == "endpoint:BAAI/bge-m3"


def test_dimensions_are_asked_for_and_cut_where_the_server_ignores_them() -> None:
    server = Server(lambda path, body: embeddings(body))
    embedder = server.embedder(dimensions=8, served="text-embedding-3-small")
    assert embedder.identity.dim == 8
    assert server.asked[-1][1]["dimensions"] == 8
    longer = Server(lambda path, body: embeddings(body, 32)).embedder(dimensions=8)
    vectors = longer.embed_passages(["a", "b"])
    assert vectors.shape == (2, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_nothing_is_sent_for_an_identity_that_the_collection_knows() -> None:
    server = Server(lambda path, body: embeddings(body))
    identity = server.embedder().identity
    server.asked.clear()
    opened = server.embedder(identity)
    assert opened.identity == identity
    assert not server.asked
    opened.embed_query("first")
    opened.embed_query("second")
    assert [len(body["input"]) for _, body in server.asked] == [1 + len(PROBES), 1]  # the model is checked on the way


def test_another_model_under_the_same_name_is_noticed() -> None:
    identity = Server(lambda path, body: embeddings(body)).embedder().identity

    def other(path: str, body: dict[str, Any]) -> httpx.Response:
        return embeddings({"input": [text + "!" for text in body["input"]]} if body else {})

    with pytest.raises(ConfigError, match="another m than"):
        Server(other).embedder(identity).embed_query("a")
    with pytest.raises(ConfigError, match="another m than"):
        Server(other).embedder(identity).embed_passages(["a"])
    with pytest.raises(ConfigError, match="4 numbers"):
        Server(lambda path, body: embeddings(body, 4)).embedder(identity).embed_query("a")


def test_a_fingerprint_tolerates_number_types_and_not_models() -> None:
    random: Any = np.random.default_rng(1)
    vectors: Any = random.normal(size=(len(PROBES), 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = fingerprint_of(vectors)

    def noisy(cosine: float) -> str:
        drawn = np.asarray(random.normal(size=vectors.shape), np.float32)
        noise = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return fingerprint_of((cosine * vectors + (1 - cosine**2) ** 0.5 * noise).astype(np.float32))

    assert all(agree(made, noisy(0.994)) for _ in range(200))  # int8, bfloat16 is nearer
    assert not any(agree(made, noisy(0.85)) for _ in range(200))
    assert not agree(made, "0123456789abcdef")


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, ConfigError, "refused the key"),
        (403, ConfigError, "API_KEY"),
        (302, ConfigError, "no such service|redirect"),
        (404, ConfigError, "no such service"),
        (400, InputError, "refused the request: no good"),
        (500, ServiceError, "failed"),
        (503, ServiceError, "busy"),
    ],
)
def test_refusals_are_errors_that_say_what_to_do(status: int, error: type[PhidexError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        failing(status, "no good").embedder(retries=0).embed_query("a")
    assert caught.value.hint or error is InputError
    assert getattr(caught.value, "retryable", None) is (True if error is ServiceError else None)


def test_what_may_pass_is_tried_again_with_growing_pauses(no_pauses: list[float]) -> None:
    replies = [httpx.Response(503), httpx.Response(429, headers={"retry-after": "7"}), httpx.Response(502), None]

    def busy(path: str, body: dict[str, Any]) -> httpx.Response:
        return replies.pop(0) or embeddings(body) if replies else embeddings(body)

    assert Server(busy).embedder(retries=3).embed_query("a").shape == (8,)
    assert len(no_pauses) == 3
    assert no_pauses[1] == 7
    assert no_pauses[2] > no_pauses[0]


def test_the_last_failure_is_told(no_pauses: list[float]) -> None:
    server = failing(503, "loading")
    with pytest.raises(ServiceError, match="loading"):
        server.embedder(retries=2).embed_query("a")
    assert len(server.asked) == 3
    with pytest.raises(ServiceError, match="busy"):
        failing(429, "quota", **{"retry-after": "3600"}).embedder().embed_query("a")
    assert 3600 not in no_pauses  # nobody waits that long in silence


@pytest.mark.parametrize(
    ("fault", "message", "attempts"),
    [
        (httpx.ConnectError("refused"), "cannot be reached", 3),
        (httpx.ReadError("reset"), "broke", 3),
        (httpx.ReadTimeout("slow"), "did not answer within", 1),
    ],
)
def test_broken_connections(fault: Exception, message: str, attempts: int) -> None:
    tried: list[int] = []

    def broken(path: str, body: dict[str, Any]) -> httpx.Response:
        tried.append(1)
        raise fault

    with pytest.raises(ServiceError, match=message):
        Server(broken).embedder(retries=2).embed_query("a")
    assert len(tried) == attempts


def test_every_exception_of_httpx_is_translated() -> None:
    names = [getattr(httpx, name) for name in httpx.__all__]
    raised = [kind for kind in names if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, connection.HTTPX_ERRORS) for kind in raised)


@pytest.mark.parametrize(
    "reply",
    [
        {"data": []},
        {"data": [{"index": 0}]},
        {"object": "list"},
        {"data": [{"index": 0, "embedding": [0.0] * 8}] * 4},
        {"data": [{"index": 0, "embedding": "?"}] * 4},
    ],
)
def test_replies_that_hold_no_vectors(reply: dict[str, Any]) -> None:
    with pytest.raises((ConfigError, ServiceError)):
        _ = Server(lambda path, body: httpx.Response(200, json=reply)).embedder().identity


def test_a_page_of_html_is_no_endpoint() -> None:
    with pytest.raises(ConfigError, match="not JSON"):
        Server(lambda path, body: httpx.Response(200, text="<html>portal</html>")).embedder().embed_query("a")


def test_the_key_is_sent_and_never_shown() -> None:
    server = Server(lambda path, body: embeddings(body))
    server.embedder(api_key="s3cret\n").embed_query("a")
    assert {headers["authorization"] for headers in server.headers} == {"Bearer s3cret"}
    with pytest.raises(ConfigError) as caught:
        server.embedder(api_key="schlüssel")
    assert "schlüssel" not in str(caught.value)
    settings = EmbedSettings(url="http://me:s3cret@127.0.0.1:1/v1")
    assert "s3cret" not in repr(Connection(settings, "EMBED"))
    assert "s3cret" not in choose_embedder(settings.model_copy(update={"model": "endpoint"}), Path()).reason


def test_a_collection_of_an_endpoint_without_its_url_is_searched_lexically(tmp_path: Path) -> None:
    identity = Server(lambda path, body: embeddings(body)).embedder().identity
    choice = open_embedder(identity, EmbedSettings(), tmp_path)
    assert choice.embedder is None
    assert "PHIDEX_EMBED__URL" in choice.reason
    with pytest.raises(ConfigError, match="asks for"):
        open_embedder(identity, EmbedSettings(model="endpoint", url=URL, served="other"), tmp_path)
    with pytest.raises(ConfigError, match="PHIDEX_EMBED__URL"):
        choose_embedder(EmbedSettings(model="endpoint"), tmp_path)


# Rerankers


def jina(path: str, body: dict[str, Any]) -> httpx.Response:
    if path != "/v1/rerank" or "truncate_prompt_tokens" in body:
        return httpx.Response(422 if path == "/v1/rerank" else 404, json={"detail": "truncate_prompt_tokens: not permitted"})
    results = [{"index": n, "relevance_score": len(text)} for n, text in enumerate(body["documents"])]
    return httpx.Response(200, json={"results": sorted(results, key=lambda item: -item["relevance_score"])})


def tei(path: str, body: dict[str, Any]) -> httpx.Response:
    if path != "/rerank":
        return httpx.Response(404, text="")
    if "texts" not in body:
        return httpx.Response(422, text="Failed to deserialize the JSON body into the target type: missing field `texts`")
    assert body["truncate"] is True
    return httpx.Response(200, json=[{"index": n, "score": len(text)} for n, text in enumerate(body["texts"])][::-1])


def score(path: str, body: dict[str, Any]) -> httpx.Response:
    if path != "/score":
        return httpx.Response(404, json={"detail": "Not Found"})
    return httpx.Response(200, json={"data": [{"index": n, "score": len(text)} for n, text in enumerate(body["text_2"])]})


@pytest.mark.parametrize(("make", "url"), [(jina, URL), (jina, URL[:-3]), (tei, URL[:-3]), (tei, URL), (score, URL)])
def test_every_kind_of_rerank_server_is_found_and_remembered(
    make: Callable[[str, dict[str, Any]], httpx.Response], url: str
) -> None:
    server = Server(make)
    reranker = server.reranker(url=url)
    assert reranker.scores("why", ["aaa", "a", "aa"]) == [3, 1, 2]
    server.asked.clear()
    assert reranker.scores("why", ["aa", "a"]) == [2, 1]
    assert len(server.asked) == 1


def test_a_passage_that_is_too_long_to_rerank_is_halved() -> None:
    def short(path: str, body: dict[str, Any]) -> httpx.Response:
        if max(map(len, body["documents"])) > 100:
            return httpx.Response(400, json={"error": {"message": "This model's maximum context length is 100 tokens."}})
        results = [{"index": n, "relevance_score": len(text)} for n, text in enumerate(body["documents"])]
        return httpx.Response(200, json={"results": results})

    assert Server(short).reranker().scores("why", ["a" * 10, "b" * 1_000, "c" * 20]) == [10, 62, 20]


def test_a_reranker_that_is_down_leaves_a_warning() -> None:
    judged = try_scores(failing(503, "starting").reranker(retries=0), "why", ["a"])
    assert judged.scores is None
    assert "not reranked by m" in judged.warning
    assert "starting" in judged.warning
    assert try_scores(Server(jina).reranker(), "why", ["a", "bb"]).scores == (1, 2)
    assert try_scores(failing(503, "starting").reranker(), "why", []).scores == ()


@pytest.mark.parametrize("results", [[], [{"index": 1, "relevance_score": 1}], [{"index": 0, "relevance_score": None}]])
def test_scores_that_are_missing(results: list[dict[str, Any]]) -> None:
    server = Server(lambda path, body: httpx.Response(200, json={"results": results}))
    with pytest.raises((ServiceError, ConfigError)):
        server.reranker().scores("why", ["a"])


def test_no_reranker_is_the_default() -> None:
    assert choose_reranker(RerankSettings()).reranker is None
    with pytest.raises(ConfigError, match="PHIDEX_RERANK__URL"):
        choose_reranker(RerankSettings(model="endpoint"))
    with pytest.raises(ConfigError, match="nobody/nothing"):
        choose_reranker(RerankSettings(model="nobody/nothing"), hub_timeout_s=1)
