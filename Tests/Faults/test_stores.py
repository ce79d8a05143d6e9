"""PostgreSQL and Redis killed, frozen, full and back, under a suite that stands on both."""

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
def servers() -> Iterator[Stores]:
    with contextlib.closing(Stores("postgres", "redis", own=True)) as servers:
        yield servers


@pytest.fixture(scope="module")
def suite(provider: Provider, servers: Stores) -> Iterator[Suite]:
    def change(document: dict[str, Any]) -> None:
        document["suite"]["stores"] = servers.settings
        document["router"]["models"].append({"name": "steady", "targets": [{"provider": "oai", "model": "demo-tokens-60-tps-20"}]})

    suite = Suite(provider, change)
    with contextlib.closing(suite):
        yield suite.begin()


@pytest.fixture(autouse=True)
def well(suite: Suite) -> Iterator[None]:
    """Every test begins and ends with all servers back."""
    suite.wait_well(20)
    yield
    suite.wait_well(20)


def once() -> dict[str, str]:
    return {"idempotency-key": secrets.token_hex(12)}


def keyed(suite: Suite, **more: Any) -> Any:
    return suite.chat(headers=once(), bulkhead=NO_CACHE, **more)


def test_a_killed_postgres_costs_keyed_requests_only_and_is_found_again(suite: Suite, servers: Stores) -> None:
    key, text, name = suite.new_key("--user", "ada")["key"], prompt(), once()
    first = suite.chat(text=text, key=key, headers=name)
    assert first.status == 200
    with servers.postgres_down():
        until(lambda: keyed(suite, key=key).status == 503, 5, "a request with an Idempotency-Key to be refused")
        reply = keyed(suite, key=key)
        assert reply.status == 503 and reply.seconds < 1.5 and reply.headers["retry-after"], reply
        plain = suite.chat(key=key, bulkhead=NO_CACHE)
        assert plain.status == 200 and plain.seconds < 1.5 and "session" in plain.degraded, plain
        assert suite.chat(key="bh_" + "x" * 43).status == 503, "a key nobody can look up is not called wrong"
        ready = suite.request("GET", "/ready", key=None)
        assert ready.status == 200 and ready.json["status"] == "degraded" and "session" in ready.json["degraded"], ready
        assert ready.json["stores"]["durable"]["state"] != "ready", ready
    until(lambda: keyed(suite, key=key).status == 200, 10, "keyed requests to run again")
    again = suite.chat(text=text, key=key, headers=name)
    assert again.body == first.body and again.headers["idempotent-replayed"] == "true", "an answer that was kept is kept"


def test_a_frozen_postgres_holds_nobody_up_for_longer_than_a_deadline(suite: Suite, servers: Stores) -> None:
    key = suite.new_key()["key"]
    assert keyed(suite, key=key).status == 200
    with servers.postgres_frozen():
        began = time.monotonic()
        reply = keyed(suite, key=key)
        assert reply.status == 503 and time.monotonic() - began < 5, reply
        plain = suite.chat(key=key, bulkhead=NO_CACHE)
        assert plain.status == 200 and plain.seconds < 1.5, plain
    until(lambda: keyed(suite, key=key).status == 200, 10, "keyed requests to run again")


def test_what_is_spent_while_postgres_is_away_is_written_when_it_is_back(suite: Suite, servers: Stores) -> None:
    made = suite.new_key()
    assert suite.chat(key=made["key"], bulkhead=NO_CACHE).status == 200
    with servers.postgres_down():
        for _ in range(5):
            assert suite.chat(key=made["key"], bulkhead=NO_CACHE).status == 200
    until(lambda: suite.admin("session", "keys", "show", made["id"])["spend"]["requests"] == 6, 15, "six requests on the key's account")


