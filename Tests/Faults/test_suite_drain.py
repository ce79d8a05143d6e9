"""Services that are asked to end while they work: what runs is finished or refused in words, and nobody else notices."""

import http.client
import signal
import threading
import time
from collections import Counter
from typing import Any, Callable

import pytest

from suite import SERVICES, Reply, Stream, Suite, until

GRACE = 25.0  # seconds a service gives to what runs
STREAMS = 100
ALLOWED = 0.001  # of all requests may fail while all six are restarted


class Crowd:
    """A hundred streams at once."""

    def __init__(self, suite: Suite, model: str) -> None:
        self.streams: list[Stream | Exception] = []
        self.begun = threading.Semaphore(0)
        _ = suite.key
        self.threads = [threading.Thread(target=self.run, args=(suite, model), daemon=True) for _ in range(STREAMS)]
        for thread in self.threads:
            thread.start()
        for _ in range(STREAMS):
            assert self.begun.acquire(timeout=15), f"{STREAMS} streams did not begin"

    def run(self, suite: Suite, model: str) -> None:
        told = False

        def look(stream: Stream) -> None:
            nonlocal told
            if stream.text and not told:
                told = True
                self.begun.release()

        try:
            self.streams.append(suite.stream(model, seconds=60, on_event=look))
        except Exception as error:
            self.streams.append(error)

    def ended(self) -> list[Stream]:
        for thread in self.threads:
            thread.join(60)
        assert all(isinstance(stream, Stream) for stream in self.streams), Counter(map(str, self.streams)).most_common(3)
        return self.streams  # type: ignore[return-value]


def terminate(suite: Suite, service: str) -> tuple[int, Callable[[float], float]]:
    """Asks a service to end. Gives its pid, and what waits for its end and tells the seconds it took."""
    began = time.monotonic()
    pid = suite.signal(service, signal.SIGTERM)

    def wait(seconds: float) -> float:
        until(lambda: not suite.lives(pid), seconds, f"{service} to end")
        return time.monotonic() - began

    return pid, wait


@pytest.mark.fault("F44")
@pytest.mark.parametrize("service", SERVICES)
def test_asked_to_end_with_a_hundred_streams_it_finishes_them_all(suite: Suite, service: str) -> None:
    suite.provider.script("demo-tokens-400-tps-20", *["tokens-40-tps-20"] * STREAMS)
    crowd = Crowd(suite, "slowly")
    pid, wait = terminate(suite, service)
    taken = wait(GRACE + 2)
    for stream in crowd.ended():
        assert stream.is_terminated and stream.is_finished and stream.error is None and stream.ended == "complete", f"with {service} asked to end: {stream}"
    assert taken < GRACE
    suite.wait_restarted(service, pid)
    suite.wait_well(10)
    assert suite.chat().status == 200
    suite.provider.call("DELETE", "/_script")


@pytest.mark.fault("F44")
def test_streams_longer_than_the_grace_end_with_an_error_and_the_service_in_time(own_suite: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        document["router"]["models"].append({
            "name": "endless", "targets": [{"provider": "oai", "model": "demo-tokens-2000-tps-20"}], "on_stream_break": "error",
            "timeouts": {"connect": "1s", "first_token": "5s", "between_tokens": "5s", "total": "300s"},
        })

    suite: Suite = own_suite(change).begin()
    crowd = Crowd(suite, "endless")
    pid, wait = terminate(suite, "router")
    time.sleep(0.2)
    assert suite.cli("router", "health").returncode != 0, "one that drains is not healthy"
    taken = wait(GRACE + 3)
    assert GRACE - 1 < taken < GRACE + 3
    for stream in crowd.ended():
        assert stream.error and not stream.is_terminated and not stream.is_finished and stream.ended == "complete", stream
    suite.wait_restarted("router", pid)
    suite.wait_well(10)
    assert suite.chat().status == 200


class Load:
    """Callers that go on asking while things change; keeps what became of each request, with its moment."""

    def __init__(self, suite: Suite, callers: int, streamers: int) -> None:
        self.suite = suite
        self.told: list[tuple[float, str]] = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(self.chat,)) for _ in range(callers)]
        self.threads += [threading.Thread(target=self.run, args=(self.stream,)) for _ in range(streamers)]

    def run(self, ask: Callable[[], str]) -> None:
        while not self.ended.is_set():
            at = time.monotonic()
            try:
                outcome = ask()
            except (OSError, http.client.HTTPException) as error:
                outcome = repr(error)
            self.told.append((at, outcome))
            self.ended.wait(0.005)

    def chat(self) -> str:
        reply: Reply = self.suite.chat(seconds=10)
        return "good" if reply.status == 200 else f"{reply.status} {reply.error['code']}"

    def stream(self) -> str:
        stream = self.suite.stream("open", seconds=20)
        return "good" if stream.is_terminated else f"stream {stream.status} {stream.error or stream.body[:200]}"

    def __enter__(self) -> "Load":
        _ = self.suite.key
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(25)

    def failures(self, since: float, before: float) -> Counter[str]:
        return Counter(outcome for at, outcome in list(self.told) if since <= at <= before and outcome != "good")


@pytest.mark.fault("F54")
def test_a_rolling_restart_of_all_six_under_load_is_felt_by_one_in_a_thousand_at_most(own_suite: Any) -> None:
    """Edge has one listener, and nobody listens while one edge follows the other: who connects then is refused, at once and
    before anything was asked. Everything that was accepted counts, and so does every failure of the five others."""
    suite: Suite = own_suite().begin()
    failures: dict[str, Counter[str]] = {}
    with Load(suite, callers=6, streamers=4) as load:
        until(lambda: len(load.told) > 100, 10, "load")
        for service in reversed(SERVICES):
            began = time.monotonic()
            suite.wait_restarted(service, suite.signal(service, signal.SIGTERM), 40)
            suite.wait_well(15)
            seen = len(load.told)
            until(lambda: len(load.told) > seen + 300, 10, "load")
            failures[service] = load.failures(began - 0.5, time.monotonic())
    whole = len(load.told)
    told = "; ".join(f"{service}: {found.total()} {dict(found.most_common(3))}" for service, found in failures.items())
    print("failed:", {service: found.total() for service, found in failures.items()} | {"of": whole})
    refused = sum(count for kind, count in failures["edge"].items() if kind.startswith(("ConnectionRefused", "ConnectionReset")))
    wrong = sum(found.total() for found in failures.values()) - refused
    assert wrong <= ALLOWED * whole, f"{wrong} of {whole} ({wrong / whole:.2%}) failed: {told}"
