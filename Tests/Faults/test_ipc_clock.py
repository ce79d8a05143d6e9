"""The wall clock jumps; deadlines, liveness and breakers, which follow the monotonic clock, do not notice."""

import os
import time
from pathlib import Path

import pytest

from ipc_peers import Folder
from suite import until

LIBRARIES = [Path(path) for path in ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime")]
HOUR = 3600


def faketime() -> Path:
    found = [path / "libfaketimeMT.so.1" for path in LIBRARIES if (path / "libfaketimeMT.so.1").exists()]
    if not found:
        pytest.skip("libfaketime is not installed; run apt-get install faketime")
    return found[0]


@pytest.mark.fault("F41")
@pytest.mark.parametrize("direction", [1, -1], ids=["forwards", "backwards"])
def test_a_jump_of_an_hour_disturbs_no_deadline_and_no_breaker(folder: Folder, direction: int) -> None:
    clock = folder.path / "clock"
    clock.write_text("+0")
    shifted = {
        "env": os.environ | {
            "LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }
    }
    folder.serve(**shifted)
    client = folder.client(**shifted)
    storm = folder.start("storm", "--in-flight", 8, "--streams", 2, "--until-eof", **shifted)
    long, short = client.begin("Wait", body="3000", deadline_ms=8000), client.begin("Hang", deadline_ms=2500)
    stream = client.begin("Count", body="30 100", deadline_ms=10_000)
    folder.wait_executed(short)
    clock.write_text(f"{'+' if direction > 0 else '-'}{HOUR}")
    began = time.monotonic_ns()
    shift = until(lambda: abs(s := folder.count()["realtime_s"] - time.time()) > HOUR / 2 and s, 3, "the clock to jump")
    assert abs(shift - direction * HOUR) <= 5
    # Idle for longer than the silence after which a PING is sent, and the time it has for an answer.
    idle = folder.client(**shifted)
    assert client.end_of(long)["code"] == "ok"
    end = client.end_of(short)
    assert end["code"] == "deadlineExceeded" and 2.3e9 <= end["end_ns"] - end["start_ns"] <= 4e9
    assert client.end_of(stream)["received"] == 30
    new = client.call("Wait", body="10000", deadline_ms=700)
    assert new["code"] == "deadlineExceeded" and 0.6e9 <= new["end_ns"] - new["start_ns"] <= 2e9
    assert storm.result()["failures"] == []
    until(lambda: time.monotonic_ns() - began > 4e9, 10, "time to pass", every=0.1)
    for one in (client, idle):
        assert one.states() == ["connecting", "ready"] and {m["breaker"] for m in one.moments} == {"closed"}
        assert one.call("Hop")["code"] == "ok"
    clock.write_text("+0")
    assert client.call("Hop")["code"] == "ok"
