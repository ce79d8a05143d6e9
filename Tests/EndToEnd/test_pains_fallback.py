"""Another provider takes over wherever in its answer the first one fails."""

import pytest

from actor import Act, answer, broken, fail
from stage import Stage, route
from suite import prompt
from surfaces import EVERY_WAY, ask, assert_complete, assert_failed, together

POLICIES = ("error", "replay", "continue", "buffer")
# Which provider fails, and which one takes over.
PAIRS = {"openai-anthropic": ("one", "three"), "anthropic-openai": ("four", "two")}
CASES = [(policy, pair) for policy in POLICIES for pair in PAIRS]
ROUTES = [
    route(f"{policy}-{pair}", f"{first}/{policy}-{pair}-a", f"{second}/{policy}-{pair}-b", on_stream_break=policy)
    for policy in POLICIES for pair, (first, second) in PAIRS.items()
] + [route(f"gone-{policy}", f"gone/gone-{policy}-a", f"three/gone-{policy}-b", on_stream_break=policy) for policy in POLICIES]

BEFORE = {
    "reset": broken("refuse"),
    "500": fail(500),
    "503": fail(503),
    "529": fail(529),
    "silence": broken("silent"),
    "headers-then-silence": broken("stall", "head"),
    "headers-then-cut": broken("cut", "head"),
    "headers-then-end": broken("end", "head"),
    "error-in-the-first-event": broken("error", "head"),
    "garbage-in-the-first-event": broken("garbage", "head"),
    "silence-after-the-opening-event": broken("stall", 0),
    "error-after-the-opening-event": broken("error", 0),
    "cut-after-the-opening-event": broken("cut", 0),
    "html-instead-of-events": Act(body="<html><body>Bad gateway</body></html>", headers={"content-type": "text/html"}),
}
FAULTS = ("cut", "eof", "end", "stall", "error", "garbage")
LATER = {f"{fault}-{place}": broken(fault, after) for place, after in (("after-some-tokens", 7), ("before-the-finish", "text")) for fault in FAULTS}
ONCE = {"silence", "headers-then-silence", "silence-after-the-opening-event"}


@EVERY_WAY
@pytest.mark.parametrize("fault", BEFORE)
def test_a_failure_before_the_first_token_goes_to_the_next_provider(stage: Stage, fault: str, surface: str, streamed: bool) -> None:
    """Under every policy: nobody has seen anything yet."""

    def one(policy: str, pair: str) -> None:
        text, alias = prompt(), f"{policy}-{pair}"
        stage.actor.script(text, f"{alias}-a", BEFORE[fault])
        heard = ask(stage.suite, surface, streamed, alias, text)
        assert_complete(heard, answer(text))
        assert heard.headers["x-bulkhead-model"] == f"{alias}-b" and heard.models == {f"{alias}-b"}, heard
        tries = len(stage.actor.seen(text, f"{alias}-a"))
        assert tries == 1 if fault in ONCE else 1 <= tries <= 2, f"{tries} tries at the first provider"
        assert heard.headers["x-bulkhead-attempts"] == str(tries + 1)

    together(one, *CASES)


@EVERY_WAY
def test_a_provider_nobody_listens_at_is_passed_over(stage: Stage, surface: str, streamed: bool) -> None:
    for policy in POLICIES:
        text = prompt()
        heard = ask(stage.suite, surface, streamed, f"gone-{policy}", text)
        assert_complete(heard, answer(text))
        assert heard.headers["x-bulkhead-model"] == f"gone-{policy}-b", heard


@EVERY_WAY
@pytest.mark.parametrize("fault", LATER)
def test_a_failure_after_the_first_token_is_mended_or_told(stage: Stage, fault: str, surface: str, streamed: bool) -> None:
    """Policy `error` tells it to who streams; every other one, and an answer that was not shown yet, completes the answer."""

    def one(policy: str, pair: str) -> None:
        text, alias = prompt(), f"{policy}-{pair}"
        stage.actor.script(text, f"{alias}-a", LATER[fault])
        heard = ask(stage.suite, surface, streamed, alias, text)
        asked = stage.actor.seen(text, f"{alias}-b")
        if policy == "error" and streamed:
            if fault.startswith("garbage") and heard.is_terminated:
                return assert_complete(heard, answer(text))  # skipped: allowed, as long as nothing is lost
            assert heard.text, f"the tokens before the failure flow as they come: {heard}"
            assert_failed(heard)
            assert not asked, "policy error asks nobody else once something was shown"
            return
        assert_complete(heard, answer(text))
        if not fault.startswith("garbage"):
            assert len(asked) == 1, f"the second provider was asked {len(asked)} times"
        assert len(stage.actor.seen(text, f"{alias}-a")) <= 2, "tries_per_target is 2"

    together(one, *CASES)


