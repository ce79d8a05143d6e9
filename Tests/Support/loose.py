"""The six services as children of a test: nobody starts them again, and each may have a user, limits and a moment of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Sequence

import psutil

import suite as driver
from suite import BIN, SERVICES, Provider, Suite, environment, until


class Loose(Suite):
    """`bulkhead-<service> serve`, one by one."""

    def __init__(self, provider: Provider, change: Callable[[dict[str, Any]], None] | None = None) -> None:
        super().__init__(provider, change)
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.write()
        driver.RUNNING.append(self)

    def command(self, service: str) -> list[str]:
        """What `serve` runs; must end up as one process whose pid stays."""
        return [str(BIN / f"bulkhead-{service}"), "serve", "--config", str(self.config)]

    def serve(self, service: str, *before: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Starts a service and does not wait. `before`: a command that executes the one given to it."""
        with open(log or self.log_file, "ab") as out:
            child = driver.start(
                [*before, *self.command(service)], cwd=self.root, env=environment(self.root), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.children[service] = child
        with contextlib.suppress(psutil.Error):
            self._started[child.pid] = psutil.Process(child.pid).create_time()
        return child

    def begin(self) -> Loose:
        """Starts all, stores the secrets, and returns when all is well."""
        try:
            for service in SERVICES:
                self.serve(service)
            self.settle()
        except BaseException:
            self.close()
            raise
        return self

    def settle(self) -> None:
        """Stores the secrets, and returns when all is well."""
        self._await(lambda: self.cli("credentials", "status").returncode == 0, 15, "credentials to run")
        for name, value in self.secrets.items():
            self.store(name, value)
        self.wait_well(15)

    def _await(self, look: Callable[[], Any], seconds: float, what: str) -> None:
        until(look, seconds, lambda: f"{what}; log: {self.tail()}")

    def pids(self) -> dict[str, int]:
        for name, child in self.children.items():
            assert child.poll() is None, f"{name} ended with {child.returncode}: {self.tail()}"
        return {name: child.pid for name, child in self.children.items()}

    def end(self, service: str, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Sends a signal and waits; gives the exit code."""
        child = self.children[service]
        child.send_signal(number)
        return child.wait(seconds)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> None:
        for service in self.children:
            assert self.end(service, number, seconds) == 0, f"{service}: {self.tail()}"

    def close(self) -> None:
        """Ends whatever still runs, and removes the folder."""
        left = [child for child in self.children.values() if child.poll() is None]
        for child in left:
            child.send_signal(signal.SIGCONT)
            child.terminate()
        for child in left:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
        super().close()


def resident(pid: int) -> int:
    """Bytes of memory a process holds now."""
    return psutil.Process(pid).memory_info().rss


def is_root() -> bool:
    return os.geteuid() == 0


def as_user(uid: int, gid: int, groups: Sequence[int], work: Callable[[], Any]) -> Any:
    """The result of `work`, as JSON can carry it, done by a child process of that user. Needs root."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(writer, "w") as out:
            os.setgroups(list(groups))
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            json.dump(work(), out)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    os.waitpid(child, 0)
    assert text, f"what was to be done as uid {uid} failed"
    return json.loads(text)
