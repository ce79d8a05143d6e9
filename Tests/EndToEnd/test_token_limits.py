"""Tokens per minute and requests at once: reserved before a request runs, settled with what it did cost."""

import concurrent.futures
import signal
from typing import Any

import pytest

from suite import Suite, prompt, until


def long_answers(document: dict) -> None:
    route = {"timeouts": {"connect": "1s", "first_token": "5s", "between_tokens": "5s", "total": "20s"}}
    document["router"]["models"] += [
        {"name": "long", "targets": [{"provider": "open", "model": "demo-tokens-300-tps-3000"}]} | route,
        {"name": "steady", "targets": [{"provider": "open", "model": "demo-tokens-400-tps-20"}]} | route,
    ]


def test_parallel_requests_never_settle_more_than_the_limit_and_one_request(own_suite) -> None:
    suite, limit = own_suite(long_answers).begin(), 3000
    key = suite.new_key("--tpm", str(limit))["key"]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        replies = list(pool.map(lambda _: suite.chat("long", key=key, max_tokens=400), range(40)))
    assert {reply.status for reply in replies} == {200, 429}, [reply.status for reply in replies]
    used = [reply.json["usage"]["total_tokens"] for reply in replies if reply.status == 200]
    # The bucket fills at limit/60 a second meanwhile.
    refilled = limit / 60 * max(reply.seconds for reply in replies)
    assert limit / 2 <= sum(used) <= limit + max(used) + refilled, used
    refused = [reply for reply in replies if reply.status == 429]
    assert all(f"{limit} tokens per minute" in reply.error["message"] and reply.error["code"] == "rate_limit_exceeded" for reply in refused)
    assert all(0 < int(reply.headers["retry-after-ms"]) <= 60_000 and reply.headers["x-should-retry"] == "true" for reply in refused)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_answers_and_refusals_tell_how_many_tokens_are_left(steady: Suite, dialect: str) -> None:
    key = steady.new_key("--tpm", "2000")["key"]
    name = "x-ratelimit-{}-tokens" if dialect == "openai" else "anthropic-ratelimit-tokens-{}"
    first = steady.chat(key=key, dialect=dialect, max_tokens=600)
    assert first.status == 200 and first.headers[name.format("limit")] == "2000" and first.headers[name.format("reset")]
    left = int(first.headers[name.format("remaining")])
    assert 1200 <= left < 1400, "what the request may cost is reserved"
    second = steady.chat(key=key, dialect=dialect, max_tokens=600)
    assert int(second.headers[name.format("remaining")]) > left - 600, "the first cost less than it had reserved"
    # Of a small limit a few tokens are many seconds: a short wait would not be refused but waited.
    small = steady.new_key("--tpm", "200")["key"]
    assert steady.chat(key=small, dialect=dialect, max_tokens=100).status == 200
    refused = steady.chat(key=small, dialect=dialect, max_tokens=3000)
    assert refused.status == 429 and refused.headers[name.format("remaining")] and int(refused.headers["retry-after"]) >= 1


def test_a_small_limit_admits_a_small_call(steady: Suite) -> None:
    key = steady.new_key("--tpm", "50")["key"]
    assert steady.chat(key=key).status == 200, "an estimate beyond the whole limit is admitted when nothing of it is spent"


def test_what_fails_costs_no_tokens(steady: Suite) -> None:
    key = steady.new_key("--tpm", "1500", "--concurrency", "2")["key"]
    for _ in range(5):
        assert steady.chat("fail-400", key=key, max_tokens=1000).status == 400
    reply = steady.chat(key=key, max_tokens=1000)
    assert reply.status == 200, reply


def test_places_come_back_with_the_answer(steady: Suite) -> None:
    key = steady.new_key("--concurrency", "1")["key"]
    for number in range(30):
        reply = steady.stream(key=key) if number % 3 == 0 else steady.chat(key=key)
        assert reply.status == 200, (number, reply)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        statuses = [reply.status for reply in pool.map(lambda _: steady.chat("slow-4s", key=key, seconds=20), range(6))]
    assert statuses.count(429) == 5, statuses


def test_places_of_callers_who_left_are_free_and_so_are_those_of_a_killed_edge(own_suite) -> None:
    suite = own_suite(long_answers).begin()
    key = suite.new_key("--concurrency", "2")["key"]
    for _ in range(20):
        suite.stream("steady", key=key, on_event=lambda stream: bool(stream.text))

    def both() -> bool:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return [reply.status for reply in pool.map(lambda _: suite.chat(text=prompt(), key=key), range(2))] == [200, 200]

    until(both, 5, "two places")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        begun: set[str] = set()

        def hold(name: str) -> Any:
            return suite.stream("steady", key=key, on_event=lambda _: begun.add(name) and None)

        held = [pool.submit(hold, name) for name in ("one", "two")]
        # A question asked before both have begun would take a place itself.
        until(lambda: len(begun) == 2, 5, "both streams to begin")
        assert suite.chat(key=key).status == 429, "both places are taken"
        suite.wait_restarted("edge", suite.signal("edge", signal.SIGKILL))
        until(both, 15, "two places at the next edge")
        for stream in held:
            with pytest.raises(Exception):
                assert stream.result().is_terminated
