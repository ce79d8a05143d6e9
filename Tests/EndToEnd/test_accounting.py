"""What answers cost, as clients, operators and metrics are told."""

import json
import re
from typing import Any, Callable

import pytest

from suite import Suite, prompt, until

Make = Callable[..., Suite]
COUNT = "/v1/messages/count_tokens"


@pytest.fixture
def priced(own_suite: Make) -> Suite:
    """Some of the demo provider's models have a price; demo-open has none."""

    def change(configuration: dict[str, Any]) -> None:
        price = {"input": 2, "output": 10, "cached_input": 0.5}
        configuration["router"]["model_info"] = [
            {"model": model, "context": 100_000, "price": price} for model in ("demo-chat", "demo-claude", "demo-cut-5")]

    return own_suite(change).begin()


def cost(usage: dict[str, Any]) -> float:
    """Of OpenAI's or Anthropic's usage, at the prices above, in dollars."""
    tokens_in = usage.get("prompt_tokens", usage.get("input_tokens"))
    tokens_out = usage.get("completion_tokens", usage.get("output_tokens"))
    return (tokens_in * 2 + tokens_out * 10) / 1e6


@pytest.mark.parametrize("model, dialect", [("assistant", "openai"), ("scribe", "anthropic"), ("scribe", "openai"), ("assistant", "anthropic")])
def test_an_answer_costs_what_its_tokens_cost(priced: Suite, model: str, dialect: str) -> None:
    answer = priced.chat(model, dialect=dialect)
    assert float(answer.headers["x-bulkhead-cost-usd"]) == pytest.approx(cost(answer.json["usage"]), abs=1e-12)
    options = {"stream_options": {"include_usage": True}} if dialect == "openai" else {}
    told = re.findall(r'"cost_usd": ?"([^"]+)"', json.dumps([data for _, data in priced.stream(model, dialect=dialect, **options).events]))
    assert len(told) == 1 and float(told[0]) > 0


def test_a_price_that_is_not_known_is_not_0(priced: Suite) -> None:
    answer = priced.chat("open")
    assert answer.status == 200 and answer.headers["x-bulkhead-cost-usd"] == "unknown"
    events = json.dumps([data for _, data in priced.stream("open").events])
    assert '"cost_usd": null' in events
    page = priced.request("GET", "/metrics", key=priced.new_key("--admin")["key"]).body.decode()
    assert re.search(r'^bulkhead_router_unknown_price_total\{[^}]*model="demo-open"[^}]*\} 2$', page, re.M)

    def row() -> dict[str, Any] | None:
        rows = [row for row in priced.admin("telemetry", "costs")["models"] if row.get("model") == "demo-open"]
        return rows[0] if rows and rows[0]["requests"] == 2 else None

    told = until(row, 5, "both requests in the costs")
    assert told["unpriced"] == 2 and told.get("costUSD") is None
    assert "unknown" in priced.cli("telemetry", "costs").stdout


def test_a_cut_stream_costs_what_was_seen(priced: Suite) -> None:
    stream = priced.stream("cut-5", "A rope of ten metres, and again: " + prompt())
    assert stream.error and stream.text
    request = stream.headers["x-request-id"]

    def span() -> dict[str, Any] | None:
        done = priced.cli("telemetry", "trace", request, "--json")
        spans = json.loads(done.stdout)["spans"] if done.returncode == 0 else []
        return spans[0] if spans and spans[0].get("cost_usd") else None

    told = until(span, 5, "the cost of the cut stream")
    tokens_in, tokens_out = told["input_tokens"], told["output_tokens"]
    assert tokens_out > 0 and told["cost_usd"] == pytest.approx((tokens_in * 2 + tokens_out * 10) / 1e6)


def test_prices_may_change_while_running(priced: Suite) -> None:
    priced.document["router"]["model_info"][0]["price"] = {"input": 0, "output": 0}
    priced.write()
    assert priced.admin("router", "reload")["reloaded"] is True
    until(lambda: priced.chat().headers["x-bulkhead-cost-usd"] == "0", 5, "the new price")


def test_a_provider_that_counts_tokens_is_asked(steady: Suite) -> None:
    body = steady.body("scribe", prompt(), "anthropic")
    told = steady.request("POST", COUNT, body)
    message = steady.request("POST", "/v1/messages", body)
    assert told.json["input_tokens"] == message.json["usage"]["input_tokens"]


def test_tokens_are_counted_here_where_the_provider_does_not(steady: Suite) -> None:
    before = steady.admin("router", "breakers", "list")
    for model, text in (("assistant", "hello " * 400), ("scribe", "hello")):
        answer = steady.request("POST", COUNT, steady.body(model, text, "anthropic"))
        assert answer.status == 200 and answer.json["input_tokens"] > 0
    # 400 words are 400 tokens of o200k_base, a space and 8 of the message's form; a third more without the vocabulary.
    counted = steady.request("POST", COUNT, steady.body("assistant", "hello " * 400, "anthropic")).json["input_tokens"]
    assert 380 <= counted <= 620
    assert [row["state"] for row in steady.admin("router", "breakers", "list")] == [row["state"] for row in before]


def test_counting_waits_for_no_provider_that_fails(steady: Suite) -> None:
    for model in ("slow-4s", "fail-500", "stall"):
        assert steady.request("POST", COUNT, steady.body(model, "hello", "anthropic")).json["input_tokens"] > 0
