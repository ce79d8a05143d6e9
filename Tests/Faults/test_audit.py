"""The audit trail under faults: of telemetry, which gets a copy of it, and of the disk it stands on."""

import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from loose import is_root
from suite import Provider, Suite, until


@pytest.fixture
def suite(provider: Provider) -> Iterator[Suite]:
    suite = Suite(provider)

    def change(document: dict[str, Any]) -> None:
        place = {"base_url": provider.url, "private_network": True, "allow_plain_http": True, "preset": "bearer"}
        document["credentials"]["destinations"]["decoy"] = place | {"secret": "DECOY_KEY"}
        document["router"]["providers"].append({"name": "bait", "destination": "decoy", "dialect": "openai", "serve": "listed"})
        document["router"]["models"].append({"name": "bait", "targets": [{"provider": "bait", "model": "demo-chat"}]})

    change(suite.document)
    suite.secrets["DECOY_KEY"] = "sk-a-decoy-for-the-time-being"
    try:
        yield suite.begin()
    finally:
        suite.close()


def told(suite: Suite, *words: str) -> list[dict[str, Any]]:
    report = suite.admin("telemetry", "audit", "--since", "1h", *words)
    assert report["total"] == len(report["records"]), report["total"]
    return report["records"]


def last(suite: Suite) -> int:
    return suite.admin("credentials", "audit", "tail", "--count", "1")[-1]["seq"]


@contextlib.contextmanager
def calling(suite: Suite, count: int, statuses: list[int]) -> Iterator[None]:
    """`count` calls by two callers during the block; entered after the first few."""

    def call() -> None:
        for _ in range(count // 2):
            statuses.append(suite.chat().status)

    before = len(statuses)
    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        until(lambda: len(statuses) > before + 4, 20, "the first calls", every=0.001)
        yield
    finally:
        for caller in callers:
            caller.join()


def test_every_record_reaches_telemetry_once_though_it_is_killed(suite: Suite) -> None:
    statuses: list[int] = []
    assert suite.key, "made before there are threads"
    for _ in range(2):
        with calling(suite, 80, statuses):
            pid = suite.signal("telemetry", signal.SIGKILL)
            suite.wait_restarted("telemetry", pid)
    with suite.down("telemetry"), calling(suite, 40, statuses):
        pass
    assert set(statuses) == {200}, "nobody waits for telemetry"
    number = last(suite)
    assert number > 2 * len(statuses)

    def complete() -> bool:
        return max((record["seq"] for record in told(suite)), default=0) >= number

    until(complete, 20, lambda: f"{number} records in telemetry", every=0.2)
    assert sorted(record["seq"] for record in told(suite)) == list(range(1, number + 1)), "each once, none missing"


def test_a_use_of_a_honeytoken_is_a_record_and_no_request(suite: Suite) -> None:
    done = suite.cli("credentials", "set", "DECOY_KEY", "--stdin", "--honeytoken", input="sk-nobody-is-to-use-this")
    assert done.returncode == 0, done.stderr
    assert suite.chat("bait").status >= 400
    until(lambda: [r for r in told(suite, "--secret", "DECOY_KEY", "--decision", "deny") if r["event"] == "honeytoken"], 10, "the alarm", every=0.1)
    page = suite.request("GET", "/metrics", key=suite.new_key("--admin")["key"]).body.decode()
    assert 'event="honeytoken"' in page, "it is counted"
    assert suite.admin("telemetry", "stats")["requests"] <= 1, "only the chat itself is a request"


def test_changes_are_recorded_before_and_after(suite: Suite) -> None:
    number = last(suite)
    suite.store("OAI_KEY", suite.secrets["OAI_KEY"])
    records = [record for record in suite.admin("credentials", "audit", "tail", "--count", "5") if record["seq"] > number]
    assert [(r["event"], r["decision"], r.get("secret")) for r in records] == [("set", "allow", "OAI_KEY"), ("set", "done", "OAI_KEY")]


# A full disk under the trail, and under nothing else


class Full:
    """A suite whose audit trail stands on a file system of 32 KiB. The vault is elsewhere: only the trail can stop a change."""

    def __init__(self, provider: Provider) -> None:
        self.suite = Suite(provider)
        self.disk = self.suite.root / "small"
        self.disk.mkdir()
        state = self.suite.root / "s" / "credentials"
        state.mkdir(parents=True, mode=0o700)
        self.log = state / "audit.log"
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k,mode=0700", "tmpfs", self.disk], check=True)
        for path in (self.log, self.disk / "log"):
            path.touch(0o600)
        subprocess.run(["mount", "--bind", self.disk / "log", self.log], check=True)
        self.suite.begin()

    def fill(self) -> None:
        with contextlib.suppress(OSError), open(self.disk / "filler", "ab", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert os.statvfs(self.disk).f_bavail == 0

    def free(self) -> None:
        (self.disk / "filler").unlink()

    def close(self) -> None:
        self.suite.up.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.suite.up.wait(15)
        for path in (self.log, self.disk):
            subprocess.run(["umount", "-l", path], check=True)
        self.suite.close()


def can_mount(folder: Path) -> bool:
    folder.mkdir()
    mounted = is_root() and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", folder], capture_output=True).returncode == 0
    return mounted and subprocess.run(["umount", folder]).returncode == 0


def test_nothing_is_changed_while_the_trail_cannot_be_written(provider: Provider, tmp_path: Path) -> None:
    if not can_mount(tmp_path / "probe"):
        pytest.skip("needs root and the right to mount a small file system")
    full = Full(provider)
    suite = full.suite
    try:
        assert suite.chat().status == 200
        full.fill()
        # What the last page of the file has room for still goes in.
        until(lambda: suite.chat().status != 200, 20, "the trail to be full", every=0)
        before = suite.admin("credentials", "list")
        value = "sk-a-new-value-in-the-meantime"
        for words, text in ((["set", "OAI_KEY", "--stdin"], value), (["rotate", "OAI_KEY", "--stdin", "--unverified"], value), (["revoke", "OAI_KEY"], ""), (["delete", "OAI_KEY", "--yes"], "")):
            done = suite.cli("credentials", *words, input=text)
            assert done.returncode != 0 and "audit trail" in done.stderr, (words, done)
        assert suite.admin("credentials", "list") == before
        full.free()
        until(lambda: suite.chat().status == 200, 10, "calls again", every=0.1)
        suite.store("OAI_KEY", suite.secrets["OAI_KEY"])
        assert suite.cli("credentials", "audit", "verify").returncode == 0
    finally:
        full.close()
