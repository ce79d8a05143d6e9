"""G. Host and operating system: what somebody else on the machine can get out of the process."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import leakscan
from suite import BIN, environment, start, until
from target import Target

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes with other rights")
CAP_SYS_PTRACE = 19


def without_ptrace(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs Python as the same user without the right to trace others: what a taken-over process of that user is."""
    # The bounding set is emptied of it, and exec by root takes what is left.
    prelude = f"import ctypes; ctypes.CDLL(None).prctl(24, {CAP_SYS_PTRACE}, 0, 0, 0)\nimport os, sys\nos.execv(sys.executable, [sys.executable, '-c', sys.argv[1], *sys.argv[2:]])"
    return subprocess.run([sys.executable, "-c", prelude, program, *words], capture_output=True, text=True, timeout=30)


READ = """
import sys, os
for name in ("mem", "maps", "environ", "fd", "auxv"):
    path = f"/proc/{sys.argv[1]}/{name}"
    try:
        if name == "fd": os.listdir(path)
        else:
            with open(path, "rb") as file: file.read(1) if name != "mem" else None
        print(name, "readable")
    except OSError as error:
        print(name, error.errno)
"""


NOBODY = 65534


def as_nobody(*words: str | Path) -> list[str | Path]:
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", *words]


@needs_root
def test_g59_memory_is_not_readable_by_the_same_user(own_target) -> None:
    """Credentials under a user of its own, and a reader under the same: a process that is not protected can be read, this not."""
    suite = own_target().suite
    suite.write()
    os.chmod(suite.root, 0o755)
    for path in [suite.root, *suite.root.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    open_process = subprocess.Popen(as_nobody("sleep", "60"))
    with open(suite.log_file, "ab") as log:
        process = start(as_nobody(BIN / "bulkhead-credentials", "serve", "--config", suite.config), cwd=suite.root, env=environment(suite.root), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        until(lambda: (suite.root / "r/credentials/ipc.sock").exists(), 10, suite.tail)

        def seen(pid: int) -> dict[str, str]:
            told = subprocess.run([str(word) for word in as_nobody(sys.executable, "-c", READ, str(pid))], capture_output=True, text=True, timeout=20)
            return dict(line.split() for line in told.stdout.splitlines())

        until(lambda: set(seen(open_process.pid).values()) == {"readable"}, 5, lambda: f"the control: {seen(open_process.pid)}")
        assert set(seen(process.pid).values()) == {"13"}
    finally:
        for child in (process, open_process):
            child.kill()
            child.wait(10)


def test_g59_no_core_is_written(target: Target) -> None:
    pid = target.suite.pids()["credentials"]
    limits = Path(f"/proc/{pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"], core
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status


def test_g59_gcore_fails_for_the_same_user(target: Target) -> None:
    if os.geteuid() == 0:
        attach = "import ctypes, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.ptrace(16, int(sys.argv[1]), 0, 0), ctypes.get_errno())"
        told = without_ptrace(attach, str(target.suite.pids()["credentials"]))
        assert told.stdout.split() == ["-1", "1"], told
    else:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.ptrace(16, target.suite.pids()["credentials"], 0, 0) == -1


@needs_root
def test_g60_process_vm_readv_is_refused(target: Target) -> None:
    read = (
        "import ctypes, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "class Vector(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]\n"
        "buffer = ctypes.create_string_buffer(16)\nhere = Vector(ctypes.addressof(buffer), 16); there = Vector(0x400000, 16)\n"
        "print(libc.process_vm_readv(int(sys.argv[1]), ctypes.byref(here), 1, ctypes.byref(there), 1, 0), ctypes.get_errno())"
    )
    told = without_ptrace(read, str(target.suite.pids()["credentials"]))
    assert told.stdout.split() == ["-1", "1"], told


def test_g60_secrets_are_locked_and_not_swapped(target: Target) -> None:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{target.suite.pids()['credentials']}/status").read_text().splitlines())
    assert int(status["VmLck"].split()[0]) > 0, status["VmLck"]
    assert int(status["VmSwap"].split()[0]) == 0, status["VmSwap"]


def test_g60_command_line_and_environment(target: Target) -> None:
    assert leakscan.surroundings(target.suite.pids()["credentials"], target.needles).hits == []


@needs_root
@pytest.mark.parametrize("allowed", [False, True])
def test_g59_memory_that_cannot_be_locked(own_target, allowed: bool) -> None:
    """In production the process refuses to start, and says what to raise; with `allow_unlocked` it starts and `doctor` says so."""

    def change(document: dict) -> None:
        document["suite"]["environment"] = "production"
        document["credentials"]["destinations"] = {}
        document["router"]["providers"] = [{"name": "builtin", "dialect": "builtin"}]
        document["router"]["models"] = []
        if allowed:
            document["credentials"]["memory"] = {"allow_unlocked": True}

    target = own_target(change)
    suite = target.suite
    suite.write()
    # Without CAP_IPC_LOCK (14) the limit holds for root, too.
    program = "import ctypes, os, resource, sys\nctypes.CDLL(None).prctl(24, 14, 0, 0, 0)\nresource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))\nos.execv(sys.argv[1], sys.argv[1:])"
    with open(suite.log_file, "ab") as log:
        process = start([sys.executable, "-c", program, BIN / "bulkhead-credentials", "serve", "--config", suite.config], cwd=suite.root, env=environment(suite.root), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        if allowed:
            until(lambda: suite.cli("credentials", "status").returncode == 0, 10, suite.tail)
            rows = {row["subject"]: row for row in json_rows(suite)}
            assert rows["memory"]["level"] == "warning" and "LimitMEMLOCK" in rows["memory"]["message"]
        else:
            assert process.wait(10) == 78
            assert "LimitMEMLOCK" in suite.log() and "allow_unlocked" in suite.log()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def json_rows(suite) -> list[dict]:
    import json

    return json.loads(suite.cli("credentials", "doctor", "--json").stdout)
