"""The line before the places: fair to tenants, bounded, by class and within the caller's deadline."""

import concurrent.futures
import time
from typing import Any

from suite import EMBEDDINGS, Suite, prompt, until


def narrow(document: dict[str, Any]) -> None:
    document["edge"].update(max_concurrent_requests=2, queue={"depth": 8, "max_wait": "8s"})


def queued(suite: Suite) -> int:
    page = suite.request("GET", "/metrics", key=None).body.decode()
    return int(float(next(line for line in page.splitlines() if line.startswith("bulkhead_edge_requests_queued")).split()[-1]))


def test_a_tenant_that_floods_does_not_starve_another(own_suite) -> None:
    suite = own_suite(narrow).begin()
    loud, quiet = suite.new_key(tenant="loud")["key"], suite.new_key(tenant="quiet")["key"]
    assert suite.chat(key=loud).status == suite.chat(key=quiet).status == 200
    suite.provider.script("demo-chat", *["slow-500ms"] * 60)
    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        noise = [pool.submit(lambda: suite.chat(key=loud, seconds=30)) for _ in range(40)]
        until(lambda: queued(suite) >= 8, 10, "a full line")
        asked = [pool.submit(lambda: suite.chat(key=quiet, seconds=30)) for _ in range(3)]
        answers = [reply.result() for reply in asked]
        told = [reply.result() for reply in noise]
    assert [reply.status for reply in answers] == [200, 200, 200], answers
    assert [reply.status for reply in told].count(503) >= 20
    refused = [reply for reply in told if reply.status == 503]
    assert {reply.error["code"] for reply in refused} == {"overloaded"}
    assert all(1 <= int(reply.headers["retry-after"]) <= 60 for reply in refused)


def test_bulk_gives_way_to_chat(own_suite) -> None:
    suite = own_suite(narrow).begin()
    key, other = suite.new_key(tenant="one")["key"], suite.new_key(tenant="two")["key"]
    assert suite.chat(key=key).status == suite.chat(key=other).status == 200
    suite.provider.script("demo-chat", *["slow-500ms"] * 20)
    suite.provider.script("demo-embed", *["slow-500ms"] * 40)

    def embed() -> Any:
        return suite.request("POST", EMBEDDINGS, {"model": "vectors", "input": prompt()}, key=key, seconds=30)

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        bulk = [pool.submit(embed) for _ in range(25)]
        until(lambda: queued(suite) >= 8, 10, "a full line")
        chats = [reply.result() for reply in [pool.submit(lambda: suite.chat(key=key, seconds=30)) for _ in range(4)]]
        told = [reply.result().status for reply in bulk]
    assert [reply.status for reply in chats] == [200] * 4, chats
    assert 503 in told and 200 in told, told


def test_nobody_waits_longer_than_its_caller(own_suite) -> None:
    suite = own_suite(narrow).begin()
    key = suite.new_key()["key"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        held = [pool.submit(lambda: suite.chat("slow-4s", key=key, seconds=20)) for _ in range(2)]
        until(lambda: suite.chat(key=key, headers={"x-stainless-read-timeout": "0.2"}).status == 503, 5, "both places to be taken")
        began = time.monotonic()
        reply = suite.chat(key=key, headers={"x-stainless-read-timeout": "0.5"})
        assert reply.status == 503 and reply.error["code"] == "overloaded" and time.monotonic() - began < 3
        for one in held:
            one.result()


def test_probes_need_no_place(own_suite) -> None:
    suite = own_suite(narrow).begin()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        held = [pool.submit(lambda: suite.chat("slow-4s", seconds=20)) for _ in range(12)]
        until(lambda: queued(suite) >= 4, 5, "a line")
        assert suite.request("GET", "/health", key=None).status == 200 and suite.ready()["services"]
        for one in held:
            one.result()
