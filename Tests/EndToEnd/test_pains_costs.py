"""What an answer costs, to the last nano-dollar: every kind of token once, at the price of who served."""

import re
from decimal import Decimal
from typing import Any

import pytest

from actor import Act, answer, broken, fail
from stage import Stage, route
from suite import prompt, until
from surfaces import EVERY_WAY, ask, assert_complete, assert_failed

# USD per million tokens.
OAI: dict[str, Any] = {"input": 1.25, "cached_input": 0.125, "output": 10}
ANT: dict[str, Any] = {"input": 3, "cached_input": 0.3, "cache_write": 3.75, "output": 15}
BARE: dict[str, Any] = {"input": 0.07, "output": 0.31}  # no price for the cache: it costs what input costs
PRICES = [
    {"model": "priced-a", "price": OAI}, {"model": "priced-c", "price": ANT}, {"model": "bare-a", "price": BARE},
    {"model": "free-a", "price": {"input": 0, "output": 0}}, {"model": "pair-x", "price": {"input": 100, "output": 1000}}, {"model": "pair-y", "price": ANT},
    {"model": "dated-a", "price": OAI | {"effective": "2020-01-01"}}, {"model": "dated-a", "price": {"input": 77, "output": 77, "effective": "2990-01-01"}},
]
ROUTES = [
    route("openai", "one/priced-a"), route("anthropic", "four/priced-c"), route("bare", "one/bare-a"), route("free", "one/free-a"),
    route("dated", "one/dated-a"), route("nobody-knows", "one/a-model-without-a-price"),
    *(route(f"pair-{policy}", "one/pair-x", "four/pair-y", on_stream_break=policy) for policy in ("error", "replay", "continue", "buffer")),
]
FREE = {"input": 0, "output": 0, "cached": 0, "written": 0, "hour": 0}

# What a provider says of its use → the disjoint buckets it is charged for.
SHAPES: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "openai-plain": ("openai", {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}, {"input": 1000, "output": 200}),
    "openai-no-total": ("openai", {"prompt_tokens": 17, "completion_tokens": 3}, {"input": 17, "output": 3}),
    "openai-null-details": ("openai", {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_tokens_details": None, "completion_tokens_details": None}, {"input": 10, "output": 5}),
    "openai-empty-details": ("openai", {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {}, "completion_tokens_details": {}}, {"input": 10, "output": 5}),
    "openai-cached": ("openai", {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 896}}, {"input": 104, "cached": 896, "output": 10}),
    "openai-all-cached": ("openai", {"prompt_tokens": 512, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 512}}, {"cached": 512, "output": 1}),
    "openai-more-cached-than-sent": ("openai", {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 900}}, {"cached": 100, "output": 1}),
    "openai-reasoning": ("openai", {"prompt_tokens": 50, "completion_tokens": 700, "completion_tokens_details": {"reasoning_tokens": 640}}, {"input": 50, "output": 700}),
    "openai-all-reasoning": ("openai", {"prompt_tokens": 50, "completion_tokens": 640, "completion_tokens_details": {"reasoning_tokens": 640}}, {"input": 50, "output": 640}),
    "openai-cached-and-reasoning": (
        "openai", {"prompt_tokens": 2048, "completion_tokens": 300, "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 256, "accepted_prediction_tokens": 0}},
        {"input": 1024, "cached": 1024, "output": 300}),
    "openai-one-token": ("openai", {"prompt_tokens": 1, "completion_tokens": 1}, {"input": 1, "output": 1}),
    "openai-millions": ("openai", {"prompt_tokens": 1_000_000, "completion_tokens": 100_000}, {"input": 1_000_000, "output": 100_000}),
    "openai-sound": ("openai", {"prompt_tokens": 90, "completion_tokens": 5, "prompt_tokens_details": {"audio_tokens": 40}}, {"input": 90, "output": 5}),
    "anthropic-plain": ("anthropic", {"input_tokens": 1000, "output_tokens": 200}, {"input": 1000, "output": 200}),
    "anthropic-read": ("anthropic", {"input_tokens": 20, "output_tokens": 5, "cache_read_input_tokens": 3000}, {"input": 20, "cached": 3000, "output": 5}),
    "anthropic-written": ("anthropic", {"input_tokens": 20, "output_tokens": 5, "cache_creation_input_tokens": 3000}, {"input": 20, "written": 3000, "output": 5}),
    "anthropic-read-and-written": (
        "anthropic", {"input_tokens": 20, "output_tokens": 5, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 1000}, {"input": 20, "cached": 2000, "written": 1000, "output": 5}),
    "anthropic-for-an-hour": (
        "anthropic",
        {"input_tokens": 20, "output_tokens": 5, "cache_creation_input_tokens": 1000, "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600}},
        {"input": 20, "written": 400, "hour": 600, "output": 5}),
    "anthropic-no-input-but-cache": ("anthropic", {"input_tokens": 0, "output_tokens": 9, "cache_read_input_tokens": 77}, {"cached": 77, "output": 9}),
    "anthropic-null-counts": ("anthropic", {"input_tokens": 30, "output_tokens": 9, "cache_read_input_tokens": None, "cache_creation_input_tokens": None}, {"input": 30, "output": 9}),
    "bare-cached": ("bare", {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 600}}, {"input": 1000, "output": 10}),
    "bare-rounded": ("bare", {"prompt_tokens": 7, "completion_tokens": 3}, {"input": 7, "output": 3}),
    "free": ("free", {"prompt_tokens": 1000, "completion_tokens": 10}, {}),
    "dated": ("dated", {"prompt_tokens": 1000, "completion_tokens": 10}, {"input": 1000, "output": 10}),
}
MODELS = {"openai": ("priced-a", OAI), "anthropic": ("priced-c", ANT), "bare": ("bare-a", BARE), "free": ("free-a", {"input": 0, "output": 0}), "dated": ("dated-a", OAI)}


