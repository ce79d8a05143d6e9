"""One server process and its callers over the IPC layer: killed, frozen, thawed and fed with garbage under load."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from suite import BIN, until

PEER = BIN / "bulkhead-ipc-peer"

pytestmark = pytest.mark.skipif(not PEER.exists(), reason=f"{PEER} is not built")


class Peer:
    """One `bulkhead-ipc-peer` process whose first line says that it is ready."""

    def __init__(self, *arguments: str | int) -> None:
        self.process = subprocess.Popen(
            [PEER, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout and self.process.stdout.readline() == "ready\n"

    def signal(self, number: int) -> int:
        """- Returns: when, in nanoseconds of CLOCK_MONOTONIC."""
        now = time.monotonic_ns()
        self.process.send_signal(number)
        return now

    def result(self, seconds: float = 15) -> Any:
        """What the process said last, after it has ended."""
        out, _ = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0
        return json.loads(out)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.communicate()


class Folder:
    """A server on a socket and whoever calls it; all are ended with the test."""

    def __init__(self) -> None:
        # Short: a socket's path has at most 107 bytes.
        self.path = Path(tempfile.mkdtemp(prefix="bhp", dir="/tmp"))
        self.socket = self.path / "s"
        self.peers: list[Peer] = []

    def start(self, verb: str, *arguments: str | int) -> Peer:
        self.peers.append(Peer(verb, str(self.socket), *arguments))
        return self.peers[-1]

    def count(self) -> dict[str, int]:
        done = subprocess.run([PEER, "count", self.socket], capture_output=True, text=True, timeout=10, check=True)
        return json.loads(done.stdout)

    def connect(self) -> socket.socket:
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(10)
        raw.connect(str(self.socket))
        return raw

    def close(self) -> None:
        for peer in self.peers:
            peer.end()
        shutil.rmtree(self.path)


@pytest.fixture
def folder() -> Iterator[Folder]:
    folder = Folder()
    yield folder
    folder.close()


def in_flight(result: dict[str, Any], moment: int) -> list[dict[str, Any]]:
    """The failed calls that had begun at `moment` and not ended."""
    return [f for f in result["failures"] if f["start_ns"] < moment < f["end_ns"]]


def test_calls_in_flight_fail_within_50_ms_when_the_server_is_killed(folder: Folder) -> None:
    server = folder.start("serve")
    storm = folder.start("storm", "--in-flight", 64, "--hanging", 64)
    until(lambda: folder.count()["executed"] > 1000, 10, "calls under way")
    killed = server.signal(signal.SIGKILL)
    result = storm.result()
    hit = in_flight(result, killed)
    assert len(result["failures"]) == 128, "everybody hears of it"
    assert len(hit) >= 64
    assert {f["code"] for f in hit} == {"unavailable"}
    assert max(f["end_ns"] - killed for f in hit) <= 50e6


def test_calls_in_flight_fail_within_2500_ms_when_the_server_is_frozen(folder: Folder) -> None:
    server = folder.start("serve")
    storm = folder.start("storm", "--in-flight", 64, "--hanging", 64)
    until(lambda: folder.count()["executed"] > 1000, 10, "calls under way")
    frozen = server.signal(signal.SIGSTOP)
    result = storm.result()
    assert len(result["failures"]) == 128
    assert {f["code"] for f in result["failures"]} == {"unavailable"}
    assert max(f["end_ns"] - frozen for f in result["failures"]) <= 2.5e9
    server.signal(signal.SIGCONT)
    assert folder.start("storm", "--seconds", 1).result()["failures"] == [], "it is used again when it thaws"


def test_long_requests_that_fill_the_socket_of_a_frozen_server_fail_as_soon(folder: Folder) -> None:
    server = folder.start("serve")
    storm = folder.start("storm", "--in-flight", 64, "--size", 1 << 20)
    until(lambda: folder.count()["executed"] > 10, 10, "calls under way")
    frozen = server.signal(signal.SIGSTOP)
    result = storm.result()
    assert len(result["failures"]) == 64
    assert max(f["end_ns"] - frozen for f in result["failures"]) <= 2.5e9


def test_a_thawed_server_executes_no_call_whose_deadline_has_passed(folder: Folder) -> None:
    server = folder.start("serve")
    storm = folder.start("storm", "--in-flight", 256, "--deadline", 700)
    until(lambda: folder.count()["executed"] > 1000, 10, "calls under way")
    server.signal(signal.SIGSTOP)
    result = storm.result()
    assert {f["code"] for f in result["failures"]} == {"deadlineExceeded"}
    server.signal(signal.SIGCONT)
    count = folder.count()
    # The one before the storm counts, too.
    assert count["executed"] < result["issued"] + 1, "some requests were waiting in the socket"
    assert count["expired"] == 0
    assert folder.start("storm", "--seconds", 1).result()["failures"] == []
    assert folder.count()["expired"] == 0


HELLO = bytes.fromhex("0d424c4b48" "1001" "2203726177" "2a10" + "01" * 16)


def frame(kind: int, payload: bytes, stream: int = 0) -> bytes:
    return len(payload).to_bytes(4, "little") + bytes([kind, 0, 0, 0]) + stream.to_bytes(4, "little") + bytes(4) + payload


@pytest.mark.parametrize(
    "bytes_sent",
    [
        pytest.param(os.urandom(4096), id="noise"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="http"),
        pytest.param(b"\xff" * 16, id="longest-length"),
        pytest.param(frame(1, b"\xff" * 100), id="broken-handshake"),
        pytest.param(frame(1, HELLO)[:20], id="half-handshake"),
        pytest.param(frame(1, HELLO) + frame(3, bytes(200), 1)[:100], id="half-request"),
        pytest.param(frame(1, HELLO) + frame(4, bytes(100), 9), id="message-on-no-stream"),
    ],
)
def test_garbage_ends_its_own_connection_only(folder: Folder, bytes_sent: bytes) -> None:
    server = folder.start("serve")
    storm = folder.start("storm", "--in-flight", 32, "--seconds", 3)
    before = folder.count()["executed"]
    for _ in range(20):
        # Some are left by the client, in the middle of what they say.
        with folder.connect() as raw:
            raw.sendall(bytes_sent)
    with folder.connect() as raw:
        raw.sendall(bytes_sent)
        try:
            while raw.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
    assert server.process.poll() is None
    assert folder.count()["executed"] > before
    result = storm.result()
    assert result["failures"] == []
    assert result["answered"] == result["issued"] > 1000
