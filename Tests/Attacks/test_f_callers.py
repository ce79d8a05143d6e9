"""F. Callers: the kernel says who asks, the destination says who may."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

import pytest

from caller import DENIED, EXHAUSTED, INVALID, NOT_FOUND, OK, Caller, request
from ipc_wire import HAS_MESSAGE, HELLO, REQUEST, Frame, Wire, call_head, field, hello
from suite import ROOT, until
from target import Target

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

CONNECT = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])
    print("closed" if s.recv(1) == b"" else "open")
except (PermissionError, FileNotFoundError) as error:
    print("refused", type(error).__name__)
except (ConnectionResetError, BrokenPipeError):
    print("closed")
except TimeoutError:
    print("open")
"""


def as_nobody(path: str) -> str:
    return subprocess.run([sys.executable, "-c", CONNECT, path], capture_output=True, text=True, timeout=20).stdout.strip()


@needs_root
def test_f53_another_uid_is_not_even_heard(target: Target) -> None:
    for name in ("ipc.sock", "admin.sock"):
        told = as_nobody(str(target.socket.parent / name))
        assert told.startswith("refused") or told == "closed", told


@needs_root
def test_f53_also_when_the_folder_lets_it_through(target: Target) -> None:
    """The uid is checked besides the mode of the folder."""
    opened = [target.suite.root, *[target.suite.root / part for part in ("r", "r/credentials")]]
    modes = {path: path.stat().st_mode & 0o7777 for path in [*opened, target.socket, target.socket.parent / "admin.sock"]}
    try:
        for path in modes:
            path.chmod(0o777)
        for name in ("ipc.sock", "admin.sock"):
            assert as_nobody(str(target.socket.parent / name)) == "closed"
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.mark.parametrize("name", ["stranger", "credentials", "admin", "", "Edge", "edge\0", "bulkhead", "x" * 300])
def test_f54_a_name_that_may_not_call(target: Target, name: str) -> None:
    with contextlib.closing(Wire.connect(target.socket)) as wire:
        wire.send(Frame(HELLO, hello(service=name, peer="credentials")))
        with pytest.raises((OSError, AssertionError)):
            wire.send(Frame(REQUEST, call_head() + request("up"), 1, HAS_MESSAGE, 0))
            wire.send(Frame(REQUEST, call_head() + request("up"), 3, HAS_MESSAGE, 0))
            wire.expect(6)
    assert target.upstream.accepted == 0


def test_f54_a_request_before_the_handshake(target: Target) -> None:
    with contextlib.closing(Wire.connect(target.socket)) as wire:
        wire.send(Frame(REQUEST, call_head() + request("up"), 1, HAS_MESSAGE, 0))
        wire.end()
    assert target.upstream.accepted == 0


def test_f55_a_connection_in_other_hands(target: Target) -> None:
    """A passed-on connection is as good as the process that opened it: same user, same policy, and the record names the pid."""
    wire = Caller(target.socket, "edge")
    ours, theirs = socket.socketpair()
    socket.send_fds(ours, [b"x"], [wire.wire.raw.fileno()])
    _, (passed, *_), _, _ = socket.recv_fds(theirs, 1, 1)
    wire.wire.raw.close()
    wire.wire.raw = socket.socket(fileno=passed)
    wire.wire.raw.settimeout(10)
    told = wire.call("routed")
    assert told.code in (NOT_FOUND, DENIED) and target.upstream.accepted == 0
    assert target.audit(1)[-1]["pid"] == os.getpid()
    wire.wire.close()


def test_f56_absent_and_not_yours_are_the_same(target: Target) -> None:
    absent, other = target.refused((NOT_FOUND, DENIED), "no-such"), target.refused((NOT_FOUND, DENIED), "routed")
    assert (absent.code, absent.reason) == (other.code, other.reason) == (NOT_FOUND, "destination_unknown")
    assert absent.message.replace("no-such", "?") == other.message.replace("routed", "?")
    with target.caller() as caller:
        taken: dict[str, list[float]] = {"no-such": [], "routed": []}
        for _ in range(200):
            for name, times in taken.items():
                began = time.perf_counter()
                caller.call(name)
                times.append(time.perf_counter() - began)
    gap = abs(statistics.median(taken["no-such"]) - statistics.median(taken["routed"]))
    assert gap < 0.001, f"the two answers differ by {gap * 1e6:.0f} µs"


@pytest.mark.parametrize(
    "message",
    [b"\xff" * 40, field(1, b"\xff\xfe up"), b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05up", request("up") + b"\x2a\xff\xff\xff\x7f", b"\x0b" * 20000, b"", field(5, field(1, b"x" * 100000))],
)
def test_f57_messages_that_are_none(target: Target, message: bytes) -> None:
    with target.caller() as caller:
        with contextlib.suppress(AssertionError):
            told = caller.finish(caller.begin(message))
            assert told.code != OK
    assert target.upstream.accepted == 0
    assert target.call("up").code == OK


def test_f57_half_open_connections(target: Target) -> None:
    """Ten thousand are more than this machine lets one test open: as many as it does, and the process serves on."""
    import resource

    most = min(2000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    held = []
    try:
        for _ in range(most):
            raw = socket.socket(socket.AF_UNIX)
            raw.settimeout(2)
            with contextlib.suppress(OSError):
                raw.connect(str(target.socket))
                held.append(raw)
        until(lambda: target.call("up").code == OK, 10, "a call beside half-open connections")
    finally:
        for raw in held:
            raw.close()


@pytest.mark.parametrize("name", ["../up", "up/../routed", "up\0", "UP", "uр", "u" * 4096, " up", "up ", "up\n", "%75p", "."])
def test_f58_tricks_with_names(target: Target, name: str) -> None:
    told = target.refused((INVALID, NOT_FOUND), name)
    assert len(told.message) < 1000
    record = target.audit(1)[-1]
    assert record["decision"] == "deny" and len(json.dumps(record)) < 2000
