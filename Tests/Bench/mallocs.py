"""Allocations per call, counted from outside by Peers/malloc-count, which first proves itself on a program that is known."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from contestants import Contestant, Failed, Server

FEW, MANY = 1000, 6000


def _count(path: Path) -> int:
    """What the process that maps `path` has allocated so far."""
    return struct.unpack_from("<Q", path.read_bytes())[0]


def _environment(folder: Path, counter: Path) -> dict[str, str]:
    return {"LD_PRELOAD": str(folder / "malloc-count.so"), "MALLOC_COUNT_FILE": str(counter)}


def prove(folder: Path) -> str:
    """A program that makes 12 N allocations, in six ways and on two threads, is counted exactly."""
    with tempfile.TemporaryDirectory(prefix="bm", dir="/tmp") as scratch:
        counter, counts = Path(scratch) / "count", []
        for rounds in (0, FEW, MANY):
            subprocess.run([str(folder / "malloc-known"), str(rounds)], check=True, env={**os.environ, **_environment(folder, counter)})
            counts.append(_count(counter))
    found, known = [count - counts[0] for count in counts[1:]], [12 * FEW, 12 * MANY]
    if found != known:
        raise Failed(f"interposer broken: it counted {found} allocations of a program that made {known}")
    return f"{known[1]} of {known[1]} allocations of a known program counted"


def per_call(who: Contestant, folder: Path, cpus: str, *options: Any, stream: bool = False) -> tuple[float, float]:
    """Allocations per call (or per streamed message) of the server and of the client: what more calls cost more, start-up cancels out."""
    command = who.stream if stream else who.call
    if command is None:
        raise Failed(f"{who.name} has no stream")
    few, many = (10 * FEW, 10 * MANY) if stream else (FEW, MANY)
    with tempfile.TemporaryDirectory(prefix="bm", dir="/tmp") as scratch:
        ours, its = Path(scratch) / "server", Path(scratch) / "client"
        size = int(options[options.index("--size") + 1])
        server = Server(who, cpus, size, Path(scratch), {**_environment(folder, ours), **dict(who.counted)})
        try:
            served, called = [], []
            for count in (few, few, many):  # the first run warms the server up
                before = _count(ours)
                server.run(command, "--count", count, "--warmup", 500, *options, environment={**_environment(folder, its), **dict(who.counted)})
                served.append(_count(ours) - before)
                called.append(_count(its))
                its.unlink()
        finally:
            server.close()
    return (served[2] - served[1]) / (many - few), (called[2] - called[1]) / (many - few)
