"""Token limits: never overshot by more than what one request can, and no obstacle to a small call."""

import concurrent.futures
from typing import Any

import pytest

from actor import Act, answer
from stage import Stage, route
from suite import prompt, until
from surfaces import EVERY_SURFACE, EVERY_WAY, Heard, ask, assert_complete, assert_failed

ROUTES = [route("limited", "one/limited-a"), route("limited-too", "four/limited-c")]
EACH = 100  # tokens a request really takes
USED: dict[str, Any] = {"prompt_tokens": 40, "completion_tokens": 60}
SHORT = {"chat": {"max_tokens": 60}, "messages": {"max_tokens": 60}, "responses": {"max_output_tokens": 60}}


def ask_limited(stage: Stage, surface: str, streamed: bool, key: str, act: Act = Act(usage=USED), **more: Any) -> Heard:
    text = prompt()
    stage.actor.script(text, "limited-a", act)
    heard = ask(stage.suite, surface, streamed, "limited", text, key=key, **more)
    if heard.status == 200:
        assert_complete(heard, answer(text))
    return heard


@EVERY_WAY
@pytest.mark.parametrize("says", [True, False], ids=["with-a-limit-of-its-own", "without"])
def test_parallel_requests_settle_no_more_than_the_limit_and_one_request(stage: Stage, says: bool, surface: str, streamed: bool) -> None:
    limit = 700
    key, more = stage.suite.new_key("--tpm", str(limit))["key"], SHORT[surface] if says else {}
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        heard = list(pool.map(lambda _: ask_limited(stage, surface, streamed, key, **more), range(24)))
    heard += [ask_limited(stage, surface, streamed, key, **more) for _ in range(4)]  # after all were settled
    statuses = [one.status for one in heard]
    assert set(statuses) <= {200, 429}, statuses
    settled = sum(sum(one.tokens) for one in heard if one.status == 200)
    assert 0 < settled <= limit + EACH, f"{settled} tokens of {limit}: {statuses}"


@EVERY_WAY
def test_what_was_reserved_and_not_used_is_given_back(stage: Stage, surface: str, streamed: bool) -> None:
    """One request after the other uses the whole limit, though each could have taken more."""
    limit, most = 700, {name: 200 for name in SHORT[surface]}
    key = stage.suite.new_key("--tpm", str(limit))["key"]
    statuses = [ask_limited(stage, surface, streamed, key, **most).status for _ in range(9)]
    assert 5 <= statuses.count(200) <= 8, statuses


@pytest.mark.parametrize("surface", ["chat", "responses"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_who_does_not_say_how_much_is_served_while_tokens_are_left(stage: Stage, surface: str, streamed: bool) -> None:
    """What is assumed for a request without a limit of its own is no reason to refuse it: its true use is a fraction."""
    key = stage.suite.new_key("--tpm", "700")["key"]
    statuses = [ask_limited(stage, surface, streamed, key).status for _ in range(9)]
    assert 6 <= statuses.count(200) <= 8, statuses


@EVERY_WAY
def test_a_limit_below_the_usual_estimate_admits_small_calls(stage: Stage, surface: str, streamed: bool) -> None:
    small = Act(usage={"prompt_tokens": 20, "completion_tokens": 10})
    key = stage.suite.new_key("--tpm", "200")["key"]
    first = ask_limited(stage, surface, streamed, key, small)
    assert first.status == 200, first
    second = ask_limited(stage, surface, streamed, key, small, **SHORT[surface])
    assert second.status == 200, f"170 tokens are left: {second}"


@EVERY_WAY
def test_a_refusal_names_the_limit_and_asks_no_provider(stage: Stage, surface: str, streamed: bool) -> None:
    key = stage.suite.new_key("--tpm", "50")["key"]
    assert ask_limited(stage, surface, streamed, key).status == 200, "the first one may overshoot"
    asked = len(stage.actor.requests)
    heard = ask_limited(stage, surface, streamed, key)
    assert heard.status == 429 and len(stage.actor.requests) == asked, heard
    assert_failed(heard)
    # What the first one used beyond the limit has to come back before the next: more than a minute.
    assert 60 <= int(heard.headers["retry-after"]) <= 180 and "token" in heard.error["message"].lower(), heard
    prefix = "anthropic-ratelimit-tokens-{}" if surface == "messages" else "x-ratelimit-{}-tokens"
    assert heard.headers[prefix.format("limit")] == "50" and heard.headers[prefix.format("remaining")] == "0"
    assert heard.headers[prefix.format("reset")]


@EVERY_WAY
def test_an_answer_from_the_cache_takes_no_tokens(stage: Stage, surface: str, streamed: bool) -> None:
    key, text = stage.suite.new_key("--tpm", "300")["key"], prompt()
    stage.actor.script(text, "limited-a", Act(usage=USED))
    for _ in range(8):
        heard = ask(stage.suite, surface, streamed, "limited", text, key=key, **SHORT[surface])
        assert heard.status == 200, heard
    assert len(stage.actor.seen(text)) == 1


@EVERY_SURFACE
def test_leavers_give_their_reserve_back(stage: Stage, surface: str) -> None:
    key, most = stage.suite.new_key("--tpm", "700")["key"], {name: 300 for name in SHORT[surface]}

    def leave() -> str:
        text = prompt()
        stage.actor.script(text, "limited-a", Act(pace=0.05, usage=USED))
        return ask(stage.suite, surface, True, "limited", text, key=key, on_event=lambda heard: len(heard.text.split()) >= 2, **most).ended

    for _ in range(5):  # of whose reserves two fit at once
        until(lambda: leave() == "left", 2, "a place for the next one")
    until(lambda: ask_limited(stage, surface, False, key, **most).status == 200, 2, "leave to ask: five that left have used a fraction of what they could have")
