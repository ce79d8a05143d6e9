"""Who takes part in the side-by-side IPC benchmark, and one run of one of them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OURS = Path(os.environ.get("BULKHEAD_BIN_DIR", ROOT / ".build" / "release")) / "bulkhead-ipc-peer"


_NICE: list[str] = []


def set_nice(value: int) -> None:
    """Everything that is started from now on gets this priority."""
    _NICE[:] = ["nice", "-n", str(value)] if value else []


class Failed(Exception):
    """A contestant did not do what it was asked to."""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """`built_by` is the name in Peers/build.sh whose failure explains why the program is missing; None for our own."""

    name: str
    label: str
    serve: tuple[str, ...]
    call: tuple[str, ...]
    stream: tuple[str, ...] | None
    built_by: str | None
    most_in_flight: int = 1 << 30
    # Environment of both ends while allocations are counted.
    counted: tuple[tuple[str, str], ...] = ()
    # The server must be told the length of a message.
    sized: bool = False

    def missing(self, folder: Path) -> str | None:
        if Path(self.serve[0]).exists():
            return None
        if self.built_by is None:
            return f"{self.serve[0]} is missing: make build"
        failed = folder / f"{self.built_by}.failed"
        reason = failed.read_text().strip().replace(f"{folder}/", "") if failed.exists() else f"run Peers/build.sh {folder.name} {self.built_by}"
        return f"not built: {reason}"


def contestants(folder: Path) -> list[Contestant]:
    ours, raw, cpp, swift = str(OURS), str(folder / "raw"), str(folder / "grpc-cpp"), str(folder / "grpc-swift")
    python = (str(folder / "venv" / "bin" / "python"), str(HERE / "Peers" / "grpc-python" / "peer.py"))
    now = "--no-coalescing"
    # Python's own allocator would hide its objects from the count.
    counted = (("PYTHONMALLOC", "malloc"),)
    return [
        Contestant("raw", "raw C, blocking", (raw, "serve"), (raw, "call"), (raw, "stream"), "raw-c", 1, sized=True),
        Contestant("raw-epoll", "raw C, epoll", (raw, "serve-epoll"), (raw, "call-epoll"), None, "raw-c", 1, sized=True),
        Contestant("ours", "Bulkhead, handler on the loop", (ours, "bench-serve"), (ours, "bench-call"), None, None),
        Contestant("ours-task", "Bulkhead, async handler", (ours, "bench-serve"), (ours, "bench-call", "--task"), (ours, "bench-stream"), None),
        Contestant("grpc-cpp", "C++ gRPC 1.51, sync", (cpp, "serve"), (cpp, "call"), (cpp, "stream"), "grpc-cpp"),
        Contestant("grpc-swift-now", "grpc-swift-2, no flush coalescing", (swift, "serve", now), (swift, "call", now), (swift, "stream", now), "grpc-swift"),
        Contestant("grpc-swift", "grpc-swift-2, defaults", (swift, "serve"), (swift, "call"), (swift, "stream"), "grpc-swift"),
        Contestant("grpc-python", "Python grpcio", (*python, "serve"), (*python, "call"), (*python, "stream"), "grpc-python", counted=counted),
    ]


def with_options(command: tuple[str, ...], socket: Path, *options: Any) -> list[str]:
    """The verb may be followed by flags: the socket comes right behind the verb."""
    verb = next(index for index, word in enumerate(command) if index and not word.startswith(("/", "-")))
    return [*command[: verb + 1], str(socket), *command[verb + 1 :], *map(str, options)]


@dataclasses.dataclass
class Spent:
    """`switches` by thread; those of a thread that ended meanwhile are lost, so that a sum over two looks is a lower bound."""

    cpu_us: float
    switches: dict[str, int]

    def until(self, later: "Spent") -> dict[str, Any]:
        gained = sum(count - self.switches.get(thread, 0) for thread, count in later.switches.items())
        return {
            "server_cpu_us": later.cpu_us - self.cpu_us, "server_switches": gained,
            "server_threads_ended": len(self.switches.keys() - later.switches.keys()),
        }


class Server:
    """One contestant's server, pinned to `cpus`, until closed."""

    def __init__(self, who: Contestant, cpus: str, size: int, folder: Path, counted: dict[str, str] | None = None) -> None:
        self.who, self.pinned = who, ["taskset", "-c", cpus, *_NICE]
        self.socket = folder / f"{who.name}-{size}-{cpus.replace(',', '')}"
        options = ("--size", size) if who.sized else ()
        self.process = subprocess.Popen(
            [*self.pinned, *with_options(who.serve, self.socket, *options)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(counted or {})},
        )
        if self.process.stdout is None or self.process.stdout.readline().strip() != "ready":
            self.close()
            raise Failed(f"the server of {who.name} did not become ready")

    def spent(self) -> Spent:
        """CPU in steps of 10 ms, all threads; context switches of the threads that are alive."""
        folder = Path(f"/proc/{self.process.pid}")
        words = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        switches: dict[str, int] = {}
        for task in (folder / "task").iterdir():
            with contextlib.suppress(OSError):  # a thread may end meanwhile
                for line in (task / "status").read_text().splitlines():
                    if "ctxt_switches" in line:
                        switches[task.name] = switches.get(task.name, 0) + int(line.split()[1])
        return Spent((int(words[11]) + int(words[12])) * 1e6 / os.sysconf("SC_CLK_TCK"), switches)

    def run(self, command: tuple[str, ...], *options: Any, environment: dict[str, str] | None = None, seconds: float = 120) -> dict[str, Any]:
        """One client process; what it prints, and what the server spent meanwhile per call, warm-up included."""
        before = self.spent()
        done = subprocess.run(
            [*self.pinned, *with_options(command, self.socket, *options)], capture_output=True, text=True, timeout=seconds,
            env={**os.environ, **(environment or {})},
        )
        if done.returncode != 0 or not done.stdout.strip():
            raise Failed(f"{self.who.name} {options}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout.splitlines()[-1]) | before.until(self.spent())

    def close(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        if self.process.stdout:
            self.process.stdout.close()


@contextlib.contextmanager
def servers() -> Iterator["Servers"]:
    with tempfile.TemporaryDirectory(prefix="bp", dir="/tmp") as folder:
        made = Servers(Path(folder))
        try:
            yield made
        finally:
            made.close()


class Servers:
    """Servers that are started when they are first needed. An idle one costs nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[tuple[str, str, int], Server] = {}

    def of(self, who: Contestant, cpus: str, size: int) -> Server:
        # The two kinds of handler are methods of one server.
        key = (" ".join(who.serve), cpus, size if who.sized else 0)
        if key not in self.running:
            self.running[key] = Server(who, cpus, size, self.folder)
        return self.running[key]

    def close(self) -> None:
        for server in self.running.values():
            server.close()
        self.running.clear()
