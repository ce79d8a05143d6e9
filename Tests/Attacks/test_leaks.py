"""No other process, file or answer ever holds a secret. Each search has its positive control: the same scanner, in credentials
while it uses the secret, and in a process that was planted with it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Iterator

import psutil
import pytest

import leakscan
from leakscan import Needle, Scan
from suite import BIN, SERVICES, until
from target import Target
from upstream import answer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root reads the memory of these processes")
OTHERS = [service for service in SERVICES if service != "credentials"]


class Load:
    """Keeps every secret in motion: chats and streams, echoes, errors, refused calls."""

    def __init__(self, target: Target) -> None:
        self.target, self.done, self._stop, self.problem = target, 0, threading.Event(), ""
        self._rounds = itertools.count()
        target.upstream.at["/echo"] = answer(b'{"you sent": "{secret}"}' * 50, headers="x-echo: {secret}\r\nset-cookie: k={secret}\r\n")
        target.upstream.at["/error"] = answer(b"invalid key {secret}", "401 Unauthorized")
        self._threads = [threading.Thread(target=self._run, args=(work,)) for work in (self._chats, self._calls)]

    def _run(self, work) -> None:
        while not self._stop.is_set():
            try:
                work()
                self.done += 1
            except (OSError, AssertionError) as error:
                self.problem = repr(error)

    def _chats(self) -> None:
        suite = self.target.suite
        suite.chat()
        suite.stream("scribe", dialect="anthropic")
        suite.chat("fail-500")
        # A refused key is left alone for a while, and most chats are to succeed.
        if next(self._rounds) % 20 == 0:
            suite.chat("fail-401")

    def _calls(self) -> None:
        with self.target.caller() as caller:
            for destination, path in (("up", "/echo"), ("second", "/echo"), ("up", "/error"), ("narrow", "/denied"), ("nobody", "/")):
                caller.call(destination, path, method="POST", body=b"{}")

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        until(lambda: self.done >= 10, 20, lambda: f"the load to run: {self.problem}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


def needles(target: Target) -> list[Needle]:
    return [Needle(name, value) for name, value in target.suite.secrets.items()]


def others(target: Target) -> dict[str, int]:
    pids = {name: pid for name, pid in target.suite.pids().items() if name in OTHERS}
    return pids | {"the supervisor": target.suite.up.pid}


@pytest.fixture(scope="module")
def loaded(shared_target: Target) -> Iterator[Target]:
    with Load(shared_target):
        yield shared_target


@needs_root
def test_the_scanner_finds_a_secret_in_credentials_while_it_is_used(loaded: Target) -> None:
    scan = leakscan.memory(loaded.suite.pids()["credentials"], needles(loaded), "credentials")
    found = {hit.needle for hit in scan.hits if hit.form == "raw"}
    assert {"UP_KEY", "SECOND_KEY", "OAI_KEY", "ANT_KEY"} <= found, scan.hits


@needs_root
def test_the_scanner_finds_every_form_in_a_planted_process() -> None:
    value = f"planted-{os.urandom(15).hex()}/+="
    program = (
        "import sys,base64,urllib.parse\n"
        "v=sys.stdin.readline().strip();r=v.encode()\n"
        "kept=[r,r.hex().encode(),urllib.parse.quote(v,safe='').encode(),v.encode('utf-16-le')]+[base64.b64encode(bytes(n)+r) for n in range(3)]\n"
        "print('ready',flush=True);sys.stdin.readline()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as planted:
        planted.stdin.write(value + "\n")
        planted.stdin.flush()
        assert planted.stdout.readline() == "ready\n"
        found = {hit.form for hit in leakscan.memory(planted.pid, [Needle("planted", value)]).hits}
        planted.stdin.write("\n")
        planted.stdin.flush()
    assert {"raw", "hex", "percent", "UTF-16LE", "base64 at 0", "base64 at 1", "base64 at 2"} <= found


def test_the_scanner_holds_no_needle_itself() -> None:
    value = os.urandom(20).hex()
    needle = Needle("own", value[:20] + value[20:])
    held = [part for form in needle._masked.values() for part in form]
    assert not any(value.encode() in part for part in held)


@needs_root
@pytest.mark.parametrize("who", [*OTHERS, "the supervisor"])
def test_no_other_process_holds_a_secret(loaded: Target, who: str) -> None:
    pid = others(loaded)[who]
    scan = leakscan.memory(pid, needles(loaded), who).add(leakscan.surroundings(pid, needles(loaded), who))
    assert scan.bytes > 1 << 20, "its memory could not be read"
    assert scan.hits == [], [str(hit) for hit in scan.hits]


def test_command_line_and_environment_of_credentials_are_clean(loaded: Target) -> None:
    assert leakscan.surroundings(loaded.suite.pids()["credentials"], needles(loaded), "credentials").hits == []


def test_logs_databases_spools_and_caches_hold_no_secret(loaded: Target) -> None:
    scan = leakscan.files(loaded.suite.root, needles(loaded))
    assert scan.bytes > 100_000 and scan.hits == [], [str(hit) for hit in scan.hits]


@needs_root
def test_redis_holds_no_secret_in_memory_or_in_its_dump(loaded: Target) -> None:
    """Answers are kept in there; the control is a value of the test's own, found in both places."""
    if loaded.redis is None:
        pytest.skip("needs redis-server")
    redis, control = loaded.redis, Needle("control", value := f"control-{os.urandom(16).hex()}")
    prompt = f"kept {os.urandom(8).hex()}"
    for _ in range(2):
        reply = loaded.suite.chat("scribe", prompt, dialect="anthropic")
        assert reply.status == 200, reply
    until(lambda: int(redis.command("DBSIZE")[1:]) > 0, 5, "answers in redis")
    assert redis.command("SET", "control", value) == b"+OK"
    assert redis.command("SAVE") == b"+OK"
    wanted = [*needles(loaded), control]
    for scan in (leakscan.memory(redis.pid, wanted, "redis"), leakscan.files(redis.dump, wanted)):
        assert "control" in {hit.needle for hit in scan.hits}, "the scanner does not find what is there"
        found = [str(hit) for hit in scan.hits if hit.needle != "control"]
        assert found == [], found


