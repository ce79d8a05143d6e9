"""CONTRACT §6 for chat: what still works while a service is dead or frozen, under traffic.

Dead: killed with SIGKILL while its supervisor is stopped, so that nothing starts it again. Frozen: stopped with SIGSTOP.
"""

import contextlib
import signal
import statistics
import threading
import time
from typing import Any, Callable, Iterator

import pytest

from suite import CHAT, SERVICES, Reply, Suite, prompt, until

WITHOUT = [name for name in SERVICES if name != "edge"]
NOTICED = 3.0  # seconds until a dead or frozen service is seen as such
IN_USE = 2.0  # seconds after its return until a service is used again
PATIENCE = 8.0  # seconds a caller waits at most


class Traffic:
    """Callers that go on asking, each answer unlike the last; keeps what became of every request."""

    def __init__(self, suite: Suite, callers: int = 3) -> None:
        self.suite = suite
        self.replies: list[tuple[float, Reply | Exception]] = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(callers)]

    def run(self) -> None:
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                reply: Any = self.suite.chat(seconds=PATIENCE)
            except Exception as error:
                reply = error
            self.replies.append((began, reply))
            self.ended.wait(0.02)

    def __enter__(self) -> "Traffic":
        _ = self.suite.key
        for thread in self.threads:
            thread.start()
        until(lambda: len(self.good()) > 5, 10, "answers before the fault")
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(PATIENCE + 2)

    def good(self, since: float = 0) -> list[Reply]:
        return [reply for at, reply in list(self.replies) if at >= since and isinstance(reply, Reply) and reply.status == 200]

    def assert_clear(self, allowed: set[int]) -> None:
        """Everybody got an answer or a clear error in time."""
        for _, reply in self.replies:
            assert isinstance(reply, Reply), f"a caller was left with {reply!r}"
            assert reply.status in allowed, reply
            if reply.status != 200:
                assert reply.error["message"] and reply.error["code"], reply


@pytest.fixture(params=["killed", "frozen"])
def fault(request: pytest.FixtureRequest) -> str:
    return request.param


@contextlib.contextmanager
def without(suite: Suite, service: str, fault: str) -> Iterator[None]:
    """`service` dead or frozen, and noticed."""
    with suite.down(service) if fault == "killed" else suite.frozen(service):
        until(lambda: not_good(suite, service), NOTICED, f"GET /ready to notice that {service} is {fault}")
        yield


def not_good(suite: Suite, service: str) -> bool:
    return suite.ready()["services"][service]["state"] not in ("ready", "degraded")


def assert_recovered(suite: Suite, service: str, pid: int, fault: str) -> None:
    back = suite.wait_restarted(service, pid) if fault == "killed" else time.monotonic()

    def in_use() -> bool:
        reply = suite.chat()
        return reply.status == 200 and not reply.degraded

    until(in_use, IN_USE + 3, f"{service} in use again")
    assert time.monotonic() - back <= IN_USE + 1, f"{service} came back {time.monotonic() - back:.1f} s ago"
    suite.wait_well(10)


def assert_503(reply: Reply, dialect: str = "openai") -> None:
    assert reply.status == 503, reply
    if dialect == "openai":
        assert reply.error["message"] and reply.error["code"], reply
    else:
        assert reply.json["type"] == "error" and reply.error["type"] and reply.error["message"], reply
    assert int(reply.headers["retry-after"]) >= 1 and int(reply.headers["retry-after-ms"]) >= 1 and reply.headers["x-should-retry"], reply


def assert_ready(suite: Suite, service: str, code: int) -> None:
    """/ready says what CONTRACT §6 says; /health is unmoved."""
    reply = suite.request("GET", "/ready", key=None, seconds=3)
    assert reply.status == code, reply
    assert reply.json["status"] == ("unavailable" if code == 503 else "degraded"), reply
    assert service in str(reply.json["degraded"]) or code == 503, reply
    assert reply.json["services"][service]["since"] and reply.json["services"][service]["reason"], reply
    assert suite.request("GET", "/health", key=None, seconds=2).status == 200


def test_without_the_router(suite: Suite, fault: str) -> None:
    pid = suite.pids()["router"]
    with Traffic(suite) as traffic:
        with without(suite, "router", fault):
            assert_ready(suite, "router", 503)
            for dialect in ("openai", "anthropic"):
                assert_503(suite.chat(dialect=dialect), dialect)
            stream = suite.stream()
            assert stream.status == 503 and not stream.is_terminated, stream
            seconds = []
            for _ in range(20):
                reply = suite.chat()
                assert_503(reply)
                seconds.append(reply.seconds)
            assert statistics.median(seconds) <= 0.010, f"503 within 10 ms once the breaker is open, not {statistics.median(seconds) * 1000:.1f} ms"
            assert suite.cli("session", "health").returncode == 0
        assert_recovered(suite, "router", pid, fault)
    traffic.assert_clear({200, 502, 503, 504})


def test_without_retrieval(suite: Suite, fault: str) -> None:
    pid = suite.pids()["retrieval"]
    with Traffic(suite) as traffic:
        with without(suite, "retrieval", fault):
            assert_ready(suite, "retrieval", 200)
            assert suite.chat().status == 200 and suite.chat(dialect="anthropic").status == 200
            assert suite.stream().is_terminated
            # Edge and router look at their own links: what is under way when one becomes suspect is waited for.
            until(lambda: suite.links("router")["retrieval"]["state"] != "ready", NOTICED, "the router to notice, too")
            began = time.monotonic()
            reply = suite.request("POST", "/v1/embeddings", {"model": "local-vectors", "input": prompt()})
            assert reply.status in (503, 504) and reply.error["message"], reply
            assert time.monotonic() - began < 3, "a frozen embedder is not waited for"
            assert suite.request("POST", "/v1/embeddings", {"model": "vectors", "input": prompt()}).status == 200
        assert_recovered(suite, "retrieval", pid, fault)
    traffic.assert_clear({200})
    until(lambda: suite.request("POST", "/v1/embeddings", {"model": "local-vectors", "input": prompt()}).status == 200, 5, "an embedding")


