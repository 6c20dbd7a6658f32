"""Many texts in one request, with a tokenizer whose control tokens behave as those of real models do."""

from __future__ import annotations

from phidex.generation.chat_count import Separator, count_joined, find_separator


class Words:
    """A word a token; control tokens are single ones, and what is asked is kept."""

    def __init__(self, *control: str) -> None:
        self.control, self.asked = control, list[str]()
        self._ids: dict[str, int] = {}

    def __call__(self, text: str) -> list[int]:
        self.asked.append(text)
        for token in self.control:
            text = text.replace(token, f" {token} ")
        return [self._ids.setdefault(word, len(self._ids)) for word in text.split()]


def test_the_separator_is_a_control_token_that_the_model_knows() -> None:
    assert find_separator(Words("<|end|>")).text == "<|end|>"
    assert find_separator(Words()) == Separator()


def test_all_are_counted_in_one_request() -> None:
    words = Words("<|end|>")
    separator = find_separator(words)
    words.asked.clear()
    assert count_joined(["one two", "", "three four five"], separator, words) == [2, 0, 3]
    assert len(words.asked) == 1


def test_what_cannot_be_told_apart_is_counted_alone() -> None:
    words = Words("<|end|>")
    separator = find_separator(words)
    assert count_joined([" one ", "two <|end|> three", "four"], separator, words) == [1, 3, 1]
    assert count_joined(["one two", "three"], Separator(), words) == [2, 1]


def test_a_count_that_does_not_add_up_is_not_believed() -> None:
    words = Words("<|end|>", "END")
    separator = Separator("<|end|>", words("END")[0])  # another spelling of the same token hides in a text
    words._ids["<|end|>"] = separator.token  # pyright: ignore[reportPrivateUsage]
    assert count_joined(["one END two", "three"], separator, words) == [3, 1]


def test_long_lists_go_in_several_requests() -> None:
    words = Words("<|end|>")
    separator = find_separator(words)
    words.asked.clear()
    assert count_joined(["word " * 20_000 + "end"] * 9, separator, words) == [20_001] * 9
    assert len(words.asked) == 3
