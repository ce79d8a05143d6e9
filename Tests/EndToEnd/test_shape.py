"""The proof of the shape: six processes that all work, one of which alone has the network and the secrets."""

import os
import re
import socket
import struct
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from suite import BIN, EMBEDDINGS, ROOT, SERVICES, Suite, prompt, until

PEERS = [name for name in SERVICES if name != "edge"]


def exercise(suite: Suite) -> None:
    """Work that needs all six."""
    assert suite.chat().status == 200
    assert suite.chat(dialect="anthropic").status == 200
    assert suite.stream("scribe").is_terminated
    assert suite.request("POST", EMBEDDINGS, {"model": "local-vectors", "input": prompt()}).status == 200


def test_every_process_serves_calls(steady: Suite) -> None:
    pids = {name: pid for name, pid in steady.pids().items() if name in SERVICES}
    assert len(set(pids.values())) == 6 and steady.up.pid not in pids.values()
    for name, pid in pids.items():
        assert Path(f"/proc/{pid}/exe").resolve().name == f"bulkhead-{name}"
        assert steady.admin(name, "status")["pid"] == pid
    before = {name: steady.served(name) for name in PEERS}
    requests = edge_requests(steady)
    exercise(steady)
    assert edge_requests(steady) >= requests + 4
    for name in PEERS:
        until(lambda: steady.served(name) > before[name], 5, f"{name} to have served a call (events reach telemetry behind the answer)")


def edge_requests(suite: Suite) -> int:
    """Requests to model routes by the edge's own counters."""
    page = suite.request("GET", "/metrics", key=None).body.decode()
    lines = re.findall(r"^bulkhead_\w*requests\w*_total\{([^}]*)\} (\d+)$", page, re.M)
    return sum(int(count) for labels, count in lines if 'service="edge"' in labels and "/v1/" in labels)


@pytest.mark.parametrize("program", [f"bulkhead-{name}" for name in SERVICES] + ["bulkhead", "bulkhead-demo-provider"])
def test_only_credentials_may_link_the_keychain(program: str) -> None:
    done = subprocess.run(["ldd", BIN / program], capture_output=True, text=True, check=True)
    libraries = set(re.findall(r"^\s*(\S+)", done.stdout, re.M))
    assert any(name.startswith("libc.so") for name in libraries)
    if program != "bulkhead-credentials":
        assert not [name for name in libraries if "secret" in name], "the keychain library"


def tcp(pid: int) -> list:
    return psutil.Process(pid).net_connections("tcp")


def test_only_credentials_has_outbound_connections(steady: Suite) -> None:
    pids = steady.pids()
    begun, left = threading.Event(), threading.Event()

    def watch(stream) -> bool:
        begun.set()
        return left.is_set()

    reader = threading.Thread(target=lambda: steady.stream("slowly", on_event=watch))
    reader.start()
    try:
        assert begun.wait(5)
        connections = {name: tcp(pids[name]) for name in SERVICES}
    finally:
        left.set()
        reader.join(10)
    outbound = [c for c in connections["credentials"] if c.status == psutil.CONN_ESTABLISHED and c.raddr.port == steady.provider.port]
    assert outbound, "credentials is connected to the provider"
    for connection in connections["edge"]:
        assert connection.laddr.port == steady.port, f"the edge holds {connection}, which nobody opened to it"
    for name in ("router", "retrieval", "session", "telemetry"):
        assert connections[name] == [], f"{name} holds TCP connections"
    assert [c for c in connections["credentials"] if c.status == psutil.CONN_LISTEN] == [], "credentials listens to nobody"


def test_only_credentials_holds_a_provider_key_or_may_read_one(steady: Suite) -> None:
    root = Path(steady.document["suite"]["state_dir"])
    pids = steady.pids()
    for name in SERVICES:
        opened = []
        for entry in Path(f"/proc/{pids[name]}/fd").iterdir():
            try:
                opened.append(os.readlink(entry))
            except OSError:
                continue
        foreign = [path for path in opened if path.startswith(str(root)) and not path.startswith(f"{root}/{name}")]
        assert foreign == [], f"{name} has another service's files open"
        assert name == "credentials" or not [path for path in opened if "vault" in path]


