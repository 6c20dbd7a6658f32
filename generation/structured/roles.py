"""Who fills a schema, and who in their place: as the router decides, without the extractive answerer, which cannot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from phidex.errors import ConfigError, IncompleteAnswerError, ServiceError
from phidex.generation.answer import Role, Route
from phidex.generation.ask import Asker
from phidex.generation.endpoints.state import RoleState
from phidex.generation.routing.route import ADD_A_MODEL, Asked, choose_route, fallbacks, served_roles

log = logging.getLogger(__name__)

R = TypeVar("R")


def routes_for(asker: Asker, asked: Asked, role: Role | None) -> list[Route]:
    """The route, and those to take where it cannot be asked, the best first.

    Args:
        role: who is to answer, and nobody else; None for whom the router chooses.

    Raises:
        ConfigError: no model is configured, or none for that role.
    """
    settings = asker.settings.chat
    if asker.chat is None or role == "extractive":
        said = "none is configured" if asker.chat is None else "the extractive answerer is none"
        raise ConfigError(f"data that fits a schema takes a model to write it, and {said}", hint=ADD_A_MODEL)
    several = len(served_roles(settings)) > 1
    states: Mapping[Role, RoleState] = asker.roles.states() if several and asker.roles is not None else {}
    route = choose_route(settings, asked, states, forced=role)
    others = fallbacks(settings, route) if role is None else []
    return [route, *(one for one in others if one.role != "extractive")]


def first_that_answers(routes: list[Route], ask: Callable[[Route], R]) -> tuple[R, tuple[str, ...]]:
    """The result of the first route whose server can be asked, and what to say of those before it.

    Raises:
        ServiceError: none can; of the last one.
    """
    troubles: list[str] = []
    for number, route in enumerate(routes):
        chosen = replace(route, reason=f"{routes[number - 1].model} could not be asked; {route.reason}") if number else route
        try:
            return ask(chosen), tuple(troubles)
        except IncompleteAnswerError:
            raise
        except ServiceError as exc:
            if number == len(routes) - 1:
                raise
            log.warning("structured.fallback from=%s to=%s", route.role, routes[number + 1].role)
            troubles.append(f"{route.model} could not be asked: {exc}")
    raise AssertionError("unreachable: the last route returns or raises")
