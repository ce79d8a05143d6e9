"""Two suites side by side that share one PostgreSQL and one Redis, and nothing else."""

import concurrent.futures
import contextlib
import secrets
import time
from typing import Any, Iterator

import pytest

from stores import Stores
from suite import Provider, Suite, prompt, until

NO_CACHE = {"cache": "off"}


@pytest.fixture(scope="module")
def pair(provider: Provider) -> Iterator[tuple[Suite, Suite]]:
    shared = Stores("postgres", "redis")

    def change(document: dict[str, Any]) -> None:
        document["suite"]["stores"] = shared.settings
        targets = {"steady": "demo-tokens-60-tps-20", "priced": "demo-priced"}
        document["router"]["models"] += [{"name": name, "targets": [{"provider": "oai", "model": model}]} for name, model in targets.items()]
        document["router"]["model_info"] = [{"model": "demo-priced", "context": 100_000, "price": {"input": 2, "output": 10}}]

    with contextlib.closing(shared), contextlib.ExitStack() as stack:
        suites = [Suite(provider, change) for _ in range(2)]
        for suite in suites:
            stack.callback(suite.close)
            suite.begin()
        yield suites[0], suites[1]


def token() -> str:
    return secrets.token_hex(12)


def test_a_key_made_at_one_is_good_at_the_other_at_once_and_ends_at_both(pair: tuple[Suite, Suite]) -> None:
    left, right = pair
    made = left.new_key()
    for suite in pair:
        assert suite.chat(key=made["key"]).status == 200
    left.admin("session", "keys", "revoke", made["id"])
    assert left.chat(key=made["key"]).status == 401
    until(lambda: right.chat(key=made["key"]).status == 401, 3, "the other suite to refuse the key")


def test_a_limit_of_requests_holds_over_both(pair: tuple[Suite, Suite]) -> None:
    key = pair[0].new_key("--rpm", "10")["key"]
    statuses = [pair[number % 2].chat(key=key).status for number in range(20)]
    # A refill of one request takes 6 s.
    assert 10 <= statuses.count(200) <= 12 and set(statuses) == {200, 429}, statuses


def test_places_are_counted_over_both_and_come_back(pair: tuple[Suite, Suite]) -> None:
    left, right = pair
    made = left.new_key("--concurrency", "2")

    def places() -> int:
        shown = left.admin("session", "limits", "show", made["id"])["limits"]
        return next(limit["remaining"] for limit in shown if limit["kind"] == "concurrency" and limit["subject"].startswith("key:"))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [pool.submit(suite.chat, "steady", key=made["key"]) for suite in pair]
        until(lambda: places() == 0, 5, "both places to be taken")
        for suite in pair:
            assert suite.chat(key=made["key"], bulkhead=NO_CACHE).status == 429
        for one in running:
            assert one.result().status == 200
    until(lambda: right.chat(key=made["key"], bulkhead=NO_CACHE).status == 200, 5, "a place to be free again")


def test_of_a_hundred_requests_with_one_idempotency_key_at_both_one_runs(pair: tuple[Suite, Suite]) -> None:
    key = pair[0].new_key("--user", "ada")["key"]
    for _ in range(5):
        text, once = prompt(), {"idempotency-key": token()}
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            replies = list(pool.map(lambda n: pair[n % 2].chat(text=text, key=key, headers=once, bulkhead=NO_CACHE), range(100)))
        assert len(pair[0].provider.seen(text)) == 1
        assert {reply.status for reply in replies} <= {200, 409}, [str(reply) for reply in replies]
        bodies = {reply.body for reply in replies if reply.status == 200}
        assert len(bodies) == 1
        for suite in pair:
            again = suite.chat(text=text, key=key, headers=once, bulkhead=NO_CACHE)
            assert again.body in bodies and again.headers["idempotent-replayed"] == "true", again


def test_a_budget_is_spent_over_both(pair: tuple[Suite, Suite]) -> None:
    made = pair[0].new_key("--budget-usd", "0.002", "--budget-window", "1d")
    replies = [pair[0].chat("priced", key=made["key"], bulkhead=NO_CACHE)]
    each = float(replies[0].headers["x-bulkhead-cost-usd"])
    while replies[-1].status == 200 and len(replies) < 40:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies += pool.map(lambda n: pair[n % 2].chat("priced", key=made["key"], bulkhead=NO_CACHE), range(8))
    refused = [reply for reply in replies if reply.status == 429]
    assert {reply.status for reply in replies} == {200, 429} and refused[-1].error["code"] == "budget_exceeded", [str(reply) for reply in refused]
    spent = sum(float(reply.headers["x-bulkhead-cost-usd"]) for reply in replies if reply.status == 200)
    assert spent <= 0.002 + each * 1.5, f"exceeded by more than one request: {spent}"

    def budgets() -> list[Any]:
        return [suite.admin("session", "limits", "show", made["id"])["budgets"] for suite in pair]

    until(lambda: budgets()[0] == budgets()[1] and not budgets()[0][0]["reservedNanousd"], 5, lambda: f"both to tell the same: {budgets()}")


def test_one_dies_and_the_other_goes_on(pair: tuple[Suite, Suite]) -> None:
    left, right = pair
    key = left.new_key("--user", "bob")["key"]
    text, once = prompt(), {"idempotency-key": token()}
    first = left.chat(text=text, key=key, headers=once)
    with left.down("session", "edge", "router"):
        began = time.monotonic()
        second = right.chat(text=text, key=key, headers=once)
        assert second.body == first.body and second.headers["idempotent-replayed"] == "true", second
        assert time.monotonic() - began < 2
    until(lambda: left.chat(key=key).status == 200, 15, "the first suite to be back")
