"""`bulkhead-ipc-peer` processes of a test: servers, and clients that call on command. All end with the test."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable

from fault_proxy import FaultProxy
from ipc_wire import Wire
from suite import BIN, start, until

PEER = BIN / "bulkhead-ipc-peer"
Call = dict[str, Any]

_ids = itertools.count(1)


class Peer:
    """One process whose first line says that it is ready."""

    def __init__(self, log: Path, *arguments: str | int | Path, wait: bool = True, **options: Any) -> None:
        self.log = log
        with open(log, "ab") as errors:
            self.process = start(
                [PEER, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, **options
            )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        line = self.process.stdout.readline()
        assert line == "ready\n", f"{line!r}, exit {self.process.poll()}: {self.said()}"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """What it logged."""
        return self.log.read_text()

    def signal(self, number: int) -> int:
        """- Returns: when, in nanoseconds of CLOCK_MONOTONIC."""
        now = time.monotonic_ns()
        self.process.send_signal(number)
        return now

    def result(self, seconds: float = 15, code: int = 0) -> Any:
        """What the process said last, after it has ended."""
        out, _ = self.process.communicate(timeout=seconds)
        assert self.process.returncode == code, f"exit {self.process.returncode}: {self.said()}"
        return json.loads(out.splitlines()[-1]) if out else None

    def resident(self) -> int:
        """Bytes of memory it occupies."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text()).group(1)) << 10

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        if self.is_alive:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if not pipe.closed:
                pipe.close()


class Client(Peer):
    """A process with one link, its calls on command and its link's changes in order."""

    def __init__(self, log: Path, socket: Path, *arguments: str | int | Path, **options: Any) -> None:
        self.ended: dict[str, Call] = {}
        self.moments: list[dict[str, Any]] = []
        self._news = threading.Condition()
        super().__init__(log, "drive", socket, *arguments, **options)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            for line in self.process.stdout:
                told = json.loads(line)
                with self._news:
                    if "link" in told:
                        self.moments.append(told["link"] | {"at_ns": told["at_ns"]})
                    else:
                        self.ended[told["id"]] = told
                    self._news.notify_all()
        except ValueError:
            pass  # closed with the test

    def order(self, do: str, method: str = "Hop", **fields: Any) -> str:
        """Asks for a call (see `drive --help`). - Returns: its id."""
        name = fields.pop("id", None) or f"call-{next(_ids)}"
        line = json.dumps({"do": do, "id": name, "method": f"Echo.{method}", **fields})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return name

    def begin(self, method: str = "Hop", **fields: Any) -> str:
        """Starts a call and does not wait for it."""
        return self.order("stream" if method in ("Stream", "Flood", "Count", "Idle") else "unary", method, **fields)

    def call(self, method: str = "Hop", seconds: float = 15, **fields: Any) -> Call:
        return self.end_of(self.begin(method, **fields), seconds)

    def end_of(self, name: str, seconds: float = 15) -> Call:
        return self._await(lambda: self.ended.get(name), seconds, f"the end of {name}")

    def ends_of(self, name: str, times: int, seconds: float = 15) -> list[Call]:
        """The ends of the calls that an order with `times` made."""
        return [self.end_of(f"{name}.{number}", seconds) for number in range(times)]

    def states(self) -> list[str]:
        """The link's states in order, each once as long as it lasts."""
        return [state for state, _ in itertools.groupby(moment["state"] for moment in self.moments)]

    def settle(self, seconds: float = 10) -> None:
        """Until a call succeeds: the link is there and its breaker lets calls through."""
        until(lambda: self.call(wait_ms=250)["code"] == "ok", seconds, "a call that succeeds", every=0.05)

    def now(self) -> dict[str, Any]:
        """The link at this moment."""
        count = len(self.moments)
        self.order("snapshot")
        return self._await(lambda: self.moments[count:], 5, "a snapshot")[-1]

    def wait_state(self, *states: str, seconds: float = 5, since: int = 0) -> dict[str, Any]:
        """The first moment since `since` (of CLOCK_MONOTONIC) in which the link was in one of these states."""
        return self._await(
            lambda: next((m for m in self.moments if m["at_ns"] >= since and m["state"] in states), None), seconds,
            f"link {'/'.join(states)}",
        )

    def _await(self, look: Callable[[], Any], seconds: float, what: str) -> Any:
        deadline = time.monotonic() + seconds
        with self._news:
            while not (seen := look()):
                left = deadline - time.monotonic()
                assert left > 0, f"not within {seconds} s: {what}; moments {self.moments[-6:]}, {self.said()[-2000:]}"
                self._news.wait(left)
        return seen

    def leave(self, seconds: float = 5) -> None:
        """Ends it in order."""
        self.process.stdin.close()
        assert self.process.wait(seconds) == 0, self.said()


