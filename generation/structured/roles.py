"""Who fills a schema, and who in their place: as the router decides, without the extractive answerer, which cannot."""

from __future__ import annotations

from collections.abc import Mapping

from phidex.errors import ConfigError
from phidex.generation.answer import Role, Route
from phidex.generation.ask import Asker
from phidex.generation.endpoints.state import RoleState
from phidex.generation.routing.route import ADD_A_MODEL, Asked, choose_route, fallbacks, served_roles


def routes_for(asker: Asker, asked: Asked, role: Role | None) -> list[Route]:
    """The route, and those to take where it cannot be asked, the best first.

    Args:
        role: who is to answer, and nobody else; None for whom the router chooses.

    Raises:
        ConfigError: no model is configured, or none for that role.
    """
    settings = asker.settings.chat
    nobody = asker.chat is None or (role is None and not served_roles(settings))
    if nobody or role == "extractive":
        said = "none is configured" if nobody else "the extractive answerer is none"
        raise ConfigError(f"data that fits a schema takes a model to write it, and {said}", hint=ADD_A_MODEL)
    several = len(served_roles(settings)) > 1
    states: Mapping[Role, RoleState] = asker.roles.states() if several and asker.roles is not None else {}
    route = choose_route(settings, asked, states, forced=role)
    others = fallbacks(settings, route) if role is None else []
    return [route, *(one for one in others if one.role != "extractive")]
