"""Connections that are cut, delayed, corrupted, doubled or mixed up on their way, by the proxy of `fault_proxy`; and that the
proxy does what it says."""

import time

import pytest

from ipc_peers import Folder
from ipc_wire import FRAGMENT, HEALTH, MESSAGE, REQUEST, STATUS, Wire
from suite import until


# The proxy itself


def both(folder: Folder) -> tuple:
    """A proxy, and a greeted client behind it."""
    folder.serve()
    proxy = folder.proxy()
    wire = Wire.greeted(proxy.path)
    wire.expect(HEALTH)  # pushed after every handshake
    return proxy, wire


def test_the_proxy_forwards_what_it_is_not_told_to_spoil(folder: Folder) -> None:
    proxy, wire = both(folder)
    body = bytes(range(256)) * 200
    assert wire.call("Echo.Hop", body).payload == body
    # Not even frames: what is no frame passes as it came.
    wire.send(b"\xff" * 100)
    assert "at most" in wire.end().payload.decode()
    assert proxy.connections == 1


def test_the_proxy_delays_and_holds_back(folder: Folder) -> None:
    proxy, wire = both(folder)
    proxy.to_server.delay = 0.2
    began = time.monotonic()
    assert wire.call("Echo.Hop", b"x").payload == b"x"
    assert time.monotonic() - began >= 0.2
    proxy.to_server.delay = 0
    proxy.to_client.block()
    request = wire.request("Echo.Hop", b"y", request_id="held")
    wire.send(request)
    folder.wait_executed("held")
    wire.raw.settimeout(0.3)
    with pytest.raises(TimeoutError):
        wire.status(request.stream)
    wire.raw.settimeout(10)
    proxy.to_client.unblock()
    assert wire.status(request.stream).payload == b"y"


def test_the_proxy_flips_the_bit_it_is_told(folder: Folder) -> None:
    proxy, wire = both(folder)
    proxy.to_client.corrupt_frame(STATUS, nth=2, at=3, bit=1)
    assert wire.call("Echo.Hop", b"abcdef").payload == b"abcdef"
    assert wire.call("Echo.Hop", b"abcdef").payload == b"abcfef"
    proxy.to_client.corrupt(after=16 + 5)
    assert wire.call("Echo.Hop", b"abcdef").payload == b"abcdeg"
    assert wire.call("Echo.Hop", b"abcdef").payload == b"abcdef" and proxy.to_client.is_spent


def test_the_proxy_doubles_drops_and_swaps_frames(folder: Folder) -> None:
    proxy, wire = both(folder)
    proxy.to_client.duplicate(STATUS)
    proxy.to_client.drop_frame(STATUS, nth=3)
    proxy.to_client.reorder(STATUS, nth=4)
    for number in range(6):
        request = wire.request("Echo.Hop", b"%d" % number, request_id=f"r{number}")
        wire.send(request)
        folder.wait_executed(f"r{number}")
        time.sleep(0.02)
    assert [wire.expect(STATUS).payload for _ in range(6)] == [b"0", b"0", b"1", b"4", b"3", b"5"]


def test_the_proxy_cuts_where_it_is_told(folder: Folder) -> None:
    proxy, wire = both(folder)
    proxy.to_client.truncate(after=20)
    wire.send(wire.request("Echo.Hop", b"abcdef"))
    assert wire.read() is None and bytes(wire.buffer[16:]) == b"abcd"
    with Wire.greeted(proxy.path) as again:
        proxy.drop()
        assert again.end() is None


# Slow and split


@pytest.mark.fault("F09")
def test_bytes_that_come_one_by_one_make_the_same_messages(folder: Folder) -> None:
    folder.serve()
    proxy = folder.proxy()
    for faults in (proxy.to_server, proxy.to_client):
        faults.split = 1
    client = folder.client(socket=proxy.path)
    calls = [(size, client.begin("Hop", size=size)) for size in (0, 1, 15, 16, 17, 1000, 70_000)]
    streams = client.begin("Count", times=4, body="20 1")
    for size, call in calls:
        end = client.end_of(call, 30)
        assert (end["code"], end["bytes"]) == ("ok", size)
    assert {(end["code"], end["received"], end["last"]) for end in client.ends_of(streams, 4)} == {("ok", 20, "20")}
    for faults in (proxy.to_server, proxy.to_client):
        faults.split = 7
    storm = folder.start("storm", "--in-flight", 8, "--streams", 2, "--size", 300, "--seconds", 2, socket=proxy.path)
    result = storm.result()
    assert result["failures"] == [] and result["answered"] > 20
    assert client.states() == ["connecting", "ready"]


@pytest.mark.fault("F09")
def test_a_delay_on_the_way_is_waited_for(folder: Folder) -> None:
    folder.serve()
    proxy = folder.proxy()
    client = folder.client(socket=proxy.path)
    proxy.to_client.delay = 0.05
    ends = client.ends_of(client.begin("Hop", times=10), 10)
    assert {end["code"] for end in ends} == {"ok"}
    late = client.call("Hop", deadline_ms=20)
    assert late["code"] == "deadlineExceeded" and (late["end_ns"] - late["start_ns"]) / 1e6 < 500
    proxy.to_client.delay = 0
    assert client.call("Hop")["code"] == "ok"


