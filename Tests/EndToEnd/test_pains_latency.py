"""A provider's slow answers are not the callers': the slowest one is as good as the limit on the first token."""

import concurrent.futures

import pytest

from actor import Act, answer, broken
from stage import Stage, route
from suite import prompt
from surfaces import EVERY_SURFACE, ask, assert_complete

FIRST_TOKEN = 0.5
SLACK = 1.0  # for a busy machine and the second provider
LIMITS = {"connect": "1s", "first_token": f"{FIRST_TOKEN}s", "between_tokens": "5s", "total": "20s"}
ROUTES = [route("outliers", "one/outlier-a", "three/outlier-b", timeouts=LIMITS), route("alone", "one/outlier-c", timeouts=LIMITS)]
REQUESTS, SLOW_ONE_IN = 200, 10


@EVERY_SURFACE
def test_no_first_token_is_later_than_the_routes_limit(stage: Stage, surface: str) -> None:
    """One answer in ten is slow, in one of four ways."""
    slow = [broken("silent"), broken("stall", "head"), Act(wait=6), Act(wait_first=6)]

    def one(number: int) -> tuple[float, str]:
        text = prompt()
        if number % SLOW_ONE_IN == 0:
            stage.actor.script(text, "outlier-a", slow[number // SLOW_ONE_IN % len(slow)])
        heard = ask(stage.suite, surface, True, "outliers", text)
        assert_complete(heard, answer(text))
        first = next(time for time, (_, data) in zip(heard.times, heard.events) if "About" in str(data))
        return first, heard.headers["x-bulkhead-model"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(one, range(REQUESTS)))
    times = sorted(first for first, _ in got)
    assert [model for _, model in got].count("outlier-b") >= REQUESTS // SLOW_ONE_IN
    assert times[-1] <= FIRST_TOKEN + SLACK, f"the slowest five: {times[-5:]}"
    assert times[len(times) // 2] <= 0.25, f"the others do not wait with it: p50 {times[len(times) // 2]:.3f} s"


@EVERY_SURFACE
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_a_route_without_another_provider_says_so_in_time(stage: Stage, streamed: bool, surface: str) -> None:
    text = prompt()
    stage.actor.script(text, "outlier-c", broken("stall", "head"))
    heard = ask(stage.suite, surface, streamed, "alone", text)
    assert heard.status == 504 and heard.seconds <= FIRST_TOKEN + SLACK, heard
    assert f"{int(FIRST_TOKEN * 1000)} ms" in heard.error["message"]


@EVERY_SURFACE
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_thinking_counts_as_life(stage: Stage, streamed: bool, surface: str) -> None:
    """A model that answers slowly but steadily is left alone."""
    text = prompt()
    stage.actor.script(text, "outlier-c", Act(text="one two three four", pace=0.4))
    heard = ask(stage.suite, surface, streamed, "alone", text)
    assert_complete(heard, "one two three four")
    assert heard.seconds >= 1.1
