"""The socket file, its folder, and who connects: deleted, replaced, linked, owned by others, full, and out of descriptors."""

import contextlib
import os
import resource
import socket
import time
from pathlib import Path
from typing import Iterator

import pytest

from ipc_peers import Folder, Neighbour, rejections
from ipc_wire import HELLO, HELLO_ACK, Frame, Wire, hello, method_entry
from suite import until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to run a process as another user")
STRANGER = 12345


@pytest.mark.fault("F24")
@pytest.mark.parametrize("how", ["deleted", "replaced", "folder-emptied"])
def test_a_server_binds_again_within_5_s_when_its_socket_file_is_gone(folder: Folder, how: str) -> None:
    server, client = folder.serve(), folder.client()
    neighbour = Neighbour(folder)
    first = folder.socket.stat().st_ino
    folder.socket.unlink()
    if how == "replaced":
        # By a socket nobody listens on, as a second process might leave behind.
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(folder.socket))
        with pytest.raises(ConnectionRefusedError):
            Wire.connect(folder.socket)
    else:
        with pytest.raises(FileNotFoundError):
            Wire.connect(folder.socket)
    assert client.call()["code"] == "ok", "connections that are open go on"
    until(lambda: folder.wire().call("Echo.Hop", b"x").payload == b"x", 6, "the server to listen again")
    assert folder.socket.stat().st_ino != first or how != "replaced"
    neighbour.result()
    assert client.states() == ["connecting", "ready"]
    assert server.is_alive and folder.socket.stat().st_mode & 0o777 == 0o660
    # A second time as well.
    folder.socket.unlink()
    until(lambda: folder.wire().call("Echo.Hop", b"x").payload == b"x", 6, "the server to listen again")


@pytest.mark.fault("F26")
def test_a_server_that_is_stopped_leaves_the_socket_of_its_successor_alone(folder: Folder) -> None:
    first = folder.serve("--grace", 500)
    client = folder.client()
    # What the lock of the services forbids: both on one path. The second has it, and the first must not take it away.
    second = folder.serve()
    mine = folder.socket.stat().st_ino
    first.process.terminate()
    assert first.result() == {"cut_off": 0}
    assert folder.socket.stat().st_ino == mine
    until(lambda: client.now()["peerPID"] == second.pid, 5, "the client to find the second")
    assert client.call(wait_ms=250)["code"] == "ok"


@pytest.mark.fault("F27", "F29")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(lambda path: path.parent.chmod(0o777), "chmod o-w", id="anyone-may-write"),
        pytest.param(lambda path: os.chown(path.parent, STRANGER, 0), "chown", id="another-owner", marks=AS_ROOT),
        pytest.param(lambda path: path.write_text("precious"), "not a socket", id="file"),
        pytest.param(lambda path: path.mkdir(), "not a socket", id="folder"),
        pytest.param(lambda path: path.symlink_to("/tmp/elsewhere"), "not a socket", id="dangling-symlink"),
        pytest.param(lambda path: path.symlink_to(listening(path.parent / "t")), "not a socket", id="symlink-to-a-socket"),
    ],
)
def test_a_server_refuses_a_path_it_cannot_trust(folder: Folder, spoil, says: str) -> None:
    place = folder.path / "d"
    place.mkdir(mode=0o755)
    path = place / "s"
    spoil(path)
    before = about(path)
    server = folder.start("serve", socket=path, wait=False)
    assert server.process.wait(5) != 0
    assert says in server.said() and str(place) in server.said(), server.said()
    assert about(path) == before, "what is there is left as it is"


def about(path: Path) -> tuple[int, ...] | None:
    """What tells a file from another and from its changed self; nil when there is none."""
    if not os.path.lexists(path):
        return None
    info = os.lstat(path)
    return info.st_ino, info.st_mode, info.st_size


def listening(path: Path) -> Path:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.close()
    return path


@pytest.mark.fault("F27", "F29")
@pytest.mark.parametrize("how", [pytest.param("owner", marks=AS_ROOT), "mode", "symlink", "file"])
def test_a_client_refuses_a_path_it_cannot_trust(folder: Folder, how: str) -> None:
    folder.serve()
    place = folder.path / "d"
    place.mkdir(mode=0o755)
    path = place / "s"
    if how == "file":
        path.write_text("x")
    elif how == "symlink":
        path.symlink_to(folder.socket)
    else:
        # What is behind it answers; the folder alone is wrong.
        folder.start("serve", socket=path)
        os.chown(place, STRANGER, 0) if how == "owner" else place.chmod(0o777)
    client = folder.client(socket=path, ready=False)
    end = client.call("Hop", wait_ms=250)
    assert (end["code"], end["not_processed"]) == ("unavailable", True)
    told = client.now()
    assert told["state"] != "ready" and told["lastError"]
    expected = {"owner": f"uid {STRANGER}", "mode": "write", "symlink": "link", "file": "socket"}[how]
    assert expected in told["lastError"], told
    assert folder.count()["executed"] == 0


