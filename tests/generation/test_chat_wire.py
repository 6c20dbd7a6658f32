from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.errors import IncompleteAnswerError, ServiceError
from phidex.generation.chat_wire import AnswerReader, Delta, Done, EventDecoder, Message, Usage, error_text, turns


def event(text: str, finish_reason: str | None = None) -> str:
    choice = {"delta": {"content": text}, "finish_reason": finish_reason}
    return "data: " + json.dumps({"model": "m", "choices": [choice]}, ensure_ascii=False) + "\n\n"


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(st.text(max_size=20), max_size=6), st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 10_000)))
def test_answer_is_the_same_however_its_bytes_are_cut(texts: list[str], line_end: str, cuts: list[int]) -> None:
    texts = turns_safe(texts)
    usage = 'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}\n\n'
    stream = ": hello\n\n" + "".join(event(text) for text in texts) + event("", "stop") + usage + "data: [DONE]\n\n\n"
    reader = AnswerReader()
    deltas = [delta for chunk in split(stream.replace("\n", line_end).encode(), cuts) for delta in reader.feed(chunk)]
    assert deltas == [Delta(text) for text in texts if text]
    assert reader.ended
    assert reader.done() == Done("stop", Usage(5, 2), "m")


def turns_safe(texts: list[str]) -> list[str]:
    return [text.encode(errors="ignore").decode() for text in texts]


def test_line_separators_inside_json_do_not_cut_it() -> None:
    reader = AnswerReader()
    assert list(reader.feed(event("a\u2028b\x85c\x0b").encode())) == [Delta("a\u2028b\x85c\x0b")]


def test_data_of_several_lines_is_joined() -> None:
    assert list(EventDecoder().feed(b'event: x\ndata: {"a":\ndata: 1}\nid: 3\n\n')) == ['{"a":\n1}']


def test_endless_line_is_refused() -> None:
    decoder = EventDecoder()
    list(decoder.feed(b"x" * 4_000_000))
    with pytest.raises(ServiceError, match="no event stream"):
        list(decoder.feed(b"x" * 200_000))


@pytest.mark.parametrize("garbage", [b"data: {\n\n", b"data: [1]\n\n", b"data: \xff\n\n", b"data: 7\n\n"])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(ServiceError, match="sent an event"):
        list(AnswerReader().feed(garbage))


@pytest.mark.parametrize("odd", ["{}", '{"choices": null}', '{"choices": [null]}', '{"choices": [{"delta": {"content": 3}}]}'])
def test_events_without_text_are_passed_over(odd: str) -> None:
    assert list(AnswerReader().feed(f"data: {odd}\n\n".encode())) == []


def test_failure_inside_the_stream_keeps_the_text() -> None:
    reader = AnswerReader()
    stream = event("so far") + 'data: {"error": {"message": "engine died", "code": 500}}\n\n'
    with pytest.raises(IncompleteAnswerError, match="engine died") as caught:
        list(reader.feed(stream.encode()))
    assert caught.value.partial == "so far"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "m"}}, "m"),
        ({"error": "Unauthorized"}, "Unauthorized"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"msg": "field required"}]}, "field required"),
        ({"message": "m"}, "m"),
        ([], ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_error_text_of_every_shape(body: object, text: str) -> None:
    assert error_text(body) == text


def test_lone_surrogates_are_replaced() -> None:
    assert turns([Message("user", "a\ud800b😀")]) == [{"role": "user", "content": "a?b😀"}]
