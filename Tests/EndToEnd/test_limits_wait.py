"""Requests that a limit refuses for a moment only wait for it: in order, bounded, and not a moment longer than they may."""

import concurrent.futures
import contextlib
import http.client
import json
import time
from typing import Any

import pytest

from suite import CHAT, Reply, Suite, prompt, until


def metric(suite: Suite, name: str, **labels: str) -> float:
    page = suite.request("GET", "/metrics", key=None).body.decode()
    wanted = ",".join(f'{label}="{value}"' for label, value in labels.items())
    lines = [line for line in page.splitlines() if line.startswith(f"bulkhead_{name}") and wanted in line]
    return float(lines[0].split()[-1]) if lines else 0.0


def waiting(suite: Suite) -> int:
    return int(metric(suite, "edge_requests_queued"))


def quick(document: dict[str, Any]) -> None:
    document["edge"]["queue"] = {"max_limit_wait": "2s"}


@pytest.fixture(scope="module")
def patient(provider) -> Any:
    import suite as driver

    with contextlib.closing(driver.Suite(provider, quick).begin()) as running:
        yield running


def emptied(suite: Suite, rpm: int = 60, *options: str) -> str:
    """A key whose requests of this minute are spent: from now on one is admitted every `60 / rpm` seconds."""
    key = suite.new_key("--rpm", str(rpm), *options)["key"]
    # Waits half of its time at most, and is refused when the limit admits it later than that.
    statuses = [suite.chat("open", key=key, headers={"x-stainless-read-timeout": "0.5"}).status for _ in range(rpm)]
    while statuses[-1] == 200:
        statuses.append(suite.chat("open", key=key, headers={"x-stainless-read-timeout": "0.5"}).status)
    assert set(statuses) <= {200, 429}, statuses
    return key


def test_a_spike_is_smoothed(patient: Suite) -> None:
    key = emptied(patient)
    began = time.monotonic()
    reply = patient.chat("open", key=key)
    assert reply.status == 200 and 0.1 < time.monotonic() - began < 2.5
    assert float(reply.headers["x-bulkhead-overhead-ms"]) > 100, "the wait is edge's doing"
    assert metric(patient, "edge_limit_waits_total", outcome="admitted") >= 1
    assert metric(patient, "edge_limit_wait_duration_seconds_count") >= 1


def test_overuse_is_refused_at_once_and_told_how_long_the_line_is(patient: Suite) -> None:
    key = emptied(patient)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda _: patient.chat("open", key=key), range(12)))
    admitted = [reply for reply in replies if reply.status == 200]
    refused = [reply for reply in replies if reply.status == 429]
    assert 1 <= len(admitted) <= 4 and len(admitted) + len(refused) == 12, [str(reply) for reply in replies]
    assert sorted(reply.seconds for reply in refused)[len(refused) // 2] < 0.8, "who cannot be admitted in time is told at once"
    for reply in refused:
        assert reply.error["code"] == "rate_limit_exceeded" and reply.headers["x-should-retry"] == "true"
        assert 1 <= int(reply.headers["retry-after"]) <= 10 and int(reply.headers["retry-after-ms"]) >= 100
        assert reply.headers["x-bulkhead-violated-policies"].endswith("-requests") and reply.headers["ratelimit"]
    assert waiting(patient) == 0


def test_first_come_first_served(patient: Suite) -> None:
    """Later requests of a key do not overtake those that wait."""
    key, done = emptied(patient, 120), []

    def one(number: int) -> Reply:
        reply = patient.chat("open", key=key)
        done.append(number)
        return reply

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        asked = []
        for number in range(3):
            asked.append(pool.submit(one, number))
            until(lambda: waiting(patient) >= number + 1 or asked[0].done(), 2, "the request to wait", every=0.005)
        assert [reply.result().status for reply in asked] == [200, 200, 200]
    assert done == [0, 1, 2]


def test_the_wait_of_one_key_is_not_another_ones(patient: Suite) -> None:
    key, other = emptied(patient), patient.new_key()["key"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waits = [pool.submit(patient.chat, "open", key=key) for _ in range(2)]
        assert all(patient.chat("open", key=other).seconds < 0.9 for _ in range(5))
        assert waits[0].result().status == 200


def test_a_place_that_comes_free_in_time_is_waited_for(patient: Suite) -> None:
    key = patient.new_key("--concurrency", "1")["key"]
    patient.provider.script("demo-open", "slow-500ms", "slow-500ms", "slow-500ms")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(lambda _: patient.chat("open", key=key), range(3)))
    assert [reply.status for reply in replies] == [200, 200, 200], [str(reply) for reply in replies]


def test_nobody_waits_longer_than_its_caller(patient: Suite) -> None:
    key = emptied(patient, 30)
    began = time.monotonic()
    reply = patient.chat("open", key=key, headers={"x-stainless-read-timeout": "0.2"})
    assert reply.status == 429 and time.monotonic() - began < 1
    reply = patient.chat("open", key=key, bulkhead={"timeout_ms": 200})
    assert reply.status == 429


def test_a_client_that_leaves_makes_room_for_the_next(patient: Suite) -> None:
    key = emptied(patient)
    body = json.dumps(patient.body("open", text := prompt()))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", patient.port, timeout=10)) as leaver:
        leaver.request("POST", CHAT, body, {"content-type": "application/json", "authorization": f"Bearer {key}"})
        until(lambda: waiting(patient) == 1, 2, "the request to wait", every=0.005)
    until(lambda: waiting(patient) == 0, 1, "the line to be empty", every=0.01)
    assert patient.chat("open", key=key).status == 200
    assert patient.provider.seen(text) == []
    assert metric(patient, "edge_limit_waits_total", outcome="left") >= 1


def test_money_is_not_waited_for(own_suite) -> None:
    def priced(document: dict[str, Any]) -> None:
        quick(document)
        document["router"]["model_info"] = [{"model": "demo-open", "price": {"input": 1000, "output": 1000}}]

    suite = own_suite(priced).begin()
    key = suite.new_key("--budget-usd", "0.02", "--budget-window", "1d")["key"]
    replies = [suite.chat("open", key=key, max_tokens=10) for _ in range(6)]
    assert replies[-1].status == 429 and replies[-1].error["code"] == "budget_exceeded" and replies[-1].seconds < 1


def test_those_who_wait_hold_no_place(own_suite) -> None:
    def narrow(document: dict[str, Any]) -> None:
        document["edge"].update(max_concurrent_requests=2, queue={"depth": 8, "max_wait": "5s", "max_limit_wait": "2s"})

    suite = own_suite(narrow).begin()
    key, other = emptied(suite), suite.new_key(tenant="other")["key"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waits = [pool.submit(suite.chat, "open", key=key) for _ in range(2)]
        until(lambda: waiting(suite) >= 1, 2, "a line", every=0.005)
        assert suite.chat("open", key=other).seconds < 0.9
        assert waits[0].result().status == 200


def test_it_can_be_turned_off(own_suite) -> None:
    suite = own_suite(lambda document: document["edge"].update(queue={"max_limit_wait": "0s"})).begin()
    key = emptied(suite)
    reply = suite.chat("open", key=key)
    assert reply.status == 429 and reply.seconds < 0.9
    assert metric(suite, "edge_limit_wait_duration_seconds_count") == 0