@pytest.mark.fault("F28")
@AS_ROOT
def test_a_foreign_uid_is_turned_away_before_a_byte_is_read(folder: Folder) -> None:
    server = folder.serve("--allow", STRANGER + 1)
    folder.socket.chmod(0o666)
    neighbour = Neighbour(folder)
    stranger = folder.client(user=STRANGER, ready=False)
    end = stranger.call("Hop", wait_ms=1000, deadline_ms=5000)
    assert (end["code"], end["not_processed"]) == ("unavailable", True)
    assert stranger.now()["state"] != "ready"
    friend = folder.client(user=STRANGER + 1)
    assert friend.call("Hop")["code"] == "ok", "one that is on the list"
    # Nothing it sends is looked at, and it is sent nothing.
    neighbour.result()
    assert [row for row in folder.journal() if row["id"] == end["id"]] == []
    lines = rejections(server)
    assert len(lines) == 1 and f"uid {STRANGER} is not allowed" in lines[0]
    assert folder.count()["rejected"] >= 2


class BusyListener:
    """A server in this process whose backlog is full until it begins to accept."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(0)
        self.waiting: list[socket.socket] = []
        while True:
            filler = socket.socket(socket.AF_UNIX)
            filler.setblocking(False)
            try:
                filler.connect(str(path))
            except BlockingIOError:
                filler.close()
                break
            self.waiting.append(filler)

    def accept(self) -> Wire:
        """The first that is not one of its own, greeted."""
        for _ in self.waiting:
            self.listener.accept()[0].close()
        self.listener.settimeout(2)
        wire = Wire(self.listener.accept()[0])
        assert wire.expect(HELLO)
        wire.send(Frame(HELLO_ACK, hello("echo", methods=[method_entry("Echo.Hop", 3, 3)])))
        return wire

    def close(self) -> None:
        for filler in [*self.waiting, self.listener]:
            filler.close()


@pytest.fixture
def busy(folder: Folder) -> Iterator[BusyListener]:
    listener = BusyListener(folder.socket)
    yield listener
    listener.close()


@pytest.mark.fault("F30")
def test_a_full_backlog_is_waited_for_a_second_and_counts_only_then(folder: Folder, busy: BusyListener) -> None:
    began = time.monotonic()
    client = folder.client(ready=False)
    time.sleep(max(0.0, 0.6 - (time.monotonic() - began)))
    moment = client.now()
    assert (moment["state"], moment["failures"], moment["breaker"]) == ("connecting", 0, "closed")
    opened = time.monotonic_ns()
    wire = busy.accept()
    assert client.wait_state("ready")["at_ns"] - opened <= 500e6
    assert [m["state"] for m in client.moments[:1]] == ["connecting"]
    wire.close()


@pytest.mark.fault("F30")
def test_a_backlog_that_stays_full_is_a_peer_that_is_down(folder: Folder, busy: BusyListener) -> None:
    client = folder.client(ready=False)
    moment = client.wait_state("down", seconds=4)
    assert moment["at_ns"] - client.moments[0]["at_ns"] >= 0.9e9
    assert client.call()["code"] == "unavailable"


@pytest.mark.fault("F31")
def test_a_server_without_descriptors_keeps_those_it_has_and_recovers(folder: Folder) -> None:
    server = folder.serve(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    client, neighbour = folder.client(), Neighbour(folder)
    crowd = []
    for _ in range(60):
        wire = Wire.connect(folder.socket)
        with contextlib.suppress(BrokenPipeError):  # turned away already
            wire.send(Frame(HELLO, hello()))
        crowd.append(wire)
    calls = client.begin("Wait", times=20, body="1500")
    began = server.cpu_seconds()
    assert {end["code"] for end in client.ends_of(calls, 20)} == {"ok"}
    neighbour.result()
    assert client.call()["code"] == "ok"
    began = server.cpu_seconds()
    time.sleep(1)
    assert server.cpu_seconds() - began <= 0.3, "it does not spin"
    # Who cannot be served is not kept in the dark.
    for wire in crowd:
        wire.raw.settimeout(3)
    answered = [wire for wire in crowd if first(wire) is not None]
    assert 10 <= len(answered) < 40
    for wire in crowd:
        wire.close()
    until(lambda: folder.wire().call("Echo.Hop", b"x").payload == b"x", 5, "new connections")
    assert server.is_alive and client.states() == ["connecting", "ready"]


def first(wire: Wire) -> Frame | None:
    """The first frame, or nil when the connection was closed; fails when it is kept open in silence."""
    return wire.read()
