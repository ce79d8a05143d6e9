"""How services start: twice, in folders that are not theirs, in any order, and asked to stop before they are ready."""

import os
import random
import signal
import socket
import subprocess
import time
from typing import Iterator

import pytest

from loose import Loose, is_root
from suite import SERVICES, Provider, Suite, until

RUNNING, FAILED = 75, 1
ORDERS = 10
CONVERGED = 2.0  # seconds


@pytest.fixture
def loose(provider: Provider) -> Iterator[Loose]:
    loose = Loose(provider)
    yield loose
    loose.close()


def second(suite: Suite, service: str) -> subprocess.CompletedProcess[str]:
    return suite.cli(service, "serve", seconds=10)


@pytest.mark.fault("F26")
@pytest.mark.parametrize("service", SERVICES)
def test_a_second_instance_gives_way_to_the_first(steady: Suite, service: str) -> None:
    folder = steady.root / "r" / service
    before = {path.name: path.lstat().st_ino for path in folder.iterdir()}
    done = second(steady, service)
    assert done.returncode == RUNNING, done
    assert "already running" in done.stderr and str(folder) in done.stderr, done.stderr
    assert {path.name: path.lstat().st_ino for path in folder.iterdir()} == before, "the sockets of the first are untouched"
    assert steady.cli(service, "health").returncode == 0
    assert steady.chat().status == 200


# Folders and socket files


def refused(loose: Loose, service: str, *words: str) -> str:
    """That `serve` ends with 1 and says all of `words`."""
    done = second(loose, service)
    assert done.returncode == FAILED, done
    for word in words:
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"
    return done.stderr


@pytest.mark.fault("F27")
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("place, mode, command", [("r", 0o755, "chmod o-rwx"), ("r", 0o777, "chmod o-rwx"), ("s", 0o750, "chmod go-rwx"), ("s", 0o707, "chmod go-rwx")])
def test_a_folder_that_lets_others_in_is_refused(loose: Loose, service: str, place: str, mode: int, command: str) -> None:
    folder = loose.root / place / service
    folder.mkdir(parents=True)
    folder.chmod(mode)
    refused(loose, service, f"0{mode:o}", f"{command} {folder}")