@EVERY_WAY
@pytest.mark.parametrize("fault", ["cut", "eof", "end", "stall"])
def test_a_failure_after_the_finish_is_none(stage: Stage, fault: str, surface: str, streamed: bool) -> None:
    """The reason of the end and the usage came: the answer is whole, whatever becomes of its terminator."""

    def one(policy: str, pair: str) -> None:
        text, alias = prompt(), f"{policy}-{pair}"
        stage.actor.script(text, f"{alias}-a", broken(fault, "done"))
        heard = ask(stage.suite, surface, streamed, alias, text)
        assert_complete(heard, answer(text))
        assert heard.tokens == (11, len(answer(text).split())) and len(stage.actor.seen(text)) == 1, heard.usage

    together(one, *CASES)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("policy", ["replay", "continue"])
def test_a_mended_stream_is_one_answer(stage: Stage, policy: str, pair: str) -> None:
    """One id, one model and one time of creation over all chunks, though two providers spoke."""
    text, alias = prompt(), f"{policy}-{pair}"
    stage.actor.script(text, f"{alias}-a", broken("cut", 7))
    heard = ask(stage.suite, "chat", True, alias, text)
    assert_complete(heard, answer(text))
    chunks = heard.documents
    for member in ("id", "created", "model", "object"):
        assert len({chunk[member] for chunk in chunks}) == 1, f"{member} changes: {[chunk[member] for chunk in chunks]}"
    assert [chunk["choices"][0]["delta"].get("role") for chunk in chunks if chunk["choices"]].count("assistant") == 1


@EVERY_WAY
def test_a_second_answer_that_differs_is_not_glued_to_the_first(stage: Stage, surface: str, streamed: bool) -> None:
    text, alias, other = prompt(), "replay-openai-anthropic", "Something else altogether, which begins in no way like the first answer did."
    stage.actor.script(text, f"{alias}-a", broken("cut", 7))
    stage.actor.script(text, f"{alias}-b", Act(text=other))
    heard = ask(stage.suite, surface, streamed, alias, text)
    if streamed:
        assert_failed(heard)
        assert answer(text).startswith(heard.text) and heard.text, heard
    else:
        assert_complete(heard, other)


@EVERY_WAY
def test_a_buffered_answer_shows_nothing_of_the_broken_one(stage: Stage, surface: str, streamed: bool) -> None:
    text, alias, other = prompt(), "buffer-openai-anthropic", "A wholly different answer."
    stage.actor.script(text, f"{alias}-a", broken("cut", 7))
    stage.actor.script(text, f"{alias}-b", Act(text=other))
    heard = ask(stage.suite, surface, streamed, alias, text)
    assert_complete(heard, other)
    assert heard.models == {f"{alias}-b"}, heard.models


@EVERY_WAY
def test_a_continued_answer_is_begun_by_what_was_shown(stage: Stage, surface: str, streamed: bool) -> None:
    text, alias = prompt(), "continue-openai-anthropic"
    stage.actor.script(text, f"{alias}-a", broken("cut", 7))
    heard = ask(stage.suite, surface, streamed, alias, text)
    assert_complete(heard, answer(text))
    (asked,) = stage.actor.seen(text, f"{alias}-b")
    last = asked.json["messages"][-1]
    assert last["role"] == ("assistant" if streamed else "user"), "what a caller has seen is given to the model to go on from"


@EVERY_WAY
def test_a_provider_that_refuses_to_continue_does_not_hide_the_failure(stage: Stage, surface: str, streamed: bool) -> None:
    """It is asked anew and what it repeats is dropped; where that cannot be, the caller is told. Never a 400 of somebody else's fault."""
    text, alias = prompt(), "continue-openai-anthropic"
    stage.actor.script(text, f"{alias}-a", broken("cut", 7))
    stage.actor.script(text, f"{alias}-b", Act(refuses_prefill=True))
    assert_complete(ask(stage.suite, surface, streamed, alias, text), answer(text))
    text = prompt()
    stage.actor.script(text, f"{alias}-a", broken("cut", 7))
    stage.actor.script(text, f"{alias}-b", Act(refuses_prefill=True, text="It goes another way."))
    heard = ask(stage.suite, surface, streamed, alias, text)
    if streamed:
        assert_failed(heard)
    else:
        assert_complete(heard, "It goes another way.")
