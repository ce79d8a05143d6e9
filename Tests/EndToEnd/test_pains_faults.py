"""Sixteen faults of a provider, and what a caller should notice of each: as little as possible, and never a lie."""

import time

import pytest

from actor import Act, answer, broken, fail
from stage import Stage, route
from suite import prompt
from surfaces import EVERY_WAY, WAYS, ask, assert_complete, assert_failed, together

ROUTES = [
    route("pair", "one/pair-a", "three/pair-b"),
    route("alone", "one/alone-a", retry={"tries_per_target": 2, "max_tries": 4, "base": "10ms", "max": "3s"}),
    route("alone-anthropic", "four/alone-c"),
]
ALONE = {"alone": "alone-a", "alone-anthropic": "alone-c"}


def test_a_wait_the_provider_asks_for_is_kept(stage: Stage) -> None:
    def one(surface: str, streamed: bool) -> None:
        text = prompt()
        stage.actor.script(text, "alone-a", fail(429, code="rate_limit_exceeded", retry_after="2"), Act())
        heard = ask(stage.suite, surface, streamed, "alone", text)
        assert_complete(heard, answer(text))
        first, second = stage.actor.seen(text)
        assert 1.8 <= second.at - first.at <= 5, f"asked again after {second.at - first.at:.2f} s"
        assert heard.headers["x-bulkhead-attempts"] == "2"

    together(one, *WAYS)


@EVERY_WAY
def test_a_provider_that_is_always_over_its_limit_is_left_soon(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "pair-a", fail(429, code="rate_limit_exceeded"))
    heard = ask(stage.suite, surface, streamed, "pair", text)
    assert_complete(heard, answer(text))
    assert heard.headers["x-bulkhead-model"] == "pair-b" and len(stage.actor.seen(text, "pair-a")) <= 2
    assert heard.seconds < 3, heard


@EVERY_WAY
def test_a_wait_that_is_too_long_is_not_kept(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "pair-a", fail(429, code="rate_limit_exceeded", retry_after="30"))
    heard = ask(stage.suite, surface, streamed, "pair", text)
    assert_complete(heard, answer(text))
    assert heard.headers["x-bulkhead-model"] == "pair-b" and len(stage.actor.seen(text, "pair-a")) == 1 and heard.seconds < 3


@EVERY_WAY
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_one_failure_is_tried_again_at_the_same_provider(stage: Stage, status: int, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "pair-a", fail(status), Act())
    heard = ask(stage.suite, surface, streamed, "pair", text)
    assert_complete(heard, answer(text))
    assert heard.headers["x-bulkhead-model"] == "pair-a" and not stage.actor.seen(text, "pair-b")
    assert heard.headers["x-bulkhead-attempts"] == "2"


def test_a_silent_provider_is_tried_once_and_its_time_is_not_the_callers(stage: Stage) -> None:
    def one(surface: str, streamed: bool) -> None:
        for act in (broken("silent"), Act(wait_first=20)):
            text = prompt()
            stage.actor.script(text, "pair-a", act)
            heard = ask(stage.suite, surface, streamed, "pair", text)
            assert_complete(heard, answer(text))
            assert len(stage.actor.seen(text, "pair-a")) == 1
            assert heard.seconds < 0.7 + 2.5, f"first_token is 0.7 s: {heard}"

    together(one, *WAYS)


def test_a_stall_ends_in_time_and_is_no_success(stage: Stage) -> None:
    def one(surface: str, streamed: bool, model: str) -> None:
        text = prompt()
        stage.actor.script(text, ALONE[model], broken("stall", 7))
        began = time.monotonic()
        heard = ask(stage.suite, surface, streamed, model, text)
        assert_failed(heard)
        assert time.monotonic() - began < 0.7 + 2.5, f"between_tokens is 0.7 s: {heard}"

    together(one, *((surface, streamed, model) for surface, streamed in WAYS for model in ALONE))


@EVERY_WAY
@pytest.mark.parametrize("model", ALONE)
def test_a_broken_event_is_skipped_or_told_and_never_passed_on(stage: Stage, model: str, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, ALONE[model], broken("garbage", 7))
    heard = ask(stage.suite, surface, streamed, model, text)
    if heard.error is None:
        assert_complete(heard, answer(text))
    else:
        assert_failed(heard)


@EVERY_WAY
@pytest.mark.parametrize("holds_open", [False, True], ids=["closed", "held-open"])
@pytest.mark.parametrize("model", ALONE)
def test_a_missing_terminator_keeps_nobody_waiting(stage: Stage, model: str, holds_open: bool, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, ALONE[model], Act(has_terminator=False, holds_open=holds_open))
    heard = ask(stage.suite, surface, streamed, model, text)
    assert_complete(heard, answer(text))
    assert heard.seconds < 0.7 + 2, heard
    assert heard.tokens == (11, len(answer(text).split())), f"the usage is kept: {heard.usage}"


@EVERY_WAY
@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("context_length_exceeded", "This model's maximum context length is 8192 tokens.", 400),
        ("content_policy_violation", "Your request was rejected as a result of our safety system.", 400),
        ("invalid_value", "temperature must be at most 2.", 400),
        (None, "cannot be processed", 422),
        (None, "too large", 413),
    ],
    ids=["context", "content-policy", "value", "unprocessable", "too-large"],
)
def test_the_callers_own_mistake_is_tried_exactly_once(stage: Stage, code: str | None, message: str, status: int, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "alone-a", fail(status, message, code))
    heard = ask(stage.suite, surface, streamed, "alone", text)
    assert_failed(heard)
    assert heard.status == status and message.rstrip(".") in heard.error["message"], heard
    if code and surface != "messages":
        assert heard.error["code"] == code, heard
    assert len(stage.actor.seen(text)) == 1
    if code == "content_policy_violation":
        other = prompt()
        stage.actor.script(other, "pair-a", fail(400, message, code))
        refused = ask(stage.suite, surface, streamed, "pair", other)
        assert refused.status == 400 and not stage.actor.seen(other, "pair-b"), "what one provider finds improper is not shopped around"


@EVERY_WAY
def test_who_served_is_named_everywhere(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "pair-a", fail(503))
    stage.actor.script(text, "pair-b", Act(usage={"input_tokens": 123, "output_tokens": 45}))
    heard = ask(stage.suite, surface, streamed, "pair", text)
    assert_complete(heard, answer(text))
    assert heard.headers["x-bulkhead-provider"] == "three" and heard.headers["x-bulkhead-model"] == "pair-b"
    assert heard.models == {"pair-b"} and heard.tokens == (123, 45), (heard.models, heard.usage)
    assert heard.extra.get("model", "pair-b") == "pair-b"
    span = stage.span(heard.headers["x-request-id"])
    assert (span["provider"], span["model"], span["attempts"]) == ("three", "pair-b", 3), span
