"""The first look over many pictures: what a server that breaks off leaves."""

from __future__ import annotations

import pytest
from tests.generation.scripted import Scripted

from phidex.errors import IncompleteAnswerError, ServiceError
from phidex.generation.chat_faults import StoppedError
from phidex.generation.vision.look import Looker


def test_a_look_that_breaks_off_is_no_answer() -> None:
    looker = Looker(Scripted(IncompleteAnswerError("the engine died", partial="1,", hint="ask again")), "vision")
    with pytest.raises(ServiceError, match="the engine died") as broken:
        looker.choose("Which?", [[0, 1]], lambda index: (f"p. {index}", "data:x"), 2)
    assert not isinstance(broken.value, IncompleteAnswerError)
    assert broken.value.hint == "ask again"


def test_a_look_that_was_stopped_stays_stopped() -> None:
    looker = Looker(Scripted(StoppedError("it was stopped")), "vision")
    with pytest.raises(StoppedError):
        looker.choose("Which?", [[0, 1]], lambda index: (f"p. {index}", "data:x"), 2)