def test_a_killed_redis_is_done_without_and_limits_go_on_from_where_they_were(suite: Suite, servers: Stores) -> None:
    key = suite.new_key("--rpm", "20")["key"]
    before = [suite.chat(key=key).status for _ in range(15)]
    assert set(before) == {200}
    with servers.redis_down():
        until(lambda: suite.ready()["stores"]["fast"]["state"] == "degraded", 10, "the store to be told as degraded")
        replies = [suite.chat(key=key) for _ in range(12)]
        admitted = [reply for reply in replies if reply.status == 200]
        assert len(admitted) <= 8, "what was spent before counts"
        assert all(reply.seconds < 1.5 for reply in replies)
        assert all("session" in reply.degraded for reply in admitted), [str(reply) for reply in admitted]
    until(lambda: suite.ready()["status"] == "ready", 10, "redis to be used again")
    after = [suite.chat(key=key).status for _ in range(12)]
    assert after.count(200) <= 8, f"an empty Redis is no fresh allowance: {after}"


def test_a_frozen_redis_costs_no_request_more_than_a_moment(suite: Suite, servers: Stores) -> None:
    key = suite.new_key()["key"]
    assert suite.chat(key=key).status == 200
    with servers.redis_frozen():
        replies = [suite.chat(key=key, bulkhead=NO_CACHE) for _ in range(10)]
        assert {reply.status for reply in replies} == {200}
        assert max(reply.seconds for reply in replies) < 1.5, [reply.seconds for reply in replies]


def test_a_redis_that_is_made_a_replica_is_done_without_until_it_is_written_to_again(suite: Suite, servers: Stores) -> None:
    key = suite.new_key("--rpm", "60")["key"]
    assert suite.chat(key=key).status == 200
    assert servers.redis.command("REPLICAOF", "127.0.0.1", "1") == b"+OK"
    try:
        until(lambda: suite.ready()["stores"]["fast"]["state"] == "degraded", 10, "the store to be told as degraded")
        replies = [suite.chat(key=key, bulkhead=NO_CACHE) for _ in range(5)]
        assert all(reply.status == 200 and "session" in reply.degraded and reply.seconds < 1.5 for reply in replies), list(map(str, replies))
    finally:
        assert servers.redis.command("REPLICAOF", "NO", "ONE") == b"+OK"
    until(lambda: suite.ready()["status"] == "ready", 10, "redis to be used again")
    until(lambda: not suite.chat(key=key, bulkhead=NO_CACHE).degraded, 10, "limits to be shared again")


def test_two_hundred_streams_at_once_hold_no_connection(suite: Suite) -> None:
    """A pool of fourteen connections serves any number of streams, because none is held while a provider is waited for."""
    key = suite.new_key()["key"]
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        streams = list(pool.map(lambda _: suite.stream("steady", key=key, seconds=60), range(200)))
    assert [stream.status for stream in streams] == [200] * 200
    assert all(stream.is_finished for stream in streams)


def test_no_command_that_walks_all_keys_was_ever_sent(suite: Suite, servers: Stores) -> None:
    assert suite.chat().status == 200
    used = servers.redis.statistics()
    assert "cmdstat_fcall" in used, used
    for banned in ("keys", "scan", "flushall", "flushdb"):
        assert f"cmdstat_{banned}:" not in used, used


def test_a_suite_that_starts_before_its_stores_serves_when_they_come(provider: Provider) -> None:
    with contextlib.closing(Stores("postgres", "redis", own=True)) as servers:
        suite = Suite(provider, lambda document: document["suite"].update(stores=servers.settings))
        with contextlib.closing(suite):
            with servers.postgres_down(), servers.redis_down():
                suite.launch()
                until(lambda: suite.cli("credentials", "status").returncode == 0, 30, "credentials to run")
                for name, value in suite.secrets.items():
                    suite.store(name, value)
                until(lambda: suite.ready()["stores"]["durable"]["state"] != "ready", 10, "the durable store to be told as away")
                assert suite.chat(key="bh_" + "x" * 43).status == 503
            suite.wait_well(30)
            assert keyed(suite).status == 200
