"""Ends of different versions: what fits works, what does not says so and is not tried again and again."""

import time

import pytest

from ipc_peers import Folder, Neighbour, rejections
from ipc_wire import ERROR, HELLO, HELLO_ACK, FakeServer, Frame, Wire, hello, method_entry

INCOMPATIBLE = 2


@pytest.mark.fault("F42")
@pytest.mark.parametrize(
    ("version", "broken", "reason"),
    [("added", None, ""), ("removed", "Task", "unknown_method"), ("changed", "Wait", "schema_skew")],
)
def test_only_the_methods_that_changed_are_blocked(folder: Folder, version: str, broken: str | None, reason: str) -> None:
    server = folder.serve("--schema", version)
    client = folder.client()
    for method in ("Immediate", "Task", "Hop", "Wait"):
        end = client.call(method, body="10")
        if method == broken:
            assert (end["code"], end["reason"], end["not_processed"]) == ("unimplemented", reason, True)
            assert end["end_ns"] - end["start_ns"] <= 200e6 and folder.executions(end["id"]) == 0, "it is told here, not there"
        else:
            assert (end["code"], end["last"]) == ("ok", "10")
    assert client.call("Count", body="3 1")["received"] == 3
    now = client.now()
    assert (now["state"], now["breaker"]) == ("ready", "closed")
    assert now["skewed"] == (["Echo.Wait"] if version == "changed" else [])
    assert rejections(server) == []


@pytest.mark.fault("F42")
def test_a_server_that_comes_back_in_another_version_is_judged_anew(folder: Folder) -> None:
    server, client = folder.serve("--schema", "changed"), folder.client()
    assert client.call("Wait", body="1")["reason"] == "schema_skew"
    server.process.terminate()
    server.process.wait(5)
    folder.serve()
    end = client.call("Wait", body="1", wait_ms=2000)
    assert end["code"] == "ok" and client.now()["skewed"] == []


@pytest.mark.fault("F43")
def test_a_server_of_another_protocol_is_left_alone_for_30_s(folder: Folder) -> None:
    methods = [method_entry("Echo.Hop", 3, 3)]
    answers = {
        "major": Frame(HELLO_ACK, hello("echo", major=2, methods=methods)),
        "refuses": Frame(ERROR, b"protocol 1 is not spoken here", aux=INCOMPATIBLE),
        "service": Frame(HELLO_ACK, hello("other", methods=methods)),
    }
    servers = {name: FakeServer(folder.path / name, answer) for name, answer in answers.items()}
    clients = {name: folder.client(socket=folder.path / name, ready=False) for name in answers}
    for name, client in clients.items():
        client.wait_state("incompatible")
        began = time.monotonic_ns()
        end = client.call("Hop", wait_ms=1000)
        assert (end["code"], end["not_processed"]) == ("unavailable", True)
        assert time.monotonic_ns() - began <= 500e6, "nobody waits for it"
        assert {"major": "2.0", "refuses": "not spoken", "service": "other"}[name] in client.now()["lastError"]
    time.sleep(6)
    assert {name: len(server.arrivals) for name, server in servers.items()} == dict.fromkeys(servers, 1)
    assert {client.now()["state"] for client in clients.values()} == {"incompatible"}
    for server in servers.values():
        server.close()


@pytest.mark.fault("F43")
def test_a_client_of_another_protocol_or_service_is_told_why(folder: Folder) -> None:
    server = folder.serve()
    neighbour = Neighbour(folder)
    for payload, says in ((hello(major=2), "2.0"), (hello(peer="router"), "router"), (hello(major=7) + b"\xff\xff", "")):
        with Wire.connect(folder.socket) as wire:
            wire.send(Frame(HELLO, payload))
            told = wire.end()
            assert told is not None and says in told.payload.decode()
            assert told.aux == INCOMPATIBLE or not says
    neighbour.result()
    lines = rejections(server)
    assert len(lines) == 1 and "2.0" in lines[0]