def dollars(price: dict[str, Any], **buckets: int) -> Decimal:
    """Nano-dollars are the least unit; halves go up."""
    rates = {
        "input": price["input"], "output": price["output"], "cached": price.get("cached_input", price["input"]),
        "written": price.get("cache_write", price["input"]), "hour": price.get("cache_write", price["input"]) * 1.6,
    }
    nano = sum(Decimal(count) * Decimal(str(rates[name])) * 1000 for name, count in buckets.items())
    return Decimal(int(nano + Decimal("0.5"))) / 1_000_000_000


@EVERY_WAY
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_usage_costs_what_it_should(stage: Stage, shape: str, surface: str, streamed: bool) -> None:
    alias, usage, buckets = SHAPES[shape]
    model, price = MODELS[alias]
    text = prompt()
    stage.actor.script(text, model, Act(usage=usage))
    heard = ask(stage.suite, surface, streamed, alias, text)
    assert_complete(heard, answer(text))
    assert heard.cost is not None and Decimal(heard.cost) == dollars(price, **buckets), f"{heard.cost}, not {dollars(price, **buckets)}: {heard.usage}"


@EVERY_WAY
def test_a_fallback_is_charged_at_its_own_price(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "pair-x", fail(503))
    stage.actor.script(text, "pair-y", Act(usage={"input_tokens": 100, "output_tokens": 10}))
    heard = ask(stage.suite, surface, streamed, "pair-error", text)
    assert_complete(heard, answer(text))
    assert Decimal(heard.cost) == dollars(ANT, input=100, output=10)


@EVERY_WAY
@pytest.mark.parametrize("policy", ["replay", "continue", "buffer"])
def test_both_providers_of_a_mended_answer_are_paid(stage: Stage, policy: str, surface: str, streamed: bool) -> None:
    """Each at its own price: the first one for what was seen of it."""
    text = prompt()
    stage.actor.script(text, "pair-x", broken("cut", 7))
    stage.actor.script(text, "pair-y", Act(usage={"input_tokens": 100, "output_tokens": 10}))
    heard = ask(stage.suite, surface, streamed, f"pair-{policy}", text)
    assert_complete(heard, answer(text))
    first = Decimal(heard.cost) - dollars(ANT, input=100, output=10)
    # Seven words, ten to thirty tokens of a mark among them; the question is about as long.
    assert Decimal("0.005") < first < Decimal("0.060"), f"the broken answer of the first provider was charged {first}"