def test_without_session(suite: Suite, fault: str) -> None:
    pid = suite.pids()["session"]
    limited, unseen = suite.new_key("--rpm", "3")["key"], suite.new_key()["key"]
    assert suite.chat(key=limited).status == 200
    with Traffic(suite) as traffic:
        with without(suite, "session", fault):
            assert_ready(suite, "session", 200)
            reply = suite.chat()
            assert reply.status == 200 and reply.degraded == {"session"}, reply
            assert suite.stream().is_terminated
            text = prompt()
            assert_503(suite.chat(text=text, headers={"idempotency-key": text.replace(" ", "-")}))
            assert suite.provider.seen(text) == [], "with an Idempotency-Key it must not run unprotected"
            codes = [suite.chat(key=limited).status for _ in range(6)]
            assert codes.count(200) <= 3 and codes[-1] == 429, f"the limit is held without session: {codes}"
            for key in (unseen, "bh_nobody"):
                assert_503(suite.chat(key=key))
        assert_recovered(suite, "session", pid, fault)
        assert suite.chat(key=unseen).status == 200
        assert suite.chat(key="bh_nobody").status == 401
    traffic.assert_clear({200})


def test_without_credentials(suite: Suite, fault: str) -> None:
    pid = suite.pids()["credentials"]
    known = prompt("known")
    before = suite.chat(text=known)
    assert before.status == 200
    with Traffic(suite) as traffic:
        with without(suite, "credentials", fault):
            assert_ready(suite, "credentials", 503)
            reply = suite.chat(text=known)
            assert reply.status == 200 and reply.headers["x-bulkhead-cache"] == "exact" and reply.text == before.text, reply
            reply = suite.chat("sheltered")
            assert reply.status == 200 and reply.text == "Later, please." and reply.degraded, reply
            for dialect in ("openai", "anthropic"):
                reply = suite.chat(dialect=dialect)
                assert_503(reply, dialect)
                assert reply.seconds < 3
            vectors = suite.request("POST", "/v1/embeddings", {"model": "local-vectors", "input": prompt()})
            assert vectors.status == 200, "the built-in embedder needs no network"
        assert_recovered(suite, "credentials", pid, fault)
    traffic.assert_clear({200, 502, 503, 504})


def test_without_telemetry(suite: Suite, fault: str) -> None:
    pid = suite.pids()["telemetry"]
    last = suite.chat().headers["x-request-id"]
    # Events arrive in order: with this one there, those of earlier tests are, too.
    until(lambda: suite.admin("telemetry", "trace", last)["spans"], 5, "the last event so far", every=0.1)
    start = counted(suite)
    with Traffic(suite) as traffic:
        with without(suite, "telemetry", fault):
            assert_ready(suite, "telemetry", 200)
            mine = [suite.chat() for _ in range(20)]
            assert {reply.status for reply in mine} == {200} and not any(reply.degraded - {"telemetry"} for reply in mine)
            assert statistics.median(reply.seconds for reply in mine) < 0.2, "chat is as quick as ever"
            assert suite.stream().is_terminated
        suite.wait_well(10)
    traffic.assert_clear({200})
    asked = len(traffic.replies) + len(mine) + 1
    if fault == "killed":
        suite.wait_restarted("telemetry", pid)
    until(lambda: counted(suite) >= start + asked, 10, f"{asked} events on top of {start}: none is lost", every=0.1)
    assert counted(suite) == start + asked, "none is counted twice"


def counted(suite: Suite) -> int:
    return suite.admin("telemetry", "stats")["requests"]


def test_without_the_edge(suite: Suite) -> None:
    others = {name: pid for name, pid in suite.pids().items() if name != "edge"}
    old = suite.pids()["edge"]
    with suite.down("edge"):
        with pytest.raises(ConnectionError):
            suite.chat()
        for service in WITHOUT:
            assert suite.cli(service, "health").returncode == 0, service
    suite.wait_restarted("edge", old)
    until(lambda: suite.chat().status == 200, IN_USE + 1, "an answer")
    assert {name: pid for name, pid in suite.pids().items() if name != "edge"} == others, "the others are left alone"


@pytest.mark.parametrize("service", SERVICES)
def test_killed_under_load_and_started_again(suite: Suite, service: str) -> None:
    """Callers get an answer or a clear error, and the service is used again within 2 s of being back."""
    with Traffic(suite, callers=4) as traffic:
        old = suite.signal(service, signal.SIGKILL)
        back = suite.wait_restarted(service, old)
        until(lambda: traffic.good(since=back), IN_USE + 1, f"a good answer after {service} is back", every=0.01)
        until(lambda: suite.ready()["status"] == "ready", 8, "all is well again")
        well = time.monotonic()
        until(lambda: len(traffic.good(since=well)) > 10, 5, "traffic as before")
    if service == "edge":
        failures = [reply for _, reply in traffic.replies if not isinstance(reply, (Reply, ConnectionError, OSError))]
        assert all("RemoteDisconnected" in repr(reply) or "IncompleteRead" in repr(reply) for reply in failures), failures
    else:
        traffic.assert_clear({200, 502, 503, 504})
