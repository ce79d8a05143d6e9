"""Peers that send what they must not: their own connection ends or their own stream, one log line says why, and nobody else
notices."""

import contextlib
import os
import select
import time
from typing import Callable

import pytest

from ipc_peers import Folder, Neighbour, Peer, rejections
from ipc_wire import (
    CANCEL, CREDIT, DRAIN, ERROR, FRAGMENT, HAS_MESSAGE, HELLO, INTERNAL, MESSAGE, MORE, OK, PING, PONG, REQUEST,
    RESOURCE_EXHAUSTED, STATUS, UNIMPLEMENTED, WINDOW, Frame, Wire, call_head, failure, field, hello,
)
from suite import until

MIB = 1 << 20
TIMES = 20  # how often each fault is repeated, to see that the log is not flooded


def offends(folder: Folder, attack: Callable[[Wire], None], greeted: bool, says: str) -> None:
    """Lets clients attack: each connection must end, the server must say why once, and neighbours must not notice."""
    server = folder.serve()
    neighbour = Neighbour(folder)
    until(lambda: folder.count()["executed"] > 100, 10, "neighbours at work")
    before = server.resident()
    for _ in range(TIMES):
        with folder.wire() if greeted else Wire.connect(folder.socket) as wire:
            try:
                attack(wire)
            except (BrokenPipeError, ConnectionResetError):
                pass
            told = wire.end()
            assert told is None or says in told.payload.decode(), told
    neighbour.result()
    assert server.is_alive
    assert server.resident() - before < 16 * MIB
    assert folder.count()["rejected"] == TIMES
    lines = rejections(server)
    assert len(lines) == 1 and says in lines[0], server.said()


@pytest.mark.fault("F11")
@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(b"\xff" * 4096, "at most", id="ones"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "at most", id="http"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "at most", id="http2"),
        pytest.param(bytes(4096), "unknown frame type 0", id="zeros"),
        pytest.param(bytes(Frame(PING, bytes(8))), "before the handshake", id="no-handshake"),
        pytest.param(bytes(Frame(HELLO, b"\xff" * 100)), "handshake", id="broken-handshake"),
        pytest.param(bytes(Frame(HELLO, field(1, 1, 32))), "magic", id="wrong-magic"),
        pytest.param(bytes(Frame(HELLO, hello() + b"\x5a\x00" * 30_000)), "handshake", id="bomb-of-empty-messages"),
        pytest.param(bytes(Frame(HELLO, hello(service="x" * 300))), "too long", id="long-name"),
    ],
)
def test_garbage_before_the_handshake(folder: Folder, raw: bytes, says: str) -> None:
    offends(folder, lambda wire: wire.send(raw), greeted=False, says=says)


@pytest.mark.fault("F12")
@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, MIB + 1])
def test_a_giant_length_is_refused_before_memory_is_taken(folder: Folder, length: int) -> None:
    offends(folder, lambda wire: wire.send(Frame(MESSAGE, b"", 1, length=length)), greeted=True, says=str(length))


def body(kind: int, **rest: int) -> Callable[[Wire], None]:
    return lambda wire: wire.send(Frame(kind, **rest))


@pytest.mark.fault("F13", "F14", "F19")
@pytest.mark.parametrize(
    ("attack", "says"),
    [
        pytest.param(body(0x20), "unknown frame type 32", id="unknown-type"),
        pytest.param(body(PING, flags=0x40), "reserved flags", id="reserved-flag"),
        pytest.param(body(MESSAGE, stream=9), "never opened", id="never-opened"),
        pytest.param(body(CANCEL, stream=8), "never opened", id="servers-stream"),
        pytest.param(body(DRAIN), "from a client", id="servers-frame"),
        pytest.param(body(STATUS, stream=1), "from a client", id="servers-status"),
        pytest.param(body(HELLO), "from a client", id="second-handshake"),
        pytest.param(lambda wire: wire.send(Frame(REQUEST, bytes(10), 1)), "call head", id="short-head"),
        pytest.param(lambda wire: wire.send(Frame(REQUEST, call_head(), 2)), "stream 2", id="even-stream"),
        pytest.param(lambda wire: wire.send(Frame(REQUEST, call_head(), 0)), "stream 0", id="stream-zero"),
        pytest.param(
            lambda wire: wire.send(wire.request("Echo.Idle", flags=0), Frame(CREDIT, b"", 1, aux=0xFFFFFFFF)), "credit",
            id="credit-overflow",
        ),
        pytest.param(
            lambda wire: wire.send(wire.request("Echo.Idle", flags=0), *[Frame(CREDIT, b"", 1, aux=1 << 31)] * 2), "credit",
            id="credit-sum-overflow",
        ),
    ],
)
def test_a_frame_that_must_not_be(folder: Folder, attack: Callable[[Wire], None], says: str) -> None:
    offends(folder, attack, greeted=True, says=says)