@EVERY_WAY
def test_a_cut_answer_is_charged_for_what_was_seen(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "priced-a", broken("cut", 12))
    heard = ask(stage.suite, surface, streamed, "openai", text)
    assert_failed(heard)
    span = stage.span(heard.headers["x-request-id"])
    tries = len(stage.actor.seen(text))
    # Twelve words of each try, the mark of the prompt among them; never more than the whole answer would have been.
    assert 10 * tries <= span["output_tokens"] <= 30 * tries and 5 * tries <= span["input_tokens"] <= 60 * tries, span
    assert span["attempts"] == tries, span
    assert Decimal(str(span["cost_usd"])) == dollars(OAI, input=span["input_tokens"], output=span["output_tokens"]), span


@EVERY_WAY
def test_what_no_provider_counted_is_counted_and_said_to_be_an_estimate(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "priced-a", Act(usage={}))
    heard = ask(stage.suite, surface, streamed, "openai", text)
    assert_complete(heard, answer(text))
    given, made = heard.tokens
    assert 5 <= given <= 60 and 25 <= made <= 80, heard.usage
    assert Decimal(heard.cost) == dollars(OAI, input=given, output=made)
    if streamed:
        assert heard.extra["usage_estimated"] is True, heard.extra


@EVERY_WAY
def test_an_unknown_price_is_unknown_and_not_nothing(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    heard = ask(stage.suite, surface, streamed, "nobody-knows", text)
    assert_complete(heard, answer(text))
    assert heard.cost is None, heard.cost
    assert stage.span(heard.headers["x-request-id"]).get("cost_usd") is None


def test_an_unknown_price_is_told_to_the_operator(stage: Stage) -> None:
    heard = ask(stage.suite, "chat", False, "nobody-knows", prompt())
    assert heard.status == 200 and stage.span(heard.headers["x-request-id"])
    until(lambda: re.search(r"(?i)price.*a-model-without-a-price|a-model-without-a-price.*price", stage.suite.log()), 3, "a word about the price in the log")
    shown = {row["name"]: row["details"][0]["hasPrice"] for row in stage.suite.admin("router", "models")}
    assert shown["openai"] and not shown["nobody-knows"], shown
    told = stage.suite.admin("telemetry", "costs")["models"]
    assert [row["unpriced"] > 0 for row in told if row.get("model") == "a-model-without-a-price"] == [True], told


@EVERY_WAY
def test_an_answer_from_the_cache_costs_nothing(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    first, second = (ask(stage.suite, surface, streamed, "openai", text) for _ in range(2))
    assert (first.cache, second.cache) == ("miss", "exact")
    assert Decimal(first.cost) > 0 and Decimal(second.cost) == 0
    assert second.tokens == first.tokens, "what the answer was made of is still told"
    span = stage.span(second.headers["x-request-id"])
    assert span["cost_usd"] == 0 and span["cache"] == "exact", span


@EVERY_WAY
def test_a_refused_request_costs_nothing(stage: Stage, surface: str, streamed: bool) -> None:
    text = prompt()
    stage.actor.script(text, "priced-a", fail(400, "no"))
    heard = ask(stage.suite, surface, streamed, "openai", text)
    assert heard.status == 400
    assert not stage.span(heard.headers["x-request-id"]).get("cost_usd")


def test_the_sums_are_those_of_the_answers(stage: Stage) -> None:
    tenant = f"sums-{prompt().split()[-1]}"
    key = stage.suite.new_key(tenant=tenant)["key"]
    spent = Decimal(0)
    for surface in ("chat", "messages", "responses"):
        for streamed in (False, True):
            heard = ask(stage.suite, surface, streamed, "anthropic", prompt(), key=key)
            assert_complete(heard)
            spent += Decimal(heard.cost)

    def told() -> Decimal:
        return Decimal(str(stage.suite.admin("telemetry", "costs", "--tenant", tenant)["total"]["costUSD"]))

    until(lambda: abs(told() - spent) < Decimal("0.000000001"), 8, lambda: f"{spent} in the sums: {stage.suite.admin('telemetry', 'costs', '--tenant', tenant)}", every=0.2)
