"""What `make run` does, without the building: init, up, a request that works as printed, Ctrl-C."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from typing import Iterator

import pytest
import yaml

from suite import BIN, SERVICES, Provider, Suite, environment, start, until

DEMO_PORT = 8901


@pytest.fixture
def first_look(provider: Provider) -> Iterator[Suite]:
    """A suite as a new user gets it: the file of `bulkhead init`, with ports and folders of this test."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEMO_PORT))
        except OSError:
            pytest.fail(f"port {DEMO_PORT}, where `bulkhead up --demo` runs the demo provider, is taken by another program")
    suite = Suite(provider)
    made = suite.run("bulkhead", "init", "--config", str(suite.config))
    assert made.returncode == 0, made.stderr
    text = suite.config.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{suite.port}")
    # Relative folders are those of the working directory, which is the suite's.
    suite.config.write_text(text)
    suite.write = lambda: None
    yield suite
    suite.close()


def printed(suite: Suite, pattern: str) -> str:
    match = until(lambda: re.search(pattern, suite.log(), re.M), 30, lambda: f"a line like {pattern}; log: {suite.tail()}", every=0.05)
    return match.group(0)


def test_init_writes_a_commented_file_that_every_service_accepts_and_never_overwrites(provider: Provider) -> None:
    suite = Suite(provider)
    try:
        done = suite.run("bulkhead", "init", "--config", str(suite.config))
        assert done.returncode == 0
        text = suite.config.read_text()
        assert text.count("#") >= 5 and set(yaml.safe_load(text)) >= {"suite", "edge", "router", "session", "credentials"}
        for service in SERVICES:
            checked = suite.cli(service, "check")
            assert checked.returncode == 0, checked.stdout + checked.stderr
        again = suite.run("bulkhead", "init", "--config", str(suite.config))
        assert again.returncode == 1 and "exists" in again.stderr
        assert suite.config.read_text() == text
    finally:
        suite.close()


def test_up_prints_a_request_that_works_and_ends_on_ctrl_c(first_look: Suite) -> None:
    suite = first_look.launch("--demo")
    printed(suite, rf"^bulkhead: ready on http://127\.0\.0\.1:{suite.port}$")
    line = printed(suite, r"curl .*$")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["choices"][0]["message"]["content"] and answer["choices"][0]["finish_reason"] == "stop", answer
    assert "curl" == shlex.split(line)[0]
    pids = suite.pids()
    assert len(set(pids.values()) - {suite.up.pid}) >= 6
    suite.stop(signal.SIGINT)
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", suite.port), 1):
        pytest.fail("something still listens")
    for service in SERVICES:
        assert not (suite.root / ".bulkhead/run" / service / "ipc.sock").exists(), f"{service} left its socket behind"


def test_the_first_key_waits_for_a_session_that_is_late(first_look: Suite) -> None:
    suite = first_look.launch("--demo")
    late = until(lambda: json.loads(suite.pids_file.read_text())["session"], 10, "a pid of session", every=0.001)
    os.kill(late, signal.SIGSTOP)
    try:
        until(lambda: suite.request("GET", "/ready", key=None, seconds=2).status == 200, 15, "the edge to serve without session")
    finally:
        os.kill(late, signal.SIGCONT)
    printed(suite, r"curl .*$")


def test_a_stored_secret_is_usable_without_a_restart(own_suite) -> None:
    suite = own_suite()
    suite.launch()
    until(lambda: suite.cli("credentials", "status").returncode == 0, 30, "credentials to run", every=0.05)
    suite.store("ANT_KEY", suite.secrets["ANT_KEY"])
    # A secret that is missing degrades; it stops nothing.
    until(lambda: suite.chat("open").status == 200, 20, "an answer of a destination without a secret", every=0.05)
    reply = suite.chat("assistant")
    assert reply.status == 503 and reply.error["code"] == "secret_missing", reply
    assert "OAI_KEY" in reply.error["message"], "the operator is told which name to store"
    told = suite.ready()
    assert told["status"] != "ready" and "OAI_KEY" in json.dumps(told["services"]["credentials"]), told
    pids = suite.pids()
    suite.store("OAI_KEY", suite.secrets["OAI_KEY"])
    assert suite.chat("assistant").status == 200, "at once"
    until(lambda: suite.ready()["status"] == "ready", 3, "GET /ready to say ready")
    assert suite.pids() == pids


def test_sigterm_drains_a_running_stream(own_suite) -> None:
    suite = own_suite(lambda document: document["router"]["models"].append(
        {"name": "paced", "targets": [{"provider": "oai", "model": "demo-tokens-30-tps-20"}]}
    )).begin()
    begun, streams = threading.Event(), []

    def watch(stream) -> None:
        if stream.text:
            begun.set()

    reader = threading.Thread(target=lambda: streams.append(suite.stream("paced", on_event=watch)))
    reader.start()
    assert begun.wait(5), "the stream begins"
    suite.stop(signal.SIGTERM)
    reader.join(5)
    assert streams and streams[0].is_terminated and streams[0].is_finished, f"the stream was cut: {streams}"


def test_children_do_not_outlive_a_killed_supervisor(own_suite) -> None:
    suite = own_suite().begin()
    suite.pids()
    suite.up.kill()
    suite.up.wait(5)
    until(lambda: suite.alive() == [], 30, "the end of all services")


def test_the_supervisor_says_what_keeps_a_service_from_starting(own_suite) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        suite = own_suite(lambda document: document["edge"].update(listen=f"127.0.0.1:{port}")).launch()
        assert until(lambda: suite.up.poll() is not None, 30, lambda: f"`bulkhead up` to give up; log: {suite.tail()}") and suite.up.returncode != 0
    assert str(port) in suite.log() and "edge" in suite.log(), suite.tail()
    until(lambda: suite.alive() == [], 10, "no process left")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_asked_to_stop_while_it_starts_does_stop(own_suite, service: str) -> None:
    suite = own_suite()
    suite.write()
    # 0.1 s is about a whole start: the signal comes at every stage of it.
    for milliseconds in range(0, 120, 8):
        process = start([BIN / f"bulkhead-{service}", "serve", "--config", suite.config], cwd=suite.root, env=environment(suite.root), stderr=subprocess.DEVNULL)
        try:
            began = time.monotonic()
            until(lambda: time.monotonic() - began >= milliseconds / 1000, 1, "the moment to stop it", every=0.001)
            process.terminate()
            assert process.wait(5) in (0, -signal.SIGTERM, 128 + signal.SIGTERM), f"after {milliseconds} ms"
        except subprocess.TimeoutExpired:
            pytest.fail(f"SIGTERM {milliseconds} ms after the start was lost")
        finally:
            process.kill()
            process.wait(5)