def crash(target: Target, service: str, number: int) -> None:
    """A crash signal; a process that survives it, once its backtrace is written, is killed."""
    suite, written = target.suite, target.suite.log().count("Backtrace took")
    pid = suite.signal(service, number)
    until(lambda: not suite.lives(pid) or suite.log().count("Backtrace took") > written, 5 if service == "credentials" else 40, f"{service} to crash", every=0.1)
    if suite.lives(pid):
        assert service != "credentials", "it outlived a crash"
        os.kill(pid, signal.SIGKILL)
    suite.wait_restarted(service, pid, 20)


@needs_root
@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_a_crash_shows_no_secret(own_target, number: int) -> None:
    """Neither the log nor a core file of any of the six holds one after a crash under load; credentials shows nothing at all."""
    target = own_target().begin()
    with Load(target):
        for service in SERVICES:
            crash(target, service, number)
        until(lambda: target.suite.chat().status == 200, 30, "a chat after the crashes")
    assert not any(line.startswith("credentials") and "Backtrace" in line for line in target.suite.log().splitlines())
    scan = leakscan.files(target.suite.root, needles(target))
    for folder in (Path("/var/crash"), Path("/var/lib/systemd/coredump")):
        if folder.is_dir():
            scan.add(leakscan.files(folder, needles(target)))
    assert scan.hits == [], [str(hit) for hit in scan.hits]
    assert not list(target.suite.root.rglob("core*")), "a core file was written"


@needs_root
def test_a_secret_is_held_in_locked_memory_only_and_gone_when_it_is_revoked(own_target) -> None:
    """After calls and rest one copy is left in the vault and one in the forms that each destination's answers are searched for,
    all in locked memory; after `revoke` none."""
    target = own_target().begin()
    suite, wanted = target.suite, Needle("UP_KEY", target.secrets["UP_KEY"])
    target.upstream.at["/echo"] = answer(b"{secret} " * 20, headers="x-echo: {secret}\r\n")
    with target.caller() as caller:
        for _ in range(100):
            assert caller.call("up", "/echo").code == 0
    target.upstream.drop()

    def scan() -> Scan:
        return leakscan.memory(suite.pids()["credentials"], [wanted], "credentials")

    time.sleep(1)  # idle: buffers of the last answers are given back
    held = scan()
    users = [name for name, entry in suite.document["credentials"]["destinations"].items() if entry.get("secret") == "UP_KEY"]
    locked = leakscan.locked(suite.pids()["credentials"])
    astray = [str(hit) for hit in held.hits if not any(span in hit.place for span in locked)]
    assert astray == [], f"outside of locked memory: {astray}"
    assert 1 <= held.copies("raw") <= 1 + len(users), [str(hit) for hit in held.hits]
    assert suite.cli("credentials", "revoke", "UP_KEY").returncode == 0
    until(lambda: not scan().hits, 3, lambda: f"no copy after revoke: {[str(hit) for hit in scan().hits]}", every=0.3)


def test_only_credentials_zeroes_what_it_frees() -> None:
    """The executable itself defines `free` and `realloc`; the others use the system's."""
    if not shutil.which("nm"):
        pytest.skip("needs nm (binutils)")

    def defines(program: str) -> set[str]:
        told = subprocess.run(["nm", "-D", "--defined-only", str(BIN / program)], capture_output=True, text=True, check=True).stdout
        return {line.split()[-1] for line in told.splitlines()} & {"free", "realloc", "reallocarray"}

    assert defines("bulkhead-credentials") == {"free", "realloc", "reallocarray"}
    for program in ["bulkhead", "bulkhead-demo-provider", *(f"bulkhead-{service}" for service in OTHERS)]:
        assert defines(program) == set(), program


def test_secrets_of_the_environment_are_forgotten(own_target) -> None:
    """A key somebody exported in the shell does not stay readable in /proc."""
    target = own_target()
    needle, name = Needle("exported", value := f"exported-{os.urandom(16).hex()}"), "OPENAI_API_KEY"
    process = subprocess.Popen(
        [str(BIN / "bulkhead-credentials"), "set", "X_KEY", "--stdin", "--config", str(target.suite.config)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], name: value},
    )
    try:
        until(lambda: psutil.Process(process.pid).num_fds() > 0 and b"bulkhead-credentials" in Path(f"/proc/{process.pid}/cmdline").read_bytes(), 5, "the verb to run")
        until(lambda: not leakscan.surroundings(process.pid, [needle]).hits, 2, "the variable to be forgotten")
    finally:
        process.kill()
        process.wait()
