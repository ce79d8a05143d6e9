"""Servers that send what they must not: the client ends that connection, its calls fail, it says why, and its process and
other links go on."""

import pytest

from ipc_peers import Folder
from ipc_wire import (
    CREDIT, DRAIN_ACK, END_STREAM, FRAGMENT, HAS_MESSAGE, HELLO_ACK, MESSAGE, MORE, PING, REQUEST, STATUS, WINDOW, FakeServer,
    Frame, hello, method_entry,
)
from suite import until

MIB = 1 << 20
# As the peer's schema has them: name, hash of both messages, shape.
METHODS = [method_entry("Echo.Hop", 3, 3), method_entry("Echo.Flood", 10, 10, 2), method_entry("Echo.Idle", 12, 12, 3)]


def ok(request: Frame) -> Frame:
    return Frame(STATUS, b"well", request.stream, END_STREAM | HAS_MESSAGE)


@pytest.mark.fault("F11", "F12", "F13", "F14", "F18", "F19")
@pytest.mark.parametrize(
    ("method", "react", "says"),
    [
        pytest.param("Hop", lambda r: [b"\xff" * 100], "at most", id="garbage"),
        pytest.param("Hop", lambda r: [Frame(MESSAGE, b"", r.stream, length=0xFFFFFFFF)], "4294967295", id="giant-length"),
        pytest.param("Hop", lambda r: [Frame(0x21, b"", r.stream)], "unknown frame type 33", id="unknown-type"),
        pytest.param("Hop", lambda r: [Frame(STATUS, b"", r.stream, flags=0x20)], "reserved flags", id="reserved-flag"),
        pytest.param("Hop", lambda r: [Frame(STATUS, b"", r.stream + 100, END_STREAM)], "never opened", id="never-opened"),
        pytest.param("Hop", lambda r: [Frame(REQUEST, b"", 2)], "from a server", id="clients-frame"),
        pytest.param("Hop", lambda r: [Frame(DRAIN_ACK)], "from a server", id="clients-drain-ack"),
        pytest.param("Hop", lambda r: [Frame(STATUS, b"", r.stream, END_STREAM)], "without a message", id="no-message"),
        pytest.param("Hop", lambda r: [Frame(STATUS, b"", r.stream, END_STREAM, aux=99)], "status code 99", id="unknown-code"),
        pytest.param("Hop", lambda r: [Frame(STATUS, b"\xff\xff", r.stream, END_STREAM, aux=13)], "status", id="broken-status"),
        pytest.param(
            "Flood", lambda r: [Frame(MESSAGE, bytes(FRAGMENT), r.stream, HAS_MESSAGE)] * (3 * WINDOW // FRAGMENT), "credit",
            id="ignores-credit",
        ),
        pytest.param("Idle", lambda r: [Frame(CREDIT, b"", r.stream, aux=0xFFFFFFFF)], "credit", id="credit-overflow"),
    ],
)
def test_a_server_that_breaks_the_protocol_loses_its_connection_only(folder: Folder, method: str, react, says: str) -> None:
    folder.serve()
    answer = Frame(HELLO_ACK, hello("echo", methods=METHODS))
    server = FakeServer(folder.path / "f", answer, lambda r: react(r) if r.method == hostile else [ok(r)])
    hostile = ["Hop", "Flood", "Idle"].index(method)
    client, neighbour = folder.client(socket=folder.path / "f"), folder.client()
    before = client.resident()
    beside = neighbour.begin("Wait", times=10, body="300")
    # The flood is not read: reading gives credit. Whoever does not read is told nothing.
    end = client.call(method, body="x", **({"take": 0, "hold_ms": 500} if method == "Flood" else {}))
    assert (end["code"], end["reason"]) == (("ok", "") if method == "Flood" else ("unavailable", "link_lost")), end
    assert says in until(lambda: client.now().get("lastError"), 5, "why"), client.now()
    # It comes again by itself, and calls of other methods work.
    until(lambda: len(server.arrivals) >= 2 and client.now()["state"] == "ready", 5, "another connection")
    assert client.is_alive and client.resident() - before < 8 * MIB
    assert [says in error for error in server.errors] in ([True], []), server.errors
    assert {end["code"] for end in neighbour.ends_of(beside, 10)} == {"ok"}
    assert neighbour.states() == ["connecting", "ready"]
    server.close()


@pytest.mark.fault("F14", "F17")
def test_what_a_server_may_send_late_or_too_long_ends_no_connection(folder: Folder) -> None:
    def react(request: Frame) -> list[Frame | bytes]:
        if request.payload.endswith(b"long"):
            return [Frame(MESSAGE, bytes(FRAGMENT), request.stream, MORE, aux=17 * MIB)]
        return [ok(request), ok(request), Frame(CREDIT, b"", request.stream, aux=5), Frame(0x99), Frame(PING, bytes(8))]

    server = FakeServer(folder.path / "f", Frame(HELLO_ACK, hello("echo", methods=METHODS)), react)
    client = folder.client(socket=folder.path / "f")
    for _ in range(3):
        assert client.call("Hop", body="x")["last"] == "well"
        end = client.call("Hop", body="long")
        assert (end["code"], end["reason"]) == ("resourceExhausted", "message_too_large")
    assert len(server.arrivals) == 1 and server.errors == []
    server.close()