@pytest.mark.fault("F27")
@pytest.mark.skipif(not is_root(), reason="needs root to give a folder away")
@pytest.mark.parametrize("place", ["r", "s"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_folder_of_somebody_else_is_refused(loose: Loose, service: str, place: str) -> None:
    folder = loose.root / place / service
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    os.chown(folder, 12345, -1)
    refused(loose, service, "uid 12345", "chown", str(folder))


@pytest.mark.fault("F27")
@pytest.mark.skipif(not is_root(), reason="needs root to give a folder away")
@pytest.mark.parametrize("owner, mode, word", [(12345, 0o755, "12345"), (0, 0o777, "chmod o-w")])
def test_a_link_does_not_connect_where_anybody_may_listen(loose: Loose, owner: int, mode: int, word: str) -> None:
    folder = loose.root / "r" / "router"
    folder.mkdir(parents=True)
    os.chown(folder, owner, -1)
    folder.chmod(mode)
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(str(folder / "ipc.sock"))
        impostor.listen()
        impostor.settimeout(1)
        loose.serve("edge")
        until(lambda: word in loose.links("edge")["router"]["lastError"], 5, "edge to say what is wrong with the folder")
        with pytest.raises(TimeoutError):
            impostor.accept()


@pytest.mark.fault("F29")
@pytest.mark.parametrize("name", ["ipc.sock", "admin.sock"])
@pytest.mark.parametrize("kind", ["file", "symlink", "dangling", "folder"])
def test_what_is_no_socket_is_not_replaced_by_one(loose: Loose, name: str, kind: str) -> None:
    service = "session"
    folder = loose.root / "r" / service
    folder.mkdir(parents=True)
    folder.chmod(0o750)
    path, other = folder / name, loose.root / "precious"
    other.write_text("precious")
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(other if kind == "symlink" else loose.root / "nowhere")
    refused(loose, service, str(path), "not a socket", "move it away")
    assert other.read_text() == "precious" and not (loose.root / "nowhere").exists()
    assert path.is_symlink() or path.is_dir() or path.read_text() == "precious"


@pytest.mark.fault("F29")
def test_a_folder_that_is_a_link_is_refused(loose: Loose) -> None:
    for place in ("r", "s"):
        (loose.root / place).mkdir()
    (loose.root / "elsewhere").mkdir(mode=0o700)
    (loose.root / "r" / "router").symlink_to(loose.root / "elsewhere")
    refused(loose, "router", str(loose.root / "r" / "router"), "link", "move it away")
    assert list((loose.root / "elsewhere").iterdir()) == []


# Asked to stop early


@pytest.mark.fault("F45")
@pytest.mark.parametrize("service", SERVICES)
def test_asked_to_stop_at_any_moment_of_its_start_it_ends_cleanly(loose: Loose, service: str) -> None:
    """SIGTERM at 12 moments between exec and ready. Before its handler stands, the signal itself ends the process."""
    bound = loose.root / "r" / service / "ipc.sock"
    began = time.monotonic()
    loose.serve(service)
    until(lambda: loose.cli(service, "health").returncode == 0, 10, f"{service} to start")
    whole = time.monotonic() - began
    assert loose.end(service, seconds=10) == 0, loose.tail()
    for step in range(12):
        moment = time.monotonic() + whole * step / 11
        loose.serve(service)
        while time.monotonic() < moment:
            time.sleep(0.0005)
        was_bound = bound.exists()
        code = loose.end(service, seconds=5)
        assert code == 0 or code == -signal.SIGTERM and not was_bound, f"after {step}/11 of {whole * 1000:.0f} ms: {code}: {loose.tail()}"
        assert not bound.exists() or code, "a clean end leaves no socket"
        bound.unlink(missing_ok=True)
    loose.serve(service)
    until(lambda: loose.cli(service, "health").returncode == 0, 10, f"{service} to start after all that; log: {loose.tail()}")


@pytest.mark.fault("F46")
@pytest.mark.parametrize("service", SERVICES)
def test_asked_to_stop_while_its_links_back_off_it_ends_at_once(loose: Loose, service: str) -> None:
    loose.serve(service)
    until(lambda: loose.cli(service, "status").returncode == 0, 10, f"{service} to run")
    links = loose.links(service)
    assert links or service == "telemetry"
    until(lambda: all(link["state"] != "ready" and link["stateSeconds"] > 0.5 for link in loose.links(service).values()), 5, "links that find nobody")
    began = time.monotonic()
    assert loose.end(service, seconds=10) == 0, loose.tail()
    assert time.monotonic() - began < 1.0, f"it took {time.monotonic() - began:.2f} s"


# In any order


@pytest.mark.fault("F47")
def test_started_in_any_order_they_find_each_other(loose: Loose) -> None:
    loose.begin()
    orders = random.Random(47)
    taken: list[float] = []
    for turn in range(ORDERS):
        loose.stop()
        order = orders.sample(SERVICES, len(SERVICES))
        for service in order:
            loose.serve(service)
            time.sleep(orders.choice([0, 0, 0.01, 0.05]))
        began = time.monotonic()
        early = truthful(loose)
        loose.wait_well(5)
        taken.append(time.monotonic() - began)
        assert early, "/ready said ready while something was missing"
        assert loose.chat().status == 200, f"turn {turn}, {order}: ready, and a chat is not answered"
        for service in SERVICES:
            assert all(link["state"] == "ready" for link in loose.links(service).values()), (turn, order, loose.links(service))
    print("milliseconds:", [round(seconds * 1000) for seconds in sorted(taken)])
    assert max(taken) <= CONVERGED, taken


def truthful(loose: Loose) -> bool:
    """Whether the first answer of /ready, as soon as there is one, claims no more than a chat right after it can show."""
    told = until(loose.ready, 5, "an answer of /ready", every=0.002)
    return told["status"] != "ready" or loose.chat().status == 200