# Doubled and mixed up


@pytest.mark.fault("F56")
@pytest.mark.parametrize("how", ["duplicate", "reorder"])
def test_requests_doubled_or_swapped_are_never_executed_twice(folder: Folder, how: str) -> None:
    folder.serve()
    proxy = folder.proxy()
    client, neighbour = folder.client(socket=proxy.path), folder.client()
    beside = neighbour.begin("Wait", times=20, body="1000")
    ends = []
    for idempotent in (False, True):
        for _ in range(5):
            client.settle()  # else the breaker would see nothing but failures
            getattr(proxy.to_server, how)(REQUEST, nth=3)
            calls = client.begin("Wait", times=6, body="50", idempotent=idempotent, wait_ms=1000)
            ends += client.ends_of(calls, 6)
    assert proxy.to_server.is_spent
    # The connection was lost ten times; only what may be repeated was executed again.
    assert {end["code"] for end in ends[:30]} <= {"ok", "unavailable"} and "unavailable" in {end["code"] for end in ends[:30]}
    executed = folder.executed()
    counts = [(end, executed[end["id"]]) for end in ends]
    assert [pair for pair in counts[:30] if pair[1] > 1] == []
    assert [pair for pair in counts if pair[1] > 2] == []
    assert [pair for pair in counts if pair[0]["code"] == "ok" and pair[1] == 0] == []
    assert [pair for pair in counts if pair[0]["not_processed"] and pair[1] > 0] == []
    assert {end["code"] for end in neighbour.ends_of(beside, 20)} == {"ok"}
    assert neighbour.states() == ["connecting", "ready"]


@pytest.mark.fault("F56")
def test_a_status_that_comes_twice_ends_one_call_once(folder: Folder) -> None:
    folder.serve()
    proxy = folder.proxy()
    client = folder.client(socket=proxy.path)
    for nth in (1, 2, 5):
        proxy.to_client.duplicate(STATUS, nth)
    ends = client.ends_of(client.begin("Hop", times=20, body="same"), 20)
    assert {(end["code"], end["last"], end["received"]) for end in ends} == {("ok", "same", 1)}
    assert client.call("Hop", body="after")["last"] == "after"
    assert client.states() == ["connecting", "ready"]


@pytest.mark.fault("F56")
def test_a_fragment_that_comes_twice_makes_no_message(folder: Folder) -> None:
    folder.serve()
    proxy = folder.proxy()
    client = folder.client(socket=proxy.path)
    proxy.to_server.duplicate(MESSAGE, nth=2)
    end = client.call("Hop", size=5 * FRAGMENT)
    assert end["code"] != "ok" and end["bytes"] == 0
    assert folder.executions(end["id"]) == 0
    until(lambda: client.call("Hop", size=5 * FRAGMENT, wait_ms=250)["bytes"] == 5 * FRAGMENT, 5, "calls again")


# Corrupted


@pytest.mark.fault("F13", "F14")
def test_a_flipped_bit_in_a_header_never_gives_a_wrong_answer(folder: Folder) -> None:
    server = folder.serve()
    proxy = folder.proxy()
    client, neighbour = folder.client(socket=proxy.path), folder.client()
    beside = neighbour.begin("Wait", times=20, body="3000")
    seen = set()
    for faults, kind in ((proxy.to_server, REQUEST), (proxy.to_client, STATUS)):
        # Type, flags, stream, and the code of the status. (A method's id or a length is not guarded by anything else.)
        for at in (4, 5, 8, 9, 12):
            for bit in (0, 3, 6):
                faults.corrupt_frame(kind, at=at, bit=bit, header=True)
                end = client.call("Hop", body="right", deadline_ms=400, wait_ms=2000)
                seen.add(end["code"])
                assert end["code"] != "ok" or end["last"] == "right", (kind, at, bit, end)
                client.settle()
                assert faults.is_spent
    assert seen - {"ok"}, "some were noticed"
    assert server.is_alive
    assert {end["code"] for end in neighbour.ends_of(beside, 20)} == {"ok"}


@pytest.mark.fault("F07")
def test_a_connection_lost_again_and_again_costs_its_own_calls_only(folder: Folder) -> None:
    folder.serve()
    proxy = folder.proxy()
    client, neighbour = folder.client(socket=proxy.path), folder.client()
    ends = []
    beside = neighbour.begin("Wait", times=20, body="1500")
    for _ in range(8):
        client.settle()
        calls = client.begin("Wait", times=10, body="100", wait_ms=1000)
        folder.wait_executed(f"{calls}.9")
        proxy.drop()
        ends += client.ends_of(calls, 10)
    assert {(end["code"], end["reason"]) for end in ends} == {("unavailable", "link_lost")}
    assert [end for end in ends if folder.executions(end["id"]) != 1] == []
    assert {end["code"] for end in neighbour.ends_of(beside, 20)} == {"ok"}
    client.settle()
