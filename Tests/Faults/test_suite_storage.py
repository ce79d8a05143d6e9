"""A disk that is full: the state of a service stands on a file system of one mebibyte."""

import contextlib
import fcntl
import os
import shutil
import signal
import struct
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from loose import is_root
from suite import Provider, Suite, until


def mount(folder: Path, size: str) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], capture_output=True).returncode == 0


def can_mount(folder: Path) -> bool:
    return is_root() and mount(folder, "64k") and subprocess.run(["umount", folder]).returncode == 0


class Small:
    """A suite one of whose services keeps its state on a small disk."""

    def __init__(self, provider: Provider, service: str) -> None:
        self.suite = Suite(provider)
        self.service = service
        self.disk = self.suite.root / "s" / service
        assert mount(self.disk, "1m")
        self.suite.begin()

    @property
    def filler(self) -> Path:
        return self.disk / "filler"

    def fill(self) -> None:
        """To the last byte."""
        with contextlib.suppress(OSError), open(self.filler, "ab", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert os.statvfs(self.disk).f_bavail == 0

    def free(self) -> None:
        self.filler.unlink()

    def close(self) -> None:
        self.suite.up.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.suite.up.wait(15)
        subprocess.run(["umount", "-l", self.disk], check=True)
        self.suite.close()


@pytest.fixture
def small(provider: Provider, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Small]:
    if not can_mount(tmp_path / "probe"):
        pytest.skip("needs root and the right to mount a small file system")
    small = Small(provider, request.param)
    yield small
    small.close()


def create(suite: Suite) -> subprocess.CompletedProcess[str]:
    return suite.cli("session", "keys", "create", "--tenant", "acme", "--json")


@pytest.mark.fault("F33")
@pytest.mark.parametrize("small", ["session"], indirect=True)
def test_a_full_disk_of_session_stops_its_writes_only(small: Small) -> None:
    suite = small.suite
    pids, listed = suite.pids(), suite.admin("session", "keys", "list")
    assert suite.chat().status == 200
    small.fill()

    def refused() -> Any:
        done = create(suite)
        return done if done.returncode else None

    # What SQLite has room for in its log already still goes in.
    done = until(refused, 20, "a write that does not fit", every=0)
    assert "full" in done.stderr, f"it says why: {done}"
    for _ in range(20):
        assert suite.chat().status == 200, "chat is answered"
    assert suite.stream().is_terminated
    assert suite.admin("session", "keys", "list"), "what is there can be read"
    assert suite.request("GET", "/health", key=None).status == 200
    assert suite.ready()["services"]["session"]["state"] != "down", "it lives and answers"
    small.free()
    until(lambda: create(suite).returncode == 0, 5, "writes to succeed again")
    suite.wait_well(10)
    assert suite.pids() == pids, "nobody was restarted"
    assert len(suite.admin("session", "keys", "list")) > len(listed)
    assert done.returncode == 1, f"session could be reached, it could not do it: {done}"


@pytest.mark.fault("F34")
@pytest.mark.parametrize("small", ["telemetry"], indirect=True)
def test_a_full_disk_of_telemetry_is_felt_by_nobody(small: Small) -> None:
    suite = small.suite
    pids = suite.pids()
    assert suite.chat().status == 200
    until(lambda: counted(suite) == 1, 5, "the first event", every=0.1)
    small.fill()
    asked = 1

    def is_felt() -> bool:
        nonlocal asked
        for _ in range(50):
            reply = suite.chat()
            assert reply.status == 200 and reply.seconds < 1, reply
            asked += 1
        return suite.admin("telemetry", "status")["state"] != "ready"

    # What SQLite has room for in its log already still goes in.
    until(is_felt, 30, "telemetry to say that it cannot write")
    assert suite.stream().is_terminated
    assert suite.request("GET", "/ready", key=None).status == 200, "degraded at most"
    small.free()
    until(lambda: counted(suite) == asked + 1, 15, lambda: f"{asked + 1} events: none is lost, none counted twice, not {counted(suite)}", every=0.1)
    suite.wait_well(10)
    assert suite.pids() == pids, "nobody was restarted"


def counted(suite: Suite) -> int:
    return suite.admin("telemetry", "stats")["requests"]


# The disk dies

EXT4_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN of linux/ext4.h
WITHOUT_LOG = 2


class Dying:
    """A suite whose session keeps its state on a disk that can be made to answer every access with EIO."""

    def __init__(self, provider: Provider) -> None:
        self.suite = Suite(provider)
        self.disk = self.suite.root / "s" / "session"
        self.image = self.suite.root / "disk"
        with open(self.image, "wb") as file:
            file.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        self.mount()
        self.suite.begin()

    def mount(self) -> None:
        self.disk.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-o", "loop", self.image, self.disk], check=True)
        self.disk.chmod(0o700)

    def die(self) -> None:
        folder = os.open(self.disk, os.O_RDONLY)
        fcntl.ioctl(folder, EXT4_SHUTDOWN, struct.pack("I", WITHOUT_LOG))
        os.close(folder)

    def repair(self) -> None:
        """Mounted anew, with what was durable. Whoever held the dead one open is ended first."""
        subprocess.run(["umount", "-l", self.disk], check=True)
        self.restart()
        self.mount()
        self.restart()

    def restart(self) -> None:
        self.suite.wait_restarted("session", self.suite.signal("session", signal.SIGKILL), 20)

    def close(self) -> None:
        self.suite.up.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.suite.up.wait(15)
        subprocess.run(["umount", "-l", self.disk], check=True)
        self.suite.close()


@pytest.fixture
def dying(provider: Provider) -> Iterator[Dying]:
    if not is_root() or not shutil.which("mkfs.ext4"):
        pytest.skip("needs root, mkfs.ext4 and the right to mount a file through a loop device")
    try:
        dying = Dying(provider)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"cannot mount a file here: {error}")
    yield dying
    dying.close()


@pytest.mark.fault("F35")
def test_a_disk_that_dies_takes_its_service_only(dying: Dying) -> None:
    suite = dying.suite
    pids = suite.pids()
    assert suite.chat().status == 200
    dying.die()
    done = create(suite)
    assert done.returncode != 0 and "nothing was changed" in done.stderr, done
    for _ in range(20):
        assert suite.chat().status == 200, "keys that were seen are still served"
    until(lambda: suite.ready()["services"]["session"]["state"] != "ready", 10, "session to say that it cannot write", every=0.1)
    others = {name: part["state"] for name, part in suite.ready()["services"].items() if name != "session"}
    assert set(others.values()) == {"ready"}, others
    assert suite.request("GET", "/ready", key=None).status == 200
    assert {name: pid for name, pid in suite.pids().items() if name != "session"} == {
        name: pid for name, pid in pids.items() if name != "session"
    }
    dying.repair()
    suite.wait_well(10)
    assert suite.chat().status == 200, "no key was lost"
    until(lambda: create(suite).returncode == 0, 5, "writes on the new disk")
