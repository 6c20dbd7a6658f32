"""One role after another: who has a substitute, who has none, and what is told."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from phidex.errors import BudgetError, ConfigError, IncompleteAnswerError, PhidexError, ServiceError
from phidex.generation.answer import Route
from phidex.generation.routing.fallback import asked_in_turn, first_that_answers

ROUTES = [
    Route("mini", "small", "it is asked first"),
    Route("moe", "large", "it is next"),
    Route("extractive", "", "it is last"),
]


def answering(replies: dict[str, str | PhidexError], asked: list[Route]) -> str:
    route = asked[-1]
    said = replies[route.role]
    if isinstance(said, PhidexError):
        raise said
    return said


def test_the_first_that_answers_is_asked_and_nobody_after_it() -> None:
    asked: list[Route] = []

    def ask(route: Route) -> str:
        asked.append(route)
        return answering({"mini": ServiceError("no answer", hint="start it"), "moe": "so"}, asked)

    assert first_that_answers(ROUTES, ask) == ("so", ("small could not be asked: no answer (start it)",))
    assert [route.role for route in asked] == ["mini", "moe"]
    assert [route.reason for route in asked] == ["it is asked first", "small could not be asked; it is next"]


@pytest.mark.parametrize("fault", [IncompleteAnswerError("broke off"), BudgetError("too long"), ConfigError("wrong key")])
def test_what_began_or_is_wrong_for_all_has_no_substitute(fault: PhidexError) -> None:
    asked: list[Route] = []

    def ask(route: Route) -> str:
        asked.append(route)
        raise fault

    with pytest.raises(type(fault)):
        first_that_answers(ROUTES, ask)
    assert len(asked) == 1


def test_the_error_of_the_last_one_counts() -> None:
    def ask(route: Route) -> str:
        raise ServiceError(f"{route.role} is down")

    with pytest.raises(ServiceError, match="extractive is down"):
        first_that_answers(ROUTES, ask)


def test_events_of_every_route_that_is_tried_are_told() -> None:
    def ask(route: Route) -> Generator[str, None, int]:
        yield f"begin {route.role}"
        if route.role == "mini":
            raise ServiceError("down")
        return 7

    def run() -> Generator[str, None, tuple[int, tuple[str, ...]]]:
        return (yield from asked_in_turn(ROUTES, ask))

    turns = run()
    assert [next(turns), next(turns)] == ["begin mini", "begin moe"]
    with pytest.raises(StopIteration) as end:
        next(turns)
    assert end.value.value == (7, ("small could not be asked: down",))
