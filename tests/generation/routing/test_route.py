"""Who answers, and the reason that is given."""

from __future__ import annotations

from typing import Any

import pytest
from tests.generation.passages import LEASE

from phidex.errors import ConfigError
from phidex.generation.answer import Role
from phidex.generation.endpoints.state import RoleState
from phidex.generation.routing.route import Asked, agreement_of, choose_route, fallbacks
from phidex.retrieval.hit import Hit, LegRank
from phidex.settings import ChatSettings


def settings(**values: Any) -> ChatSettings:
    given: dict[str, Any] = {"url": "u", "moe": "moe", **values}
    return ChatSettings(**given)


@pytest.mark.parametrize(
    ("given", "asked", "role", "reason"),
    [
        ({"url": "", "moe": ""}, Asked(), "extractive", "no model is configured"),
        ({"moe": ""}, Asked(language="de"), "mini", "the model that is configured"),
        ({"mini": ""}, Asked(), "moe", "the model that is configured"),
        ({"url": "", "moe_url": "v"}, Asked(), "moe", "the model that is configured"),
        ({}, Asked(), "mini", "as good and faster"),
        ({}, Asked(language="und"), "mini", "as good and faster"),
        ({}, Asked(language="de"), "moe", "not in English"),
        ({}, Asked(context_tokens=60_000), "moe", "60,000 tokens"),
        ({}, Asked("code"), "moe", "code"),
        ({}, Asked("reasoning"), "moe", "reasoning"),
        ({}, Asked("mathematics"), "mini", "mathematics"),
        ({}, Asked("summary"), "mini", "summary"),
        ({}, Asked(agreement=0.0), "moe", "scattered"),
        ({}, Asked(agreement=0.6), "mini", "as good and faster"),
        ({"prefer": "fast"}, Asked("code", "de"), "mini", "fast"),
        ({"prefer": "fast"}, Asked(context_tokens=60_000), "moe", "60,000 tokens"),
        ({"prefer": "best"}, Asked(), "moe", "best"),
    ],
)
def test_routes(given: dict[str, Any], asked: Asked, role: str, reason: str) -> None:
    route = choose_route(settings(**given), asked)
    assert route.role == role
    assert reason in route.reason
    assert route.signals["kind"] == asked.kind
    assert "\n" not in route.reason


def test_a_role_that_is_down_is_passed_over_and_that_is_said() -> None:
    route = choose_route(settings(), Asked("code"), {"moe": RoleState("is left alone"), "mini": RoleState()})
    assert (route.role, route.reason) == ("mini", "moe is left alone; phi-3.5-mini answers")
    both: dict[Role, RoleState] = {"moe": RoleState("down"), "mini": RoleState("down")}
    assert choose_route(settings(), Asked("code"), both).role in ("mini", "moe")  # it is tried all the same


def test_a_queue_turns_the_scales_where_one_reason_speaks_for_the_larger_model() -> None:
    crowded: dict[Role, RoleState] = {"moe": RoleState(waiting=9), "mini": RoleState()}
    assert choose_route(settings(), Asked("reasoning"), crowded).role == "mini"
    assert choose_route(settings(), Asked("reasoning", "de"), crowded).role == "moe"
    full: dict[Role, RoleState] = {"moe": RoleState(cache=0.99)}
    assert "queue" in choose_route(settings(), Asked("code"), full).reason


def test_a_role_that_is_asked_for() -> None:
    assert choose_route(settings(), Asked(), forced="moe").model == "moe"
    assert choose_route(settings(), Asked("code"), forced="extractive").model == ""
    with pytest.raises(ConfigError, match="moe is asked for") as caught:
        choose_route(settings(moe=""), Asked(), forced="moe")
    assert "PHIDEX_CHAT__MOE to" in caught.value.hint
    with pytest.raises(ConfigError, match="mini is asked for") as caught:
        choose_route(settings(url="", moe=""), Asked(), forced="mini")
    assert caught.value.hint.startswith("set PHIDEX_CHAT__URL to")


SEEING = {"vision": "phi-3.5-vision"}


@pytest.mark.parametrize(
    ("asked", "role", "reason"),
    [
        (
            Asked("visual", pictures=3),
            "vision",
            "the question is about something to look at, and what was found have 3 pictures",
        ),
        (Asked("visual", pictures=1), "vision", "what was found has a picture"),
        (Asked("code", attached=1), "vision", "a picture comes with the question"),
        (Asked(attached=2, pictures=9), "vision", "2 pictures come with the question"),
        (Asked("visual"), "mini", "as good and faster"),
        (Asked("lookup", pictures=3), "mini", "as good and faster"),
    ],
)
def test_what_is_to_be_seen_goes_to_the_model_that_sees(asked: Asked, role: str, reason: str) -> None:
    route = choose_route(settings(**SEEING), asked)
    assert (route.role, route.model == "phi-3.5-vision") == (role, role == "vision")
    assert reason in route.reason
    assert route.signals.get("pictures", 0) == asked.to_see


def test_nobody_who_sees_leaves_it_to_the_text_and_that_is_said() -> None:
    asked = Asked("visual", pictures=2)
    blind = choose_route(settings(), asked)
    assert blind.role == "mini"
    assert blind.reason.startswith("pictures cannot be looked at, since no vision model is configured; ")
    down = choose_route(settings(**SEEING), asked, {"vision": RoleState("does not answer")})
    assert down.role == "mini"
    assert "since phi-3.5-vision does not answer; " in down.reason
    nothing = choose_route(settings(url="", moe=""), asked)
    assert nothing.role == "extractive"


def test_vision_can_be_asked_for_and_serve_alone() -> None:
    alone = settings(url="", moe="", vision_url="v", **SEEING)
    assert choose_route(alone, Asked(), forced="vision").model == "phi-3.5-vision"
    assert choose_route(alone, Asked(attached=1)).role == "vision"
    assert choose_route(alone, Asked()).role == "extractive"
    assert [one.role for one in fallbacks(settings(**SEEING), choose_route(alone, Asked(attached=1)))] == [
        "mini",
        "moe",
        "extractive",
    ]
    with pytest.raises(ConfigError, match="vision is asked for") as caught:
        choose_route(settings(), Asked(), forced="vision")
    assert "PHIDEX_CHAT__VISION to" in caught.value.hint


def test_the_way_down() -> None:
    route = choose_route(settings(), Asked("code"))
    assert [one.role for one in fallbacks(settings(), route)] == ["mini", "extractive"]
    assert [one.role for one in fallbacks(settings(moe=""), choose_route(settings(moe=""), Asked()))] == ["extractive"]


def test_agreement_of_the_legs() -> None:
    both = {"lexical": LegRank(1, 2.0), "dense": LegRank(1, 0.5)}
    hits = [Hit(LEASE.chunk, LEASE.source, 1.0, why) for why in (both, {"lexical": LegRank(2, 1.0)}, both, {})]
    assert agreement_of(hits) == 0.5
    assert agreement_of([Hit(LEASE.chunk, LEASE.source, 1.0, {"lexical": LegRank(1, 1.0)})]) is None
    assert agreement_of([]) is None
