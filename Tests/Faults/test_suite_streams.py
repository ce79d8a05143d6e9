"""Streams whose reader leaves, freezes or dawdles: seen from the provider, which would speak for ever."""

import contextlib
import json
import signal
import socket
import statistics
import struct
import threading
import time
from typing import Any, Callable, Iterator

import pytest

from loose import resident
from suite import CHAT, Provider, Stream, Suite, prompt, until
from teller import Teller, Told

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
CANCELLED = 0.100  # seconds from the client's leaving to the provider
SLOW_CONSUMER = 30  # seconds a stream may wait for whoever reads it
WAY = ("edge", "router", "credentials")


@pytest.fixture(scope="module")
def teller() -> Iterator[Teller]:
    teller = Teller()
    yield teller
    teller.close()


def in_front_of(provider: Provider, teller: Teller) -> Suite:
    """A suite whose models `drip` and `flood` never end."""

    def change(document: dict[str, Any]) -> None:
        router = document["router"]
        router["providers"].append({"name": "teller", "destination": "teller", "dialect": "openai", "serve": "listed"})
        patient = {"connect": "1s", "first_token": "60s", "between_tokens": "120s", "total": "300s"}
        for model in ("drip", "flood"):
            router["models"].append({"name": model, "targets": [{"provider": "teller", "model": f"demo-{model}"}], "timeouts": patient, "on_stream_break": "error"})
        document["credentials"]["destinations"]["teller"] = {"base_url": teller.url, "private_network": True}

    return Suite(provider, change).begin()


@pytest.fixture(scope="module")
def endless(provider: Provider, teller: Teller) -> Iterator[Suite]:
    suite = in_front_of(provider, teller)
    yield suite
    suite.close()


class Client:
    """A streamed chat over a socket of one's own; the answer is not to be kept, so that what is held is held for the client."""

    def __init__(self, suite: Suite, teller: Teller, model: str, buffer: int | None = None) -> None:
        self.text = prompt()
        self.teller = teller
        self.socket = socket.socket()
        self.socket.settimeout(10)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect(("127.0.0.1", suite.port))
        body = json.dumps(suite.body(model, self.text, stream=True)).encode()
        lines = ["host: x", "content-type: application/json", "cache-control: no-store", f"authorization: Bearer {suite.key}", f"content-length: {len(body)}"]
        head = f"POST {CHAT} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n"
        self.socket.sendall(head.encode() + body)

    @property
    def told(self) -> Told:
        told = self.teller.about(self.text)
        assert told, "the provider was not asked yet"
        return told

    def read_until(self, mark: bytes) -> None:
        got = b""
        while mark not in got:
            data = self.socket.recv(4096)
            assert data, got
            got += data

    def leave(self, reset: bool = False) -> float:
        """- Returns: when."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        left = time.monotonic()
        self.socket.close()
        return left


@pytest.fixture
def clients(endless: Suite, teller: Teller) -> Iterator[Callable[..., Client]]:
    """Makes clients that are gone after the test."""
    made: list[Client] = []

    def make(model: str, buffer: int | None = None) -> Client:
        made.append(Client(endless, teller, model, buffer))
        return made[-1]

    yield make
    for client in made:
        client.leave()


def is_paused(clients: list[Client]) -> bool:
    """Whether floods have come to a trickle: the kernel's own buffers (4 + 6 MiB of TCP) take a few KiB at a time for seconds."""
    before = [client.told.sent for client in clients]
    time.sleep(0.5)
    return all(client.told.left_at or client.told.sent - sent < 512 * KIBIBYTE for client, sent in zip(clients, before))


@pytest.fixture(scope="module", autouse=True)
def idle(provider: Provider, teller: Teller) -> Iterator[tuple[Suite, Client]]:
    """A client that takes nothing, in front of a suite of its own: it waits while the other tests run."""
    suite = in_front_of(provider, teller)
    client = Client(suite, teller, "flood", 4096)
    until(lambda: teller.about(client.text), 5, "the provider to be asked")
    yield suite, client
    client.leave()
    suite.close()


def in_flight(suite: Suite) -> int:
    return suite.links("edge")["router"]["inFlight"] + suite.links("router")["credentials"]["inFlight"]


def memory(suite: Suite) -> dict[str, int]:
    return {service: resident(suite.pids()[service]) for service in WAY}


@pytest.mark.fault("F58")
@pytest.mark.parametrize("how", ["closed", "reset", "with a flood unread"])
def test_a_client_that_leaves_is_gone_at_the_provider_within_100_ms(endless: Suite, clients: Callable[..., Client], how: str) -> None:
    seconds = []
    everybody = [clients("flood" if "flood" in how else "drip") for _ in range(20)]
    for client in everybody:
        client.read_until(b"content")
    if "flood" in how:
        until(lambda: is_paused(everybody), 10, "a provider that is paused")
    for client in everybody:
        left = client.leave(reset=how == "reset")
        until(lambda: client.told.left_at, 5, "the provider to see its caller leave", every=0.005)
        seconds.append(client.told.left_at - left)
    print("milliseconds:", [round(second * 1000, 1) for second in sorted(seconds)])
    assert statistics.median(seconds) <= CANCELLED, f"{[round(second * 1000) for second in seconds]} ms"
    until(lambda: in_flight(endless) == 0, 3, "no call in flight")


