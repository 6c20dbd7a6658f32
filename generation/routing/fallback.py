"""One role after another, the best first, until one can be asked: how an answer, data and a summary fall back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Never, TypeVar

from phidex.errors import IncompleteAnswerError, ServiceError
from phidex.generation.answer import Route
from phidex.generation.endpoints.telemetry import fell_back

log = logging.getLogger(__name__)

E = TypeVar("E")
R = TypeVar("R")


def asked_in_turn(
    routes: Sequence[Route], ask: Callable[[Route], Generator[E, None, R]]
) -> Generator[E, None, tuple[R, tuple[str, ...]]]:
    """The events of every route that is tried; then the result of the first that answers, and what to say of those before it.

    Only a server that could not be asked (`ServiceError`) has a substitute. What began and broke off has none: its events are
    out already. Neither has a wrong set-up, or a question that does not fit.

    Args:
        routes: the best first; the reason of each but the first will say who could not be asked.

    Raises:
        IncompleteAnswerError: an answer began and broke off.
        ServiceError: none could be asked; of the last one.
    """
    troubles: list[str] = []
    for number, route in enumerate(routes):
        chosen = replace(route, reason=f"{routes[number - 1].model} could not be asked; {route.reason}") if number else route
        try:
            return (yield from ask(chosen)), tuple(troubles)
        except IncompleteAnswerError:
            raise
        except ServiceError as exc:
            if number == len(routes) - 1:
                raise
            log.warning("route.fallback from=%s to=%s error=%s", route.role, routes[number + 1].role, exc.message)
            fell_back(route.role, routes[number + 1].role)
            troubles.append(f"{route.model} could not be asked: {exc}")
    raise AssertionError("unreachable: the last route returns or raises")


def first_that_answers(routes: Sequence[Route], ask: Callable[[Route], R]) -> tuple[R, tuple[str, ...]]:
    """As `asked_in_turn`, where nothing is told on the way."""

    def silently(route: Route) -> Generator[Never, None, R]:
        yield from ()
        return ask(route)

    turns = asked_in_turn(routes, silently)
    try:
        next(turns)
    except StopIteration as end:
        result: tuple[R, tuple[str, ...]] = end.value
        return result
    raise AssertionError("unreachable: no event is ever told")
