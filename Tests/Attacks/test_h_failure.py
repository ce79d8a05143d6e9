"""H. Failure: what does not work refuses; nothing goes out without a record."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from caller import OK, PRECONDITION, UNAVAILABLE, Caller, request
from suite import until
from target import Target
from upstream import raw

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


def records(target: Target) -> list[dict]:
    import json

    log = target.suite.root / "s" / "credentials" / "audit.log"
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_h61_a_locked_vault_is_said_so(own_target) -> None:
    """The key file is gone at a start: calls say `vault_locked` at once, the five others serve, `unlock` brings it back."""
    target = own_target().begin()
    suite, key = target.suite, (target.suite.root / "vault-key").read_bytes()
    (suite.root / "vault-key").unlink()
    suite.wait_restarted("credentials", suite.signal("credentials", signal.SIGKILL))
    told = until(lambda: (answer := target.call("up")) and answer.reason == "vault_locked" and answer, 5, "vault_locked")
    assert told.code == PRECONDITION and told.seconds < 2
    assert target.upstream.accepted == 0
    assert suite.ready()["status"] != "ready"
    assert suite.chat("open").status in (200, 503)
    (suite.root / "key").write_bytes(key)
    done = subprocess.run(
        [str(suite_program()), "unlock", "--stdin", "--config", str(suite.config)], input=key, capture_output=True, timeout=20, cwd=suite.root
    )
    assert done.returncode == 0, done
    assert target.call("up").code == OK


def suite_program() -> Path:
    from suite import BIN

    return BIN / "bulkhead-credentials"


@needs_root
def test_h62_a_full_disk_stops_calls_and_frees_them_again(own_target) -> None:
    """Without room for a record no secret is used; refusals go on; with room again calls go on by themselves."""
    target = own_target()
    state = target.suite.root / "s" / "credentials"
    state.mkdir(parents=True, mode=0o700)
    (target.suite.root / "s").chmod(0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "none", str(state)], check=True)
    try:
        target.begin()
        assert target.call("up").code == OK
        filler = state / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        # What is left of the last page is used up first.
        answers = [target.call("up") for _ in range(40)]
        stopped = answers[-1]
        assert stopped.code == UNAVAILABLE and stopped.reason == "credentials_unavailable", stopped
        served = len(target.upstream.requests)
        assert target.call("up").code == UNAVAILABLE and len(target.upstream.requests) == served
        assert target.call("narrow", "/denied").code != OK
        until(lambda: target.suite.ready()["status"] == "degraded", 5, "the readiness to say degraded")
        filler.unlink()
        until(lambda: target.call("up").code == OK, 3, "calls to go on")
        until(lambda: target.suite.ready()["status"] == "ready", 5, "the readiness to say ready")
        assert target.suite.cli("credentials", "audit", "verify").returncode == 0
        assert len(target.upstream.requests) <= sum(record["event"] == "call" and record["decision"] == "allow" and record["destination"] == "up" for record in records(target))
    finally:
        target.suite.close()
        subprocess.run(["umount", str(state)], check=False)


def test_h62_telemetry_away_changes_nothing(own_target) -> None:
    target = own_target().begin()
    with target.suite.down("telemetry"):
        assert target.call("up").code == OK
    until(lambda: target.suite.ready()["status"] == "ready", 20, "telemetry back")


def test_h62_a_killed_process_has_recorded_every_connection(own_target) -> None:
    """SIGKILL in the middle of calls: the upstream never saw a request that is not on record."""
    target = own_target().begin()
    stop = threading.Event()

    def calls() -> None:
        while not stop.is_set():
            try:
                with Caller(target.socket) as caller:
                    while not stop.is_set():
                        caller.call("up", f"/{threading.get_ident()}")
            except (OSError, AssertionError):
                time.sleep(0.01)

    threads = [threading.Thread(target=calls) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(target.upstream.requests) > 50, 10, "calls under way")
        before = target.suite.signal("credentials", signal.SIGKILL)
        seen = len(target.upstream.requests)
        target.suite.wait_restarted("credentials", before)
        until(lambda: len(target.upstream.requests) > seen + 20, 20, "calls after the restart")
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    allowed = sum(record["event"] == "call" and record["decision"] == "allow" for record in records(target))
    assert allowed >= len(target.upstream.requests), f"{len(target.upstream.requests)} requests, {allowed} records"
    found = target.suite.cli("credentials", "audit", "verify")
    assert found.returncode == 0, found.stdout + found.stderr
