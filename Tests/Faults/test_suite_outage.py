"""Services that are gone for long, die again and again, or run out of descriptors: what is left stays quick and small."""

import datetime
import http.client
import json
import re
import resource
import signal
import socket
import statistics
import threading
import time
from typing import Any, Iterator

import psutil
import pytest

from loose import Loose, resident
from suite import CHAT, Provider, Suite, prompt, until

FAST = 0.010  # seconds for a 503 once the breaker is open
MEBIBYTE = 1 << 20


class Caller:
    """One client that keeps its connection."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.connection = http.client.HTTPConnection("127.0.0.1", suite.port, timeout=10)

    def ask(self, model: str = "assistant", path: str = CHAT, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any], float]:
        """Status, body and seconds of a request."""
        data = json.dumps(body or self.suite.body(model, prompt()))
        began = time.monotonic()
        self.connection.request("POST", path, data, {"content-type": "application/json", "authorization": f"Bearer {self.suite.key}"})
        answer = self.connection.getresponse()
        whole = answer.read()
        return answer.status, json.loads(whole), time.monotonic() - began

    def close(self) -> None:
        self.connection.close()


def assert_fast_503(suite: Suite, count: int) -> float:
    """That so many requests are answered with 503, half of them within 10 ms; gives the median in seconds."""
    caller, seconds = Caller(suite), []
    for _ in range(count):
        status, body, taken = caller.ask()
        assert status == 503 and body["error"]["message"] and body["error"]["code"], body
        seconds.append(taken)
    caller.close()
    assert statistics.median(seconds) <= FAST, f"{statistics.median(seconds) * 1000:.1f} ms"
    return statistics.median(seconds)


@pytest.mark.fault("F53")
def test_an_edge_without_router_session_and_retrieval_is_quick_and_does_not_grow(own_suite: Any) -> None:
    suite: Suite = own_suite().begin()
    edge, caller = suite.pids()["edge"], Caller(suite)
    for _ in range(1000):
        assert caller.ask()[0] == 200, "it has worked before"
    caller.close()
    with suite.down("router", "session", "retrieval"):
        until(lambda: all(suite.ready()["services"][service]["state"] == "down" for service in ("router", "session", "retrieval")), 3, "/ready to notice")
        until(lambda: suite.links("edge")["router"]["breaker"] == "open" or suite.chat().seconds < FAST, 10, "the breaker of the router to open")
        print("median_ms:", round(assert_fast_503(suite, 200) * 1000, 2))
        sizes: list[tuple[float, int]] = []
        ended, wrong, answered = threading.Event(), [], [0]

        def load() -> None:
            caller = Caller(suite)
            while not ended.is_set():
                status, body, taken = caller.ask()
                answered[0] += 1
                if status != 503 or taken > 1:
                    wrong.append((status, body, taken))
            caller.close()

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        while (now := time.monotonic() - began) < 60:
            sizes.append((now, resident(edge)))
            ended.wait(1)
        ended.set()
        for thread in threads:
            thread.join()
        assert not wrong, wrong[:3]
        early = max(size for at, size in sizes if 20 <= at < 30)
        late = statistics.median(size for at, size in sizes if at >= 50)
        print("answered:", answered[0])
        print("grown_kib:", (late - early) // 1024)
        assert late - early < MEBIBYTE, f"edge grew by {(late - early) / 1024:.0f} KiB in half a minute of load"
        print("median_ms_after:", round(assert_fast_503(suite, 200) * 1000, 2))
        assert suite.request("GET", "/health", key=None, seconds=2).status == 200
    until(lambda: suite.chat().status == 200, 10, "an answer")
    suite.wait_well(15)


@pytest.mark.fault("F37")
@pytest.mark.parametrize("service", ["router", "retrieval", "session"])
def test_a_service_that_crashes_again_and_again_is_started_ever_later_and_others_stay_quick(own_suite: Any, service: str) -> None:
    suite: Suite = own_suite().begin()
    assert suite.chat().status == 200
    ended = threading.Event()

    def crash() -> None:
        last = None
        while not ended.is_set():
            pid = json.loads(suite.pids_file.read_text()).get(service)
            if pid and pid != last:
                suite._note()
                suite._signal(pid, signal.SIGKILL)
                last = pid
            ended.wait(0.005)

    crasher = threading.Thread(target=crash)
    crasher.start()
    try:
        until(lambda: len(pauses(suite, service)) >= 4, 15, "four restarts")
        caller, seconds = Caller(suite), []
        until(lambda: suite.ready()["services"][service]["state"] == "down", 3, "/ready to notice")
        until(lambda: caller.ask()[2] < FAST, 5, "the breaker to open")
        for _ in range(200):
            status, body, taken = caller.ask()
            assert status == (503 if service == "router" else 200), body
            seconds.append(taken)
        caller.close()
    finally:
        ended.set()
        crasher.join()
    print("median_ms:", round(statistics.median(seconds) * 1000, 2))
    assert pauses(suite, service)[:4] == [200, 400, 800, 1600], pauses(suite, service)
    assert statistics.median(seconds) <= FAST, f"{statistics.median(seconds) * 1000:.1f} ms"
    suite.wait_well(15)
    assert suite.chat().status == 200


def pauses(suite: Suite, service: str) -> list[int]:
    """Milliseconds the supervisor waited before each restart."""
    return [int(pause) for pause in re.findall(rf"{service} ended with .*; starting it again in (\d+) ms", suite.log())]


@pytest.fixture
def loose(provider: Provider) -> Iterator[Loose]:
    loose = Loose(provider).begin()
    yield loose
    loose.close()


@pytest.mark.fault("F36")
def test_retrieval_killed_under_load_costs_chat_nothing_and_is_used_as_soon_as_it_is_back(loose: Loose) -> None:
    """As the out-of-memory killer would do it."""
    embedding = {"path": "/v1/embeddings", "body": {"model": "local-vectors", "input": "ropes"}}
    ended, chats, vectors = threading.Event(), [], []

    def load(kept: list[Any], **asked: Any) -> None:
        caller = Caller(loose)
        while not ended.is_set():
            at = time.monotonic()
            kept.append((at, *caller.ask(**asked)))
        caller.close()

    _ = loose.key
    threads = [threading.Thread(target=load, args=(chats,)) for _ in range(2)]
    threads += [threading.Thread(target=load, args=(vectors,), kwargs=embedding) for _ in range(4)]
    for thread in threads:
        thread.start()
    gaps: list[float] = []
    try:
        for _ in range(5):
            begun = len(vectors)
            until(lambda: len(vectors) > begun + 20, 10, "embeddings")
            pid = loose.children["retrieval"].pid
            loose.end("retrieval", signal.SIGKILL)
            loose.serve("retrieval")
            for caller in ("edge", "router"):
                link = until(lambda: back(loose, caller, pid), 5, f"the link of {caller}")
                gaps.append(time.time() - link["stateSeconds"] - serving(loose))
    finally:
        ended.set()
        for thread in threads:
            thread.join(15)
    assert {status for _, status, _, _ in chats} == {200}, "chat does not need it"
    assert {status for _, status, _, _ in vectors} <= {200, 503}, [body for _, status, body, _ in vectors if status not in (200, 503)][:3]
    assert max(taken for *_, taken in vectors) < 3, "nobody waits long"
    print("gaps_ms:", [round(gap * 1000) for gap in sorted(gaps)])
    assert statistics.median(gaps) <= 0.050, f"seconds until links were ready again: {gaps}"
    until(lambda: loose.ready()["status"] == "ready", 8, "all is well again")


def back(suite: Suite, caller: str, old: int) -> dict[str, Any] | None:
    link = suite.links(caller)["retrieval"]
    return link if link["state"] == "ready" and link["peerPID"] != old else None


def serving(suite: Suite) -> float:
    """When retrieval last said that it serves, in seconds since 1970."""
    lines = [json.loads(line) for line in suite.log().splitlines() if '"service":"retrieval"' in line and '"message":"serving"' in line]
    return datetime.datetime.fromisoformat(lines[-1]["time"]).timestamp()


# Descriptors


@pytest.mark.fault("F32")
def test_an_edge_without_descriptors_keeps_its_links_and_comes_back(own_suite: Any) -> None:
    suite: Suite = own_suite().begin()
    edge = suite.pids()["edge"]
    kept = Caller(suite)
    assert kept.ask()[0] == 200
    before = {peer: link["peerInstance"] for peer, link in suite.links("edge").items()}
    limits = resource.prlimit(edge, resource.RLIMIT_NOFILE)
    resource.prlimit(edge, resource.RLIMIT_NOFILE, (psutil.Process(edge).num_fds() + 16, limits[1]))
    idle = [socket.create_connection(("127.0.0.1", suite.port), 5) for _ in range(64)]
    try:
        with pytest.raises((TimeoutError, ConnectionError, http.client.HTTPException)):
            suite.request("GET", "/health", key=None, seconds=1.5)
        for _ in range(100):
            status, body, taken = kept.ask()
            assert status == 200 and taken < 1, body
    finally:
        for connection in idle:
            connection.close()
        kept.close()
    until(lambda: suite.request("GET", "/health", key=None, seconds=3).status == 200, 5, "new connections again")
    assert suite.chat().status == 200
    assert {peer: link["peerInstance"] for peer, link in suite.links("edge").items()} == before, "no link was lost"
    assert suite.pids()["edge"] == edge