class Folder:
    """A folder with a server's socket, and all processes and proxies of a test."""

    def __init__(self) -> None:
        # Short: a socket's path has at most 107 bytes.
        self.path = Path(tempfile.mkdtemp(prefix="bhp", dir="/tmp"))
        self.path.chmod(0o755)  # for the tests with another uid
        self.socket = self.path / "s"
        self.journal_file = self.path / "journal"
        self.peers: list[Peer] = []
        self.proxies: list[FaultProxy] = []
        self._numbers = itertools.count(1)

    def _keep(self, peer: Any) -> Any:
        self.peers.append(peer)
        return peer

    def _log(self, name: str) -> Path:
        return self.path / f"{name}-{next(self._numbers)}.log"

    def start(self, verb: str, *arguments: str | int | Path, socket: Path | None = None, **options: Any) -> Peer:
        return self._keep(Peer(self._log(verb), verb, socket or self.socket, *arguments, **options))

    def serve(self, *arguments: str | int | Path, **options: Any) -> Peer:
        return self.start("serve", "--journal", self.journal_file, *arguments, **options)

    def client(self, *arguments: str | int | Path, socket: Path | None = None, ready: bool = True, **options: Any) -> Client:
        client = self._keep(Client(self._log("drive"), socket or self.socket, *arguments, **options))
        if ready:
            client.wait_state("ready")
        return client

    def proxy(self) -> FaultProxy:
        self.proxies.append(FaultProxy(self.path / f"p{next(self._numbers)}", self.socket))
        return self.proxies[-1]

    def wire(self, **about: Any) -> Wire:
        return Wire.greeted(self.socket, **about)

    def count(self) -> dict[str, int]:
        done = subprocess.run([PEER, "count", self.socket], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def journal(self) -> list[dict[str, Any]]:
        """The executions of all servers of this folder, in order."""
        lines = self.journal_file.read_text().splitlines() if self.journal_file.exists() else []
        rows = [line.split(" ") for line in lines]
        return [
            {"method": row[0], "id": row[1], "at_ns": int(row[2]), "running": int(row[3]), "pid": int(row[4])} for row in rows
        ]

    def executed(self) -> Counter[str]:
        """How often each call was executed, by its id."""
        return Counter(row["id"] for row in self.journal())

    def executions(self, name: str) -> int:
        """How often the call with this id was executed."""
        return self.executed()[name]

    def wait_executed(self, name: str, seconds: float = 5) -> None:
        until(lambda: self.executions(name), seconds, f"{name} to be executed", every=0.005)

    def close(self) -> None:
        for peer in self.peers:
            peer.end()
        for proxy in self.proxies:
            proxy.close()
        shutil.rmtree(self.path)


class Neighbour:
    """Somebody else's calls during a fault: all of them must succeed."""

    def __init__(self, folder: Folder, *arguments: str | int) -> None:
        options = arguments or ("--in-flight", 4, "--streams", 2)
        self.began = time.monotonic()
        self.storm = folder.start("storm", "--until-eof", "--seconds", 60, *options)

    def result(self) -> dict[str, Any]:
        """Stops it, when it has seen something."""
        time.sleep(max(0.0, self.began + 0.5 - time.monotonic()))
        result = self.storm.result()
        assert result["failures"] == []
        assert result["answered"] == result["issued"] > 20
        return result


def rejections(server: Peer) -> list[str]:
    """The lines in which a server says why it turned a connection away."""
    return [line for line in server.said().splitlines() if "connection rejected" in line]
