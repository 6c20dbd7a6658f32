"""A server that fails is left alone, tried by one request, and trusted again."""

from __future__ import annotations

from phidex.generation.endpoints.breaker import Breaker
from phidex.generation.endpoints.budget import EscalationBudget


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_rests_longer_each_time_and_closes() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(2):
        assert breaker.admits()
        breaker.failed()
    assert breaker.admits()
    assert breaker.rest_s == 0
    breaker.failed()
    assert not breaker.admits()
    assert breaker.rest_s == 10
    clock.now += 10
    assert breaker.admits()
    assert not breaker.admits()  # one at a time
    breaker.failed()
    assert breaker.rest_s == 20
    clock.now += 20
    assert breaker.admits()
    breaker.given_back()  # that one was cancelled
    assert breaker.admits()
    breaker.succeeded()
    assert breaker.admits()
    assert breaker.admits()
    assert breaker.rest_s == 0


def test_it_never_rests_for_more_than_two_minutes() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(2_000):
        breaker.failed()
        clock.now += breaker.rest_s
    breaker.failed()
    assert breaker.rest_s == 120


def test_requests_that_were_under_way_together_are_one_failure() -> None:
    breaker = Breaker(Clock())
    for _ in range(30):
        breaker.failed()
    assert breaker.rest_s == 10


def test_success_forgets_what_failed_before() -> None:
    breaker = Breaker(Clock())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.admits()


def test_a_part_of_the_answers_is_asked_for_again() -> None:
    budget = EscalationBudget(share=0.25)
    taken = sum(budget.take() for _ in range(3))
    assert taken == 3  # before there is a share to speak of
    for _ in range(400):
        if budget.take():
            taken += 1
        else:
            budget.note()
    assert 0.15 < taken / 403 <= 0.26