# The bytes between two processes


class Relay:
    """Stands between the edge and the router, and keeps what goes by."""

    def __init__(self, path: Path) -> None:
        self.path, self.aside = path, path.with_name("ipc.real")
        path.rename(self.aside)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o660)
        self.listener.listen()
        self.requests, self.replies = bytearray(), bytearray()
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self.aside))
            self.sockets += [caller, server]
            for source, sink, kept in ((caller, server, self.requests), (server, caller, self.replies)):
                threading.Thread(target=self.pump, args=(source, sink, kept), daemon=True).start()

    @staticmethod
    def pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        try:
            while data := source.recv(65536):
                kept += data
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        self.aside.rename(self.path)
        for end in (self.listener, *self.sockets):
            end.close()


def frames(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """(type, flags, stream, payload) of every whole frame."""
    found, at = [], 0
    while at + 16 <= len(data):
        length, kind, flags, _, stream, _ = struct.unpack_from("<IBBHII", data, at)
        if at + 16 + length > len(data):
            break
        found.append((kind, flags, stream, data[at + 16 : at + 16 + length]))
        at += 16 + length
    return found


def decoded(message: str, data: bytes) -> str:
    """A message by protoc and the .proto files alone."""
    file = {"bulkhead.ipc": "ipc.proto", "bulkhead.router": "router.proto"}[message.rsplit(".", 1)[0]]
    done = subprocess.run(["protoc", f"--decode={message}", "-I", ROOT / "Protos", file], input=data, capture_output=True, cwd=ROOT / "Protos")
    assert done.returncode == 0, f"{message}: {done.stderr.decode()}"
    return done.stdout.decode()


HELLO, HELLO_ACK, REQUEST, MESSAGE, STATUS = 1, 2, 3, 4, 6


def test_the_bytes_between_edge_and_router_are_the_schemas(own_suite) -> None:
    suite = own_suite().begin()
    relay = Relay(Path(suite.document["suite"]["run_dir"]) / "router" / "ipc.sock")
    try:
        # A new edge dials the relay; the one that runs keeps its connection.
        suite.wait_restarted("edge", suite.signal("edge", 9))
        text = prompt("lighthouse")
        until(lambda: suite.chat(text=text).status == 200, 15, "an answer through the relay")
        calls, replies = frames(bytes(relay.requests)), frames(bytes(relay.replies))
        assert 'service: "edge"' in decoded("bulkhead.ipc.Hello", calls[0][3]) and calls[0][0] == HELLO
        hello = decoded("bulkhead.ipc.Hello", replies[0][3])
        assert replies[0][0] == HELLO_ACK and 'service: "router"' in hello and "Complete" in hello, hello
        requests = []
        for kind, _, stream, payload in calls:
            if kind == REQUEST and text.encode() in payload:
                extra = struct.unpack_from("<H", payload, 44)[0]
                requests.append((stream, decoded("bulkhead.router.CompleteRequest", payload[64 + extra :])))
        assert requests, "the prompt went by in a request"
        stream, request = requests[-1]
        assert f'text: "{text}"' in request and 'model: "assistant"' in request
        answers = [decoded("bulkhead.router.CompleteReply", payload) for kind, _, number, payload in replies if kind == MESSAGE and number == stream]
        assert any("EVENT_KIND_TEXT" in answer and text in answer for answer in answers), answers
        assert any("EVENT_KIND_FINISH" in answer for answer in answers)
    finally:
        relay.close()


def test_sockets_are_closed_to_others(steady: Suite) -> None:
    run = Path(steady.document["suite"]["run_dir"])
    for name in SERVICES:
        assert (run / name).stat().st_mode & 0o007 == 0
        for file in ("ipc.sock", "admin.sock"):
            path = run / name / file
            assert path.is_socket() and path.stat().st_mode & 0o007 == 0
        assert (Path(steady.document["suite"]["state_dir"]) / name).stat().st_mode & 0o077 == 0
