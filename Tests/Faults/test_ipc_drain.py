"""Processes that are asked to end: what is in flight ends well or is told so, and nobody waits longer than agreed."""

import signal
import subprocess
import time

import pytest

from ipc_peers import Folder
from ipc_wire import DRAIN, DRAIN_ACK, Frame
from suite import BIN, Provider, Suite, environment, start, until

BUSY = 2.0  # seconds that a busy machine may add to the end of a process


@pytest.mark.fault("F44")
def test_100_streams_are_finished_before_a_server_that_was_asked_to_end_does(folder: Folder) -> None:
    server, client = folder.serve("--grace", 10_000), folder.client()
    streams = client.begin("Count", times=100, body="20 50")
    until(lambda: folder.count()["running"] == 100, 5, "the streams")
    asked = server.signal(signal.SIGTERM)
    draining = client.wait_state("draining", since=asked)
    assert draining["at_ns"] - asked <= 1e9
    # Nobody takes new calls: they wait as long as an announced restart takes, a second, and are told so.
    end = client.call("Hop", wait_ms=100)
    assert (end["code"], end["not_processed"]) == ("unavailable", True)
    assert end["end_ns"] - end["start_ns"] <= 2.5e9
    ends = client.ends_of(streams, 100)
    assert {(end["code"], end["received"]) for end in ends} == {("ok", 20)}, "none is cut off"
    assert server.result(5) == {"cut_off": 0}
    assert time.monotonic_ns() - max(end["end_ns"] for end in ends) <= BUSY * 1e9, "it ends with the last of them"
    assert not folder.socket.exists()


@pytest.mark.fault("F44")
def test_what_does_not_end_within_the_grace_is_told_so(folder: Folder) -> None:
    server, client = folder.serve("--grace", 1500), folder.client()
    streams = client.begin("Idle", times=50, deadline_ms=60_000)
    stubborn = client.begin("Stubborn", body="60000", deadline_ms=70_000)
    short = client.begin("Count", times=50, body="5 100")
    until(lambda: folder.count()["running"] == 101, 5, "the streams")
    asked = server.signal(signal.SIGTERM)
    assert {(end["code"], end["received"]) for end in client.ends_of(short, 50)} == {("ok", 5)}
    ends = client.ends_of(streams, 50) + [client.end_of(stubborn)]
    assert {(end["code"], end["reason"]) for end in ends} == {("unavailable", "shutting_down")}
    assert server.result(5) == {"cut_off": 51}
    assert 1.4 <= (time.monotonic_ns() - asked) / 1e9 <= 1.5 + BUSY
    # The next one is found without a word.
    folder.serve()
    until(lambda: client.call(wait_ms=250)["code"] == "ok", 5, "calls again")
    assert client.now()["breaker"] == "closed", "an orderly end is no failure"


@pytest.mark.fault("F44")
def test_no_call_is_lost_or_done_twice_when_servers_take_turns(folder: Folder) -> None:
    server = folder.serve()
    storm = folder.start("storm", "--in-flight", 16, "--streams", 4, "--wait", 2000, "--until-eof")
    for _ in range(4):
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        assert server.result() == {"cut_off": 0}
        server = folder.serve()
    result = storm.result()
    assert result["failures"] == [] and result["answered"] > 100


@pytest.mark.fault("F44")
def test_a_client_that_confirms_a_drain_may_open_nothing_more(folder: Folder) -> None:
    server = folder.serve("--grace", 3000)
    with folder.wire() as wire, folder.wire() as silent:
        waiting = wire.request("Echo.Wait", b"500")
        wire.send(waiting)
        unconfirmed = silent.request("Echo.Wait", b"500")
        silent.send(unconfirmed)
        until(lambda: len(folder.journal()) == 2, 5, "calls under way")
        asked = server.signal(signal.SIGTERM)
        wire.expect(DRAIN)
        # What was sent before the confirmation is served.
        crossing = wire.request("Echo.Hop", b"x", request_id="crossing")
        wire.send(crossing, Frame(DRAIN_ACK))
        assert wire.status(crossing.stream).payload == b"x"
        assert wire.status(waiting.stream).payload == b"500"
        assert wire.end() is None
        # One that does not confirm is not waited for.
        assert silent.status(unconfirmed.stream).payload == b"500"
        assert silent.end() is None
        assert server.result(5) == {"cut_off": 0}
        assert (time.monotonic_ns() - asked) / 1e9 <= 1.0 + BUSY


@pytest.mark.fault("F45")
def test_a_service_asked_to_end_at_any_moment_of_its_start_ends_clean(provider: Provider) -> None:
    suite = Suite(provider)
    try:
        suite.write()
        for service in ("telemetry", "credentials"):
            for delay in (0.0, 0.005, 0.02, 0.05, 0.15):
                process = start(
                    [BIN / f"bulkhead-{service}", "serve", "--config", suite.config], cwd=suite.root,
                    env=environment(suite.root), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                )
                time.sleep(delay)
                process.terminate()
                began = time.monotonic()
                _, said = process.communicate(timeout=10)
                # Before it listens to signals it ends by this one; after that in order.
                assert process.returncode in (0, -signal.SIGTERM), said.decode()[-2000:]
                assert time.monotonic() - began <= 5
                assert list(suite.root.glob("r/**/*.sock")) == []
    finally:
        suite.close()


@pytest.mark.fault("F46")
@pytest.mark.parametrize("why", ["nobody-there", "refused", "silent"])
def test_a_client_in_back_off_ends_at_once(folder: Folder, why: str) -> None:
    if why != "nobody-there":
        server = folder.serve()
        server.signal(signal.SIGKILL if why == "refused" else signal.SIGSTOP)
    client = folder.client(ready=False)
    until(lambda: client.moments[-1]["state"] in ("down", "suspect"), 5, "the link to be down")
    client.begin("Hop", times=50, wait_ms=20_000, deadline_ms=120_000)
    time.sleep(0.5)
    asked = time.monotonic()
    client.process.terminate()
    assert client.process.wait(5) == 0, client.said()
    assert time.monotonic() - asked <= 1.5


@pytest.mark.fault("F46")
def test_a_service_whose_peers_are_all_gone_ends_at_once(provider: Provider) -> None:
    suite = Suite(provider)
    try:
        suite.write()
        process = start(
            [BIN / "bulkhead-edge", "serve", "--config", suite.config], cwd=suite.root, env=environment(suite.root),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        until(lambda: suite.ready()["status"] != "ready", 15, "edge to listen")
        process.terminate()
        began = time.monotonic()
        _, said = process.communicate(timeout=10)
        assert process.returncode == 0, said.decode()[-2000:]
        assert time.monotonic() - began <= 3
    finally:
        suite.close()
