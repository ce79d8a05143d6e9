"""A caller that leaves is not paid for any longer: the request to the provider ends with it."""

import time

import pytest

from actor import Act, broken
from stage import Stage, route
from suite import prompt, until
from surfaces import EVERY_SURFACE, EVERY_WAY, SURFACES, Heard, ask, begin

LIMIT = 0.5  # seconds from the caller's close to the provider's
PATIENT = {"timeouts": {"connect": "1s", "first_token": "30s", "between_tokens": "30s", "total": "60s"}}
PRICE = {"input": 3, "output": 15}
ROUTES = [
    route("patient-openai", "one/patient-a", **PATIENT), route("patient-anthropic", "four/patient-c", **PATIENT),
    route("patient-pair", "one/patient-p", "three/patient-q", on_stream_break="replay", **PATIENT),
]
PRICES = [{"model": model, "price": PRICE} for model in ("patient-a", "patient-c")]
MODELS = {"patient-openai": "patient-a", "patient-anthropic": "patient-c"}
BEHIND = pytest.mark.parametrize("alias", MODELS)


def assert_left(stage: Stage, text: str, left: float) -> None:
    (seen,) = stage.actor.seen(text)
    until(lambda: seen.left_at or seen.finished_at, 3, "the end of the provider's request", every=0.005)
    assert seen.left_at, "the answer ran to its end for nobody"
    assert seen.left_at - left <= LIMIT, f"the provider was left {seen.left_at - left:.3f} s after the caller"
    assert len(stage.actor.seen(text)) == 1, "a caller that left is no reason to ask again"


@EVERY_WAY
@BEHIND
@pytest.mark.parametrize("act", [broken("silent"), broken("stall", "head"), broken("stall", 0)], ids=["before-the-headers", "before-any-event", "before-the-first-token"])
def test_leaving_a_silent_provider(stage: Stage, act: Act, alias: str, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, MODELS[alias], act)
    with begin(stage.suite, surface, streamed, alias, text):
        until(lambda: stage.actor.seen(text), 5, "the provider's request", every=0.005)
        if act.fault == "stall" and act.after == 0:
            until(lambda: stage.actor.seen(text)[0].first_at, 5, "the opening event", every=0.005)
    assert_left(stage, text, time.monotonic())


@EVERY_SURFACE
@BEHIND
def test_leaving_in_the_middle_of_a_stream(stage: Stage, alias: str, surface: str) -> None:
    text = prompt()
    stage.actor.script(text, MODELS[alias], Act(pace=0.1))
    heard = ask(stage.suite, surface, True, alias, text, on_event=lambda heard: len(heard.text.split()) >= 3)
    assert heard.ended == "left", heard
    assert_left(stage, text, time.monotonic())


@EVERY_SURFACE
@BEHIND
def test_leaving_while_an_answer_is_put_together(stage: Stage, alias: str, surface: str) -> None:
    """Not streamed to the caller, but streaming from the provider."""
    text = prompt()
    stage.actor.script(text, MODELS[alias], Act(pace=0.1))
    with begin(stage.suite, surface, False, alias, text):
        until(lambda: stage.actor.seen(text) and stage.actor.seen(text)[0].first_at, 5, "the first event", every=0.005)
        time.sleep(0.2)  # some tokens
    assert_left(stage, text, time.monotonic())


@EVERY_SURFACE
def test_leaving_while_a_second_provider_mends_the_stream(stage: Stage, surface: str) -> None:
    text = prompt()
    stage.actor.script(text, "patient-p", broken("cut", 5))
    stage.actor.script(text, "patient-q", Act(pace=0.1))
    heard = ask(stage.suite, surface, True, "patient-pair", text, on_event=lambda heard: len(heard.text.split()) >= 7)
    left = time.monotonic()
    assert heard.ended == "left", heard
    (second,) = stage.actor.seen(text, "patient-q")
    until(lambda: second.left_at or second.finished_at, 3, "the end of the second provider's request", every=0.005)
    assert second.left_at and second.left_at - left <= LIMIT


@EVERY_SURFACE
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
def test_what_was_seen_before_leaving_is_charged(stage: Stage, surface: str, streamed: bool) -> None:
    text, request_id = prompt(), f"left-{prompt().split()[-1]}"
    stage.actor.script(text, "patient-a", Act(pace=0.05))
    if streamed:
        ask(stage.suite, surface, True, "patient-openai", text, headers={"x-request-id": request_id}, on_event=lambda heard: len(heard.text.split()) >= 6)
    else:
        with begin(stage.suite, surface, False, "patient-openai", text, request_id):
            until(lambda: stage.actor.seen(text) and stage.actor.seen(text)[0].first_at, 5, "the first event", every=0.005)
            time.sleep(0.3)  # about six tokens
    span = stage.span(request_id)
    assert span["error_code"] == "client_left", span
    assert span["input_tokens"] > 0 and 3 <= span["output_tokens"] < 40, span
    expected = (span["input_tokens"] * PRICE["input"] + span["output_tokens"] * PRICE["output"]) / 1e6
    assert span["cost_usd"] == pytest.approx(expected), span


def test_leavers_give_their_places_back(stage: Stage) -> None:
    key = stage.suite.new_key("--concurrency", "2")["key"]

    def leave(surface: str) -> Heard:
        text = prompt()
        stage.actor.script(text, "patient-a", Act(pace=0.05))
        return ask(stage.suite, surface, True, "patient-openai", text, key=key, on_event=lambda heard: len(heard.text.split()) >= 2)

    for turn in range(12):
        until(lambda: leave(SURFACES[turn % 3]).ended == "left", 3, "a place for the next one")
    assert until(lambda: ask(stage.suite, "chat", False, "patient-openai", prompt(), key=key).status == 200, 3, "a place")