@pytest.mark.fault("F17")
def test_a_message_longer_than_it_was_announced(folder: Folder) -> None:
    def attack(wire: Wire) -> None:
        request = wire.request("Echo.Hop", flags=0)
        wire.send(request, *[Frame(MESSAGE, bytes(FRAGMENT), request.stream, MORE, aux=MIB)] * 17)

    offends(folder, attack, greeted=True, says="fragment")


@pytest.mark.fault("F18")
def test_a_client_that_ignores_its_credit(folder: Folder) -> None:
    def attack(wire: Wire) -> None:
        wire.send(wire.request("Echo.Idle", flags=0))
        for _ in range(3 * WINDOW // FRAGMENT):
            wire.send(Frame(MESSAGE, bytes(FRAGMENT), 1, HAS_MESSAGE))

    offends(folder, attack, greeted=True, says="credit")


@pytest.mark.fault("F14")
def test_frames_for_a_stream_that_has_ended_are_ignored(folder: Folder) -> None:
    server = folder.serve()
    with folder.wire() as wire:
        assert wire.call("Echo.Hop", b"1").aux == OK
        wire.send(Frame(MESSAGE, b"late", 1, HAS_MESSAGE), Frame(CREDIT, b"", 1, aux=100), Frame(CANCEL, b"", 1))
        assert wire.call("Echo.Hop", b"2").payload == b"2"
    assert rejections(server) == []


@pytest.mark.fault("F13")
def test_unknown_frames_that_may_be_skipped_are(folder: Folder) -> None:
    server = folder.serve()
    with folder.wire() as wire:
        wire.send(Frame(0x90, os.urandom(500), 77, flags=0xFF), Frame(0xFF, b"", 0))
        assert wire.call("Echo.Hop", b"2").payload == b"2"
    assert rejections(server) == []


@pytest.mark.fault("F08")
def test_a_frame_whose_body_does_not_come_ends_its_connection_after_5_s(folder: Folder) -> None:
    server = folder.serve()
    neighbour = Neighbour(folder)
    withheld, half, trickle, mute = (*(folder.wire() for _ in range(3)), Wire.connect(folder.socket))
    began = time.monotonic()
    withheld.send(Frame(MESSAGE, b"", 1, length=1000))
    half.send(bytes(half.request("Echo.Hop", bytes(1000)))[:500])
    rest, ended = bytearray(bytes(trickle.request("Echo.Hop", bytes(1000)))), dict[Wire, float]()
    while len(ended) < 4 and time.monotonic() - began < 9:
        if trickle not in ended:
            with contextlib.suppress(BrokenPipeError):
                trickle.send(bytes([rest.pop(0)]))
        time.sleep(0.1)
        for wire in {withheld, half, trickle, mute} - ended.keys():
            if select.select([wire.raw], [], [], 0)[0] and ((told := wire.read()) is None or told.kind == ERROR):
                ended[wire] = time.monotonic() - began
                assert told is None or ("handshake" if wire is mute else "incomplete") in told.payload.decode()
    assert 0.5 <= ended[mute] <= 3, "one that says nothing has a second"
    # That some bytes trickle in does not help.
    assert all(4.5 <= ended[wire] <= 8 for wire in (withheld, half, trickle)), ended
    for wire in (withheld, half, trickle, mute):
        wire.close()
    neighbour.result()
    assert len(rejections(server)) == 1
    assert folder.count()["rejected"] == 4


# Only the stream


@pytest.mark.fault("F15", "F16")
def test_a_body_that_is_no_message_fails_its_own_call_only(folder: Folder) -> None:
    server = folder.serve()
    nested = b""
    while len(nested) < 3000:
        nested = field(1, nested)
    bodies = [b"\xff" * 100, field(1, b"x")[:2], nested, b"\x0a\x00" * (FRAGMENT // 2), b"\x0b" * 3000]
    with folder.wire() as wire:
        open_stream = wire.request("Echo.Wait", b"1500")
        wire.send(open_stream)
        before = server.resident()
        codes = [wire.call("Peer.Metrics", body).aux for body in bodies]
        # Unknown fields are legal; whatever is not a message is INTERNAL, never the caller's INVALID_ARGUMENT.
        assert codes[0] == codes[1] == codes[4] == INTERNAL
        assert set(codes) <= {OK, INTERNAL}
        assert wire.call("Peer.Metrics", b"").aux == OK
        assert server.resident() - before < 4 * MIB
        assert wire.status(open_stream.stream).payload == b"1500", "the other streams go on"
    assert rejections(server) == []


@pytest.mark.fault("F17")
def test_a_message_that_is_too_long_fails_its_own_call_only(folder: Folder) -> None:
    server = folder.serve("--max-message", MIB)
    client = folder.client()
    neighbour = Neighbour(folder)
    with folder.wire() as wire:
        waiting = wire.request("Echo.Wait", b"1000")
        # Announced before it comes, in a call and in a stream.
        announced, stream = (wire.request(f"Echo.{name}", flags=0) for name in ("Hop", "Idle"))
        wire.send(waiting, announced, Frame(MESSAGE, bytes(FRAGMENT), announced.stream, MORE, aux=16 * MIB))
        assert wire.status(announced.stream).aux == RESOURCE_EXHAUSTED
        wire.send(stream, Frame(MESSAGE, bytes(FRAGMENT), stream.stream, MORE, aux=MIB + 1))
        assert wire.status(stream.stream).aux == RESOURCE_EXHAUSTED
        assert wire.status(waiting.stream).payload == b"1000"
        assert wire.call("Echo.Hop", b"x").payload == b"x"
    end = client.call("Hop", size=MIB + 1)
    assert (end["code"], end["reason"], end["not_processed"]) == ("resourceExhausted", "message_too_large", True)
    assert client.call("Hop", size=MIB)["bytes"] == MIB
    assert [m["state"] for m in client.moments].count("connecting") == 1
    neighbour.result()
    assert rejections(server) == []


@pytest.mark.fault("F14")
def test_an_unknown_method_fails_its_own_call_only(folder: Folder) -> None:
    folder.serve()
    with folder.wire() as wire:
        wire.methods["none"] = 999
        status = wire.call("none")
        assert status.aux == UNIMPLEMENTED and failure(status.payload)[0] == "unknown_method"
        assert wire.call("Echo.Hop", b"x").payload == b"x"


# The last streams


@pytest.mark.fault("F23")
def test_the_last_stream_of_a_connection_is_served_and_none_beyond_it(folder: Folder) -> None:
    server = folder.serve()
    with folder.wire() as wire:
        wire.next_stream = (1 << 31) - 3
        assert [wire.call("Echo.Hop", b"x").payload for _ in range(2)] == [b"x", b"x"]
        # Wrapped round: an id that was used.
        wire.next_stream = 1
        wire.send(wire.request("Echo.Hop", b"x", request_id="wrapped"))
        assert (told := wire.end()) and told.kind == ERROR
    assert folder.executions("wrapped") == 0
    assert len(rejections(server)) == 1


@pytest.mark.fault("F23")
def test_a_client_that_runs_out_of_streams_goes_on_over_another_connection(folder: Folder) -> None:
    folder.serve()
    client = folder.client("--first-stream", (1 << 31) - 41)
    before = client.now()["peerInstance"]
    long = client.begin("Wait", body="1500")
    folder.wait_executed(long)
    ends = [client.call("Hop", body=str(number), wait_ms=1000) for number in range(100)]
    assert [end for end in ends if end["code"] != "ok"] == []
    assert client.end_of(long)["code"] == "ok", "what was open on the old connection ends there"
    # Again and again, with many at once, each executed once.
    storm = folder.start(
        "storm", "--first-stream", (1 << 31) - 2001, "--in-flight", 16, "--streams", 4, "--wait", 1000, "--seconds", 2
    )
    result = storm.result()
    assert result["failures"] == [] and result["answered"] > 2000
    executed = folder.executed()
    assert [end for end in ends if executed[end["id"]] != 1] == []
    now = client.now()
    assert (now["state"], now["breaker"], now["peerInstance"]) == ("ready", "closed", before)


def test_a_pong_nobody_asked_for_is_harmless(folder: Folder) -> None:
    server: Peer = folder.serve()
    with folder.wire() as wire:
        wire.send(*[Frame(PONG, bytes(8))] * 100)
        assert wire.call("Echo.Hop", b"x", seconds=5).payload == b"x"
    assert rejections(server) == []
