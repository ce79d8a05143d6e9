"""Request limits of a key, and how a client is told."""

import concurrent.futures
import time

import openai
import pytest

from suite import Suite, prompt, until


def test_the_limit_of_a_key_is_held_exactly(steady: Suite) -> None:
    key = steady.new_key("--rpm", "5")["key"]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: steady.chat(key=key), range(10)))
    assert [reply.status for reply in replies].count(200) == 5, [reply.status for reply in replies]
    assert [reply.status for reply in replies].count(429) == 5


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_refusal_says_when_to_come_back(steady: Suite, dialect: str) -> None:
    key, text = steady.new_key("--rpm", "2")["key"], prompt("limited")
    allowed = [steady.chat(key=key, dialect=dialect) for _ in range(2)]
    assert [reply.status for reply in allowed] == [200, 200]
    prefix = "x-ratelimit-{}-requests" if dialect == "openai" else "anthropic-ratelimit-requests-{}"
    assert [reply.headers[prefix.format("limit")] for reply in allowed] == ["2", "2"]
    assert [reply.headers[prefix.format("remaining")] for reply in allowed] == ["1", "0"]
    assert allowed[0].headers[prefix.format("reset")]
    refused = steady.chat(text=text, key=key, dialect=dialect)
    assert refused.status == 429, refused
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert 0 < int(refused.headers["retry-after-ms"]) <= 60_000
    assert refused.headers["x-should-retry"] == "true"
    assert refused.headers[prefix.format("remaining")] == "0"
    error = refused.error
    assert error["message"] and (error["code"] == "rate_limit_exceeded" if dialect == "openai" else error["type"] == "rate_limit_error")
    assert steady.provider.seen(text) == [], "what is refused never reaches a provider"


def test_an_operator_lets_a_limit_count_anew(steady: Suite) -> None:
    made = steady.new_key("--rpm", "1")
    assert steady.chat(key=made["key"]).status == 200 and steady.chat(key=made["key"]).status == 429
    done = steady.cli("session", "limits", "reset", "--tenant", "acme", "--key", made["id"])
    assert done.returncode == 0 and made["id"] in done.stdout and "count from zero" in done.stdout, done
    assert steady.chat(key=made["key"]).status == 200 and steady.chat(key=made["key"]).status == 429
    assert f"key:{made['id']}" in steady.log() and "limits reset by the operator" in steady.log()
    for words in ([], ["--user", "ada"], ["--tenant", "acme", "--user", "ada", "--key", made["id"]]):
        assert steady.cli("session", "limits", "reset", *words).returncode == 64, words


def test_the_limit_of_one_key_is_not_another_ones(steady: Suite) -> None:
    tight, wide = steady.new_key("--rpm", "1")["key"], steady.new_key()["key"]
    assert steady.chat(key=tight).status == 200 and steady.chat(key=tight).status == 429
    assert steady.chat(key=wide).status == 200


def test_a_limit_frees_itself_as_time_goes_by(steady: Suite) -> None:
    key = steady.new_key("--rpm", "60")["key"]
    replies = [steady.chat(key=key) for _ in range(61)]
    refused = [reply for reply in replies if reply.status == 429]
    assert refused or replies[-1].status == 200
    wait = int(refused[-1].headers["retry-after-ms"]) / 1000 if refused else 0
    assert wait <= 2, "at one a second the next is a second away"
    began = time.monotonic()
    until(lambda: steady.chat(key=key).status == 200, wait + 2, "an admitted request", every=0.05)
    assert time.monotonic() - began >= wait * 0.5, "not much before it was promised"


def test_what_costs_nothing_is_not_counted(steady: Suite) -> None:
    key = steady.new_key("--rpm", "1")["key"]
    for _ in range(5):
        assert steady.request("GET", "/v1/models", key=key).status == 200
        assert steady.request("GET", "/health", key=None).status == 200
    assert steady.chat(key=key).status == 200


def test_clients_wait_and_try_again_by_themselves(steady: Suite) -> None:
    key = steady.new_key("--rpm", "1")["key"]
    client = steady.openai(api_key=key, max_retries=0)
    client.chat.completions.create(model="assistant", messages=[{"role": "user", "content": prompt()}])
    with pytest.raises(openai.RateLimitError) as told:
        client.chat.completions.create(model="assistant", messages=[{"role": "user", "content": prompt()}])
    assert told.value.code == "rate_limit_exceeded" and told.value.request_id


def test_an_overload_waits_its_turn_or_is_told(own_suite) -> None:
    suite = own_suite(lambda document: document["edge"].update(max_concurrent_requests=2, queue={"depth": 2, "max_wait": "5s"})).begin()
    suite.provider.script("demo-chat", *["slow-500ms"] * 4)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda _: suite.chat(), range(12)))
        probe = suite.request("GET", "/health", key=None)
    codes = [reply.status for reply in replies]
    assert codes.count(200) >= 4 and set(codes) <= {200, 503}, codes
    assert codes.count(503) >= 1, "two run, two wait, the rest is told at once"
    for reply in replies:
        if reply.status == 503:
            assert int(reply.headers["retry-after"]) >= 1 and reply.headers["x-should-retry"] == "true"
    assert probe.status == 200
