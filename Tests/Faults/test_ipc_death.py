"""Servers that die: what their callers hear and when, what is executed twice (nothing), and how a link comes back."""

import signal
import statistics
import time

import pytest

from ipc_peers import Folder
from ipc_wire import MESSAGE, MORE, Frame, Wire
from suite import until


@pytest.mark.fault("F01")
def test_an_idle_link_is_back_50_ms_after_its_server(folder: Folder) -> None:
    server, client, late = folder.serve(), folder.client(), []
    for _ in range(5):
        killed = server.signal(signal.SIGKILL)
        gone = client.wait_state("down", since=killed)
        assert gone["at_ns"] - killed <= 250e6, "the end of the connection is seen at once"
        server = folder.serve()
        back = time.monotonic_ns()
        late.append(client.wait_state("ready", since=gone["at_ns"])["at_ns"] - back)
        assert client.call()["code"] == "ok"
    assert statistics.median(late) <= 50e6
    assert client.now()["breaker"] == "closed"


@pytest.mark.fault("F01")
def test_calls_that_wait_do_not_notice_a_restart_within_250_ms(folder: Folder) -> None:
    server, client = folder.serve(), folder.client()
    for _ in range(3):
        killed = server.signal(signal.SIGKILL)
        # Issued before the loss is seen they may be sent to the dead: those may be repeated.
        calls = [client.begin("Hop", wait_ms=250, idempotent=True) for _ in range(10)]
        gone = client.wait_state("down", since=killed)
        calls += [client.begin("Hop", wait_ms=250) for _ in range(10)]
        server = folder.serve()
        ends = [client.end_of(call) for call in calls]
        assert [end for end in ends if end["code"] != "ok"] == []
        client.wait_state("ready", since=gone["at_ns"])


@pytest.mark.fault("F02")
def test_a_call_in_flight_fails_within_20_ms_of_its_servers_death_and_is_not_executed_again(folder: Folder) -> None:
    server, client, took = folder.serve(), folder.client(), []
    for _ in range(5):
        call, again = client.begin("Wait", body="9000"), client.begin("Wait", body="300", idempotent=True, wait_ms=1000)
        folder.wait_executed(call)
        folder.wait_executed(again)
        killed = server.signal(signal.SIGKILL)
        end = client.end_of(call)
        assert (end["code"], end["reason"], end["not_processed"]) == ("unavailable", "link_lost", False)
        took.append(end["end_ns"] - killed)
        server = folder.serve()
        assert client.end_of(again)["code"] == "ok", "an idempotent call is repeated"
        assert (folder.executions(call), folder.executions(again)) == (1, 2)
    assert statistics.median(took) <= 20e6 and max(took) <= 250e6


@pytest.mark.fault("F02")
def test_everybody_in_flight_hears_of_a_servers_death(folder: Folder) -> None:
    server = folder.serve()
    storm = folder.start("storm", "--in-flight", 64, "--hanging", 64, "--streams", 32)
    until(lambda: folder.count()["executed"] > 1000, 10, "calls under way")
    killed = server.signal(signal.SIGKILL)
    failures = storm.result()["failures"]
    hit = [f for f in failures if f["start_ns"] < killed < f["end_ns"]]
    assert len(failures) == 160 and len(hit) >= 64
    assert {f["code"] for f in hit} == {"unavailable"}
    assert max(f["end_ns"] - killed for f in hit) <= 250e6


@pytest.mark.fault("F07")
def test_a_request_cut_off_in_its_frame_is_not_executed(folder: Folder) -> None:
    folder.serve()
    for share in (1, 15, 17, 79, 81, 150):
        with folder.wire() as wire:
            whole = wire.request("Echo.Wait", bytes(100), request_id="cut")
            wire.send(bytes(whole)[:share])
    with folder.wire() as wire:
        # And one whose second fragment never comes.
        wire.send(wire.request("Echo.Hop", flags=0, request_id="cut"))
        wire.send(Frame(MESSAGE, bytes(1000), 1, flags=MORE, aux=2000))
    with folder.wire() as wire:
        assert wire.call("Echo.Hop", b"x", request_id="whole").payload == b"x"
    assert (folder.executions("cut"), folder.executions("whole")) == (0, 1)


@pytest.mark.fault("F07")
def test_a_reply_cut_off_in_its_frame_is_not_delivered(folder: Folder) -> None:
    folder.serve()
    proxy = folder.proxy()
    client = folder.client(socket=proxy.path)
    for size in (200, 300 << 10):
        ready = client.now()["peerInstance"]
        proxy.to_client.truncate(after=size // 2)
        end = client.call("Hop", size=size)
        assert (end["code"], end["reason"], end["received"]) == ("unavailable", "link_lost", 0)
        until(lambda: client.now()["state"] == "ready", 5, "the link")
        assert client.now()["peerInstance"] == ready, "only the connection had ended"
    assert client.call("Hop", size=300 << 10)["bytes"] == 300 << 10


@pytest.mark.fault("F25")
def test_a_socket_left_behind_refuses_and_is_replaced(folder: Folder) -> None:
    server, client = folder.serve(), folder.client()
    killed = server.signal(signal.SIGKILL)
    server.process.wait()
    assert folder.socket.is_socket(), "kill -9 leaves it"
    with pytest.raises(ConnectionRefusedError):
        Wire.connect(folder.socket)
    down = client.wait_state("down", since=killed)
    end = until(lambda: (e := client.call()) and "refused" in e["message"].lower() and e, 5, "a call that says why")
    assert (end["code"], end["not_processed"]) == ("unavailable", True)
    folder.serve()
    client.wait_state("ready", since=down["at_ns"])
    until(lambda: client.call(wait_ms=100)["code"] == "ok", 5, "calls again")


@pytest.mark.fault("F57")
def test_a_peer_that_returns_to_1000_waiting_callers_is_loaded_step_by_step(folder: Folder) -> None:
    server, client = folder.serve(), folder.client()
    server.signal(signal.SIGKILL)
    server.process.wait()
    until(lambda: client.call() and client.now()["breaker"] == "open", 5, "the breaker to open")
    # Callers that come again and again, as those of an outage do.
    storm = [client.begin("Hop", times=50) for _ in range(4)]
    assert {end["code"] for name in storm for end in client.ends_of(name, 50)} == {"unavailable"}
    began = time.monotonic_ns()
    server = folder.serve()
    client.wait_state("ready", since=began)
    before = len(folder.journal())
    waiters = client.begin("Wait", times=1000, body="30", wait_ms=4000, deadline_ms=25_000)
    ends = client.ends_of(waiters, 1000, seconds=30)
    assert {end["code"] for end in ends} == {"ok"}
    running = [row["running"] for row in folder.journal()[before:] if row["id"].startswith(waiters)]
    assert len(running) == 1000, "each once"
    # One probe alone; its success lets three run at once, and only when those are well too do the others come.
    assert running[0] == 1 and max(running[1:4]) <= 3, running[:20]
    assert not [m for m in client.moments if m["at_ns"] > began and m["breaker"] == "open"], "no second collapse"
    assert client.now()["breaker"] == "closed"