@pytest.mark.fault("F20")
def test_slow_readers_pause_the_provider_and_cost_a_mebibyte_a_process_each_at_most(provider: Provider, teller: Teller) -> None:
    """A process on the way has a window of 256 KiB received and one passed on, in buffers of up to twice their bytes. Measured as the difference between many slow readers and
    a few, who pay for what a process needs once; in processes that have no memory to spare yet."""
    suite = in_front_of(provider, teller)
    few, many = 4, 36
    readers: list[Client] = []
    try:
        alone = statistics.median(suite.chat().seconds for _ in range(40))
        held: list[dict[str, int]] = []
        for count in (few, many):
            readers += [Client(suite, teller, "flood", 4096) for _ in range(count - len(readers))]
            for _ in range(3):
                time.sleep(1)
                for reader in readers:
                    reader.socket.recv(KIBIBYTE)
            until(lambda: is_paused(readers), 10, "a provider that is paused")
            neighbours = statistics.median(suite.chat().seconds for _ in range(40))
            held.append(memory(suite))
        for reader in readers:
            reader.leave()
        until(lambda: in_flight(suite) == 0, 5, "no call in flight")
    finally:
        for reader in readers:
            reader.leave()
        suite.close()
    each = {service: round((held[1][service] - held[0][service]) / (many - few) / KIBIBYTE) for service in WAY}
    print("kib_each:", each)
    print("neighbours_ms:", [round(seconds * 1000, 1) for seconds in (alone, neighbours)])
    assert neighbours < max(5 * alone, 0.05), f"others wait {neighbours * 1000:.1f} ms instead of {alone * 1000:.1f} ms"
    assert max(each.values()) <= 4 * 256, f"KiB for each slow reader: {each}"


@pytest.mark.fault("F06")
@pytest.mark.parametrize("count", [1, 8])
def test_a_frozen_edge_stops_the_provider_and_then_loses_it(endless: Suite, clients: Callable[..., Client], count: int) -> None:
    readers = [clients("flood") for _ in range(count)]
    for reader in readers:
        threading.Thread(target=drain, args=(reader.socket,), daemon=True).start()
    until(lambda: all(reader.told.sent > MEBIBYTE for reader in readers), 5, "streams under way")
    router = endless.pids()["router"]
    before = resident(router)
    with endless.frozen("edge"):
        until(lambda: is_paused(readers), 5, "the provider to be paused")
        grown = resident(router) - before
        assert grown <= count * 256 * KIBIBYTE + 2 * MEBIBYTE, f"the router holds {grown / KIBIBYTE:.0f} KiB more"
        until(lambda: all(reader.told.left_at for reader in readers), SLOW_CONSUMER + 5, "the provider's connections to be closed", every=0.1)
        until(lambda: endless.links("router")["credentials"]["inFlight"] == 0, 3, "no call in flight")
    endless.wait_well(10)
    assert endless.chat().status == 200


def drain(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(1 << 16):
            pass


# The router dies


class Listener(threading.Thread):
    """Reads one stream and notes when its error came."""

    def __init__(self, suite: Suite) -> None:
        super().__init__(daemon=True)
        self.suite = suite
        self.stream: Stream | None = None
        self.errors: list[float] = []
        self.words = 0
        self.begun = threading.Event()

    def run(self) -> None:
        self.stream = self.suite.stream("drip", on_event=self.look)

    def look(self, stream: Stream) -> None:
        self.words = stream.text.count("word")
        if self.words:
            self.begun.set()
        if not self.errors and isinstance(stream.events[-1][1], dict) and stream.events[-1][1].get("error"):
            self.errors.append(time.monotonic())


@pytest.mark.fault("F03")
def test_a_killed_router_ends_every_stream_with_an_error_within_50_ms(endless: Suite) -> None:
    seconds, sizes = [], []
    _ = endless.key
    for _ in range(4):
        listeners = [Listener(endless) for _ in range(20)]
        for listener in listeners:
            listener.start()
        assert all(listener.begun.wait(5) for listener in listeners)
        moment = time.monotonic()
        old = endless.signal("router", signal.SIGKILL)
        for listener in listeners:
            listener.join(10)
            stream = listener.stream
            assert stream and stream.error and not stream.is_terminated and not stream.is_finished and stream.ended == "complete", stream
        seconds += [listener.errors[0] - moment for listener in listeners]
        endless.wait_restarted("router", old)
        endless.wait_well(10)
        until(lambda: in_flight(endless) == 0, 3, "no call in flight")
        sizes.append(resident(endless.pids()["edge"]))
    print("milliseconds:", [round(second * 1000) for second in sorted(seconds)])
    print("edge_kib:", [size // KIBIBYTE for size in sizes])
    assert statistics.median(seconds) <= 0.050, f"{sorted(round(second * 1000) for second in seconds)} ms"
    assert sizes[-1] - sizes[0] < MEBIBYTE, f"edge keeps something of every outage: {[size // KIBIBYTE for size in sizes]} KiB"


@pytest.mark.fault("F03")
def test_what_was_streamed_before_the_router_died_is_booked_as_estimated(endless: Suite) -> None:
    listener = Listener(endless)
    before = endless.admin("telemetry", "stats")["total"]
    listener.start()
    until(lambda: listener.words >= 40, 5, "a stream under way")
    old = endless.signal("router", signal.SIGKILL)
    listener.join(10)
    endless.wait_restarted("router", old)
    endless.wait_well(10)
    until(lambda: endless.admin("telemetry", "stats")["total"]["requests"] > before["requests"], 10, "the request to be counted", every=0.1)
    after = endless.admin("telemetry", "stats")["total"]
    assert after["outputTokens"] - before["outputTokens"] >= 20, f"40 words had come: {after}"


@pytest.mark.fault("F20")
def test_a_client_that_takes_nothing_is_let_go(idle: tuple[Suite, Client]) -> None:
    suite, client = idle
    until(lambda: client.told.left_at, SLOW_CONSUMER + 5, "the provider's connection to be closed", every=0.1)
    until(lambda: in_flight(suite) == 0, 3, "no call in flight")
    assert suite.chat().status == 200
