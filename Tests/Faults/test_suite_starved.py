"""Processes that get a twentieth of a core, and a store of secrets that cannot be opened."""

import contextlib
import signal
import threading
import time
from collections import Counter
from typing import Any, Iterator

import pytest

from suite import Suite, until


@contextlib.contextmanager
def throttled(suite: Suite, service: str, share: float) -> Iterator[None]:
    """Lets a process run for `share` of every tenth of a second, as a CPU quota does."""
    pid, over = suite.pids()[service], threading.Event()

    def gate() -> None:
        while not over.is_set():
            suite.signal(service, signal.SIGCONT)
            time.sleep(0.1 * share)
            suite.signal(service, signal.SIGSTOP)
            time.sleep(0.1 * (1 - share))
        suite.signal(service, signal.SIGCONT)

    thread = threading.Thread(target=gate)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        assert suite.pids()[service] == pid, "it was not restarted"


def answered(suite: Suite, callers: int, seconds: float) -> Counter[int]:
    """How many requests ended with which status, from so many callers that ask again at once."""
    statuses: Counter[int] = Counter()
    end, lock = time.monotonic() + seconds, threading.Lock()

    def ask() -> None:
        while time.monotonic() < end:
            reply = suite.chat(seconds=20)
            with lock:
                statuses[reply.status] += 1
            assert reply.status == 200 or reply.error["message"], reply

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    return statuses


@pytest.mark.fault("F38")
def test_a_starved_router_answers_as_many_callers_as_few(own_suite: Any) -> None:
    """What it can do it goes on doing, however many ask; the others get an answer or a clear refusal; nothing collapses."""
    suite: Suite = own_suite().begin()
    assert suite.chat().status == 200
    with throttled(suite, "router", 0.05):
        few, many = answered(suite, 2, 6), answered(suite, 32, 6)
        print("answered in 6 s:", {"2 callers": few, "32 callers": many})
        assert set(few) | set(many) <= {200, 429, 503}, f"{few} {many}"
        assert many[200] >= 0.7 * few[200], f"{few} {many}"
    suite.wait_well(10)
    assert suite.chat().status == 200


@pytest.mark.fault("F48")
def test_secrets_that_cannot_be_opened_are_said_and_open_no_breaker(own_suite: Any) -> None:
    suite: Suite = own_suite().begin()
    assert suite.chat().status == 200
    key = suite.root / "vault-key"
    right = key.read_bytes()
    key.write_bytes(bytes(32))
    suite.wait_restarted("credentials", suite.signal("credentials", signal.SIGTERM), 20)
    until(lambda: suite.ready()["services"]["credentials"]["state"] != "ready", 10, "credentials to say so", every=0.1)
    for _ in range(30):
        reply = suite.chat()
        assert reply.status >= 500 and "vault" in str(reply.error), reply
    assert suite.links("edge")["router"]["breaker"] == "closed"
    assert suite.links("router")["credentials"]["breaker"] == "closed", "a living peer said what is wrong"
    key.write_bytes(right)
    suite.wait_restarted("credentials", suite.signal("credentials", signal.SIGTERM), 20)
    suite.wait_well(10)
    assert suite.chat().status == 200
