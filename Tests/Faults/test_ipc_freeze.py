"""Servers that stand still: suspect within 3 s, given up after 10 s, and used again when they wake."""

import os
import resource
import signal
import time

import pytest

from ipc_peers import Client, Folder
from suite import until

SUSPECT = 3e9  # nanoseconds of silence until new calls fail at once
CLOSED = 10e9  # and until the connection is given up
SLACK = 1.5e9  # what a busy machine may add to a timer


def suspected(client: Client, since: int) -> dict:
    """The moment in which the link became suspect, which must be in time."""
    moment = client.wait_state("suspect", since=since, seconds=6)
    assert moment["at_ns"] - since <= SUSPECT + 0.25e9
    return moment


def refused_at_once(client: Client) -> None:
    end = client.call("Hop", wait_ms=250)
    assert (end["code"], end["reason"], end["not_processed"]) == ("unavailable", "link_suspect", True)
    assert end["end_ns"] - end["start_ns"] <= 200e6


@pytest.mark.fault("F05")
def test_a_freeze_of_200_ms_is_a_pause_and_nothing_else(folder: Folder) -> None:
    server, client = folder.serve(), folder.client()
    storm = folder.start("storm", "--in-flight", 32, "--streams", 4, "--until-eof")
    calls = client.begin("Wait", times=50, body="300")
    folder.wait_executed(f"{calls}.49")
    for _ in range(3):
        server.signal(signal.SIGSTOP)
        time.sleep(0.2)
        server.signal(signal.SIGCONT)
    assert {end["code"] for end in client.ends_of(calls, 50)} == {"ok"}
    assert storm.result()["failures"] == []
    assert {(m["state"], m["breaker"]) for m in client.moments} <= {("connecting", "closed"), ("ready", "closed")}


@pytest.mark.fault("F04")
def test_a_frozen_server_is_suspect_at_3_s_closed_at_10_s_and_executes_nothing_stale(folder: Folder) -> None:
    server, client = folder.serve(), folder.client()
    storm = folder.start("storm", "--in-flight", 64, "--hanging", 16, "--deadline", 30_000)
    stuffed = folder.start("storm", "--in-flight", 8, "--size", 1 << 20, "--deadline", 30_000)
    late = folder.start("storm", "--in-flight", 128, "--deadline", 700)
    until(lambda: folder.count()["executed"] > 1000, 10, "calls under way")
    held = client.begin("Hang", deadline_ms=60_000)
    folder.wait_executed(held)
    frozen = server.signal(signal.SIGSTOP)
    suspected(client, frozen)
    refused_at_once(client)
    assert held not in client.ended, "what is in flight stays"
    # Those with a deadline hear of it in time.
    expired = late.result()
    assert {f["code"] for f in expired["failures"]} == {"deadlineExceeded"}
    ends = storm.result()["failures"] + stuffed.result()["failures"] + [client.end_of(held)]
    hit = [end for end in ends if end["start_ns"] < frozen]
    assert {(end["code"], end["reason"]) for end in hit} == {("unavailable", "link_lost")}
    took = [end["end_ns"] - frozen for end in hit]
    assert CLOSED - 0.5e9 <= max(took) <= CLOSED + SLACK
    # Its socket still accepts, but nobody answers the handshake: three times, and the breaker opens.
    until(lambda: client.now()["breaker"] == "open", 10, "the breaker to open")
    calls = client.ends_of(client.begin("Hop", times=20, wait_ms=250), 20)
    assert {end["code"] for end in calls} == {"unavailable"}
    assert max(end["end_ns"] - end["start_ns"] for end in calls) <= 400e6
    thawed = server.signal(signal.SIGCONT)
    client.wait_state("ready", since=thawed, seconds=10)
    until(lambda: client.call()["code"] == "ok", 10, "calls again", every=0.1)
    until(lambda: client.now()["breaker"] == "closed" or client.call() and False, 10, "the breaker to close", every=0.1)
    until(lambda: (count := folder.count())["running"] == 0 and count, 5, "every handler to end")
    assert folder.count()["expired"] == 0, "no call was executed after its deadline"
    names = {row["id"] for row in folder.journal()}
    assert not names & {end["id"] for end in calls}


@pytest.mark.fault("F04")
def test_a_server_that_wakes_within_10_s_goes_on_with_what_is_in_flight(folder: Folder) -> None:
    server, client = folder.serve(), folder.client()
    calls, stream = client.begin("Wait", times=20, body="4000"), client.begin("Count", body="40 100")
    folder.wait_executed(f"{calls}.19")
    frozen = server.signal(signal.SIGSTOP)
    moment = suspected(client, frozen)
    refused_at_once(client)
    time.sleep(max(0.0, 5 - (time.monotonic_ns() - frozen) / 1e9))
    thawed = server.signal(signal.SIGCONT)
    ready = client.wait_state("ready", since=thawed)
    assert ready["peerInstance"] == moment["peerInstance"]
    assert client.call("Hop")["code"] == "ok", "at once"
    assert {end["code"] for end in client.ends_of(calls, 20)} == {"ok"}
    end = client.end_of(stream)
    assert (end["code"], end["received"]) == ("ok", 40)
    assert [row["id"] for row in folder.journal()].count(f"{calls}.0") == 1
    assert {m["breaker"] for m in client.moments} == {"closed"}
    assert len([m for m in client.moments if m["state"] == "connecting"]) == 1, "it was one connection"


