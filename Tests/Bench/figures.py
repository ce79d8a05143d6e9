"""What all measurements share: a figure, the length of runs, chat requests of which no two are the same."""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import psutil

import load
from stand import moment

CHAT = "/v1/chat/completions"


@dataclasses.dataclass
class Figure:
    """`peer` is what it was measured against in the same run, `ratio` the figure relative to that."""

    name: str
    value: float
    unit: str
    conditions: str
    peer: dict[str, Any] | None = None
    ratio: float | None = None


@dataclasses.dataclass
class Length:
    """How long the runs are."""

    rounds: int
    seconds: int

    def of(self, most: int) -> int:
        return min(self.rounds, most)


def median(values: list[float]) -> float:
    return statistics.median(values)


def chat(model: str, key: str, run: str, number: int, **more: Any) -> bytes:
    text = f"Question {run} {number}: which knot holds two ropes of different thickness, and how is it tied so that it can be untied?"
    return load.request(CHAT, {"model": model, "messages": [{"role": "user", "content": text}]} | more, key)


def chats(count: int, model: str, key: str, **more: Any) -> list[bytes]:
    run = moment()
    return [chat(model, key, run, number, **more) for number in range(count)]


@contextlib.contextmanager
def cpu(pids: Callable[[], dict[str, list[int]]]) -> Iterator[dict[str, float]]:
    """Seconds of CPU each party used in the block."""

    def spent() -> dict[str, float]:
        return {name: sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in family) for name, family in pids().items()}

    before = spent()
    used: dict[str, float] = {}
    yield used
    used.update({name: after - before.get(name, 0) for name, after in spent().items()})


def pss_kib(pids: dict[str, int]) -> dict[str, float]:
    """Proportional set size of processes."""
    found = {}
    for name, pid in pids.items():
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                found[name] = float(line.split()[1])
    return found
