"""What `set` has acknowledged is there after any crash: credentials is killed again and again while secrets are stored."""

import os
import random
import signal
import time

import pytest

from suite import Suite, until


@pytest.fixture()
def alone(provider):
    suite = Suite(provider)
    try:
        yield suite.begin()
    finally:
        suite.close()


def test_kill_during_set_loses_nothing_acknowledged(alone: Suite) -> None:
    chance = random.Random(7)
    acknowledged: dict[str, str] = {}
    for turn in range(8):
        pid = until(alone.pids, 15, "six living services")["credentials"]
        until(lambda: alone.cli("credentials", "list").returncode == 0, 15, "the store to be open")
        die_at = time.monotonic() + chance.uniform(0.2, 1.2)
        killer = os.fork()
        if killer == 0:
            time.sleep(max(0, die_at - time.monotonic()))
            os.kill(pid, signal.SIGKILL)
            os._exit(0)
        for number in range(200):
            name, value = f"K{turn}_{number}", f"a-value-{turn}-{number}-{chance.random()}"
            done = alone.cli("credentials", "set", name, "--stdin", "--host", "api.example.com", input=value)
            if done.returncode != 0:
                break
            acknowledged[name] = value
        os.waitpid(killer, 0)
        until(lambda: alone.pids()["credentials"] != pid, 15, "credentials to be started again")
    until(lambda: alone.cli("credentials", "list").returncode == 0, 15, "the store to be open")
    assert len(acknowledged) >= 8
    names = {row["name"] for row in alone.admin("credentials", "list")}
    assert set(acknowledged) <= names, f"lost: {sorted(set(acknowledged) - names)}"
    assert alone.cli("credentials", "audit", "verify").returncode == 0
    assert alone.chat().status == 200