@pytest.mark.fault("F55")
@pytest.mark.parametrize("direction", ["to_server", "to_client"])
def test_a_connection_that_is_dead_one_way_is_suspect_within_3_s(folder: Folder, direction: str) -> None:
    folder.serve()
    proxy = folder.proxy()
    client, neighbour = folder.client(socket=proxy.path), folder.client()
    held = client.begin("Wait", body="4500")
    folder.wait_executed(held)
    faults = getattr(proxy, direction)
    faults.block()
    suspected(client, time.monotonic_ns())
    refused_at_once(client)
    assert neighbour.call()["code"] == "ok"
    opened = time.monotonic_ns()
    faults.unblock()
    client.wait_state("ready", since=opened)
    assert client.end_of(held)["code"] == "ok", "what was on its way comes"
    assert client.call()["code"] == "ok"


@pytest.mark.fault("F55")
def test_a_connection_that_stays_dead_is_replaced_after_10_s(folder: Folder) -> None:
    folder.serve()
    proxy = folder.proxy()
    client = folder.client(socket=proxy.path)
    held = client.begin("Hang", deadline_ms=60_000)
    folder.wait_executed(held)
    blocked = time.monotonic_ns()
    proxy.to_client.block()
    end = client.end_of(held, 20)
    assert (end["code"], end["reason"]) == ("unavailable", "link_lost")
    assert CLOSED - 0.5e9 <= end["end_ns"] - blocked <= CLOSED + SLACK
    proxy.to_client.unblock()
    client.wait_state("ready", since=end["end_ns"], seconds=10)
    until(lambda: client.call()["code"] == "ok", 5, "calls again")
    until(lambda: folder.count()["running"] == 0, 5, "the server to notice")


@pytest.mark.fault("F39")
def test_a_blocked_event_loop_looks_like_a_freeze_and_passes_like_one(folder: Folder) -> None:
    folder.serve()
    client = folder.client()
    wait = client.begin("Wait", body="100")
    began = time.monotonic_ns()
    block = client.begin("Block", body="5000")
    suspected(client, began)
    refused_at_once(client)
    for call in (wait, block):
        assert client.end_of(call)["code"] == "ok"
    client.wait_state("ready", since=began + int(SUSPECT))
    assert client.call("Hop")["code"] == "ok"
    assert client.now()["breaker"] == "closed"


@pytest.mark.fault("F39", "F40")
def test_a_process_that_hangs_ends_itself_and_its_successor_is_found(folder: Folder) -> None:
    # No core file, and no backtrace: what the Swift runtime adds to a crash may take its time and end by another signal.
    bare = {
        "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        "env": os.environ | {"SWIFT_BACKTRACE": "enable=no"},
    }
    looped, jammed = folder.path / "l", folder.path / "j"
    servers = {path: folder.start("serve", "--watchdog", socket=path, **bare) for path in (looped, jammed)}
    clients = {path: folder.client(socket=path) for path in servers}
    began = time.monotonic()
    block = clients[looped].begin("Block", body="60000", deadline_ms=90_000)
    assert clients[jammed].call("Jam", body="90000")["code"] == "ok"

    # The loop: 10 s, and at most a few more until the watchdog has looked.
    assert servers[looped].process.wait(20) == -signal.SIGABRT
    assert 9.5 <= time.monotonic() - began <= 14
    assert clients[looped].end_of(block)["code"] == "unavailable"
    folder.start("serve", "--watchdog", socket=looped)
    clients[looped].settle()

    # The threads: 30 s. Until then the loop serves, and answers PINGs: nobody is suspect.
    while time.monotonic() - began < 25:
        assert clients[jammed].call("Hop")["code"] == "ok"
        time.sleep(0.5)
    late = clients[jammed].call("Wait", body="5000", deadline_ms=100)
    assert late["code"] == "deadlineExceeded" and late["end_ns"] - late["start_ns"] <= 1e9
    assert servers[jammed].process.wait(30) == -signal.SIGABRT
    assert 29 <= time.monotonic() - began <= 36
    assert clients[jammed].states()[:2] == ["connecting", "ready"] and "suspect" not in clients[jammed].states()
    folder.start("serve", "--watchdog", socket=jammed)
    clients[jammed].settle()
