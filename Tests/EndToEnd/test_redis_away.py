"""What operators are told while the Redis that shares the answer cache is away."""

import contextlib
import json
import subprocess
from typing import Iterator

from suite import Suite, start, until


@contextlib.contextmanager
def redis_at(suite: Suite) -> Iterator[subprocess.Popen[bytes]]:
    folder = suite.root
    process = start(["/usr/bin/redis-server", "--port", "0", "--unixsocket", folder / "redis.sock", "--dir", folder, "--save", "", "--appendonly", "no"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def fast_store(suite: Suite) -> str:
    return suite.ready()["stores"]["fast"]["state"]


def test_a_redis_that_is_away_degrades_its_store_and_nothing_else(own_suite) -> None:
    def shared_cache(document: dict) -> None:
        document["suite"]["stores"] = {"fast": "redis", "redis": {"url": "unix://SOCKET"}}

    suite: Suite = own_suite(shared_cache)
    suite.document["suite"]["stores"]["redis"]["url"] = f"unix://{suite.root}/redis.sock"
    with redis_at(suite):
        suite.begin()
        assert suite.ready()["stores"]["fast"]["state"] == "ready"
    until(lambda: fast_store(suite) == "degraded", 15, "the store to be told as degraded")
    reply = suite.request("GET", "/ready", key=None)
    told = reply.json
    assert reply.status == 200 and told["status"] == "degraded" and "redis" in told["degraded"] and "router" in told["degraded"], told
    assert told["stores"]["fast"]["kind"] == "redis" and told["stores"]["fast"]["reason"] and told["stores"]["durable"]["state"] == "ready", told
    status = suite.admin("router", "status")
    assert status["state"] == "degraded" and "redis is away" in status["reason"], status
    assert suite.chat().status == 200, "a cache is no reason to refuse"
    with redis_at(suite):
        until(lambda: fast_store(suite) == "ready" and suite.ready()["status"] == "ready", 15, "the store to be ready again")


def test_a_redis_that_never_was_there_is_told_too(own_suite) -> None:
    suite: Suite = own_suite(lambda document: document["suite"].update(stores={"fast": "redis", "redis": {"url": "unix:///nowhere/redis.sock"}}))
    suite.launch()
    until(lambda: suite.cli("router", "status").returncode == 0, 30, "the router to run")
    until(lambda: json.loads(suite.cli("router", "status", "--json").stdout)["state"] == "degraded", 15, "the router to be degraded")
