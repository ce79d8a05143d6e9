"""The IPC figures of `make bench`: ours beside a bare socket, on two shared cores. Everybody else: peers.py."""

from __future__ import annotations

import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

import mallocs
from contestants import HERE, ROOT, Contestant, Failed, Servers, contestants, servers

FOLDER = Path(os.environ.get("BENCH_PEERS", ROOT / ".build" / "bench-peers")).resolve()
KIBIBYTE = ("--size", 1024)


def shared_cores() -> str:
    return ",".join(map(str, sorted(os.sched_getaffinity(0))[-2:]))


def _built() -> dict[str, Contestant]:
    done = subprocess.run([str(HERE / "Peers" / "build.sh"), str(FOLDER), "raw-c", "malloc-count"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    found = {one.name: one for one in contestants(FOLDER)}
    for name in ("ours", "raw"):
        if reason := found[name].missing(FOLDER):
            raise Failed(reason)
    return found


def _rounds(made: Servers, who: dict[str, Contestant], rounds: int, seconds: int) -> dict[str, list[dict[str, Any]]]:
    cpus, calls = shared_cores(), 5000 * seconds
    runs: dict[str, list[dict[str, Any]]] = {"raw": [], "ours": [], "ours-task": [], "many": [], "stream": []}
    for _ in range(rounds):
        for name in ("raw", "ours", "ours-task"):
            runs[name].append(made.of(who[name], cpus, 1024).run(who[name].call, "--count", calls, *KIBIBYTE))
        task = who["ours-task"]
        server = made.of(task, cpus, 1024)
        runs["many"].append(server.run(task.call, "--count", 4 * calls, "--in-flight", 64, *KIBIBYTE))
        runs["stream"].append(server.run(task.stream or (), "--count", 20 * calls, "--size", 64))
    return runs


def measured(rounds: int, seconds: int) -> list[tuple[str, float, str, str, dict[str, Any] | None, float | None]]:
    """Name, value, unit, conditions, what it was measured against and the ratio, of each figure."""
    who = _built()
    with servers() as made:
        runs = _rounds(made, who, rounds, seconds)
    middle = lambda name, value: statistics.median(run[value] for run in runs[name])  # noqa: E731
    rate = lambda name: statistics.median(run["count"] / run["seconds"] for run in runs[name])  # noqa: E731
    cpu = lambda name: statistics.median((run["cpu_us"] / run["count"] + run["server_cpu_us"] / (1.1 * run["count"])) for run in runs[name])  # noqa: E731
    against = [a["p50_us"] / b["p50_us"] for a, b in zip(runs["ours"], runs["raw"])]
    proof = mallocs.prove(FOLDER)
    server, client = mallocs.per_call(who["ours-task"], FOLDER, shared_cores(), *KIBIBYTE)
    what = f"two processes on the same two cores, {rounds} alternating runs"
    floor = round(middle("raw", "p50_us"), 2)
    peer = {"name": "blocking ping-pong on a bare Unix socket", "value": floor, "unit": "us"}
    figures = []
    for name, key in (("ours", "ipc_unary_1k_p50_us"), ("ours-task", "ipc_unary_task_1k_p50_us")):
        value = round(middle(name, "p50_us"), 2)
        tail = f"p99 {middle(name, 'p99_us'):.1f} us, p99.9 {middle(name, 'p999_us'):.1f} us, CPU of both sides {cpu(name):.1f} us a call"
        figures.append((key, value, "us", f"{what} of {5000 * seconds}, 1 KiB each way, one call at a time; {tail}", peer, round(value / floor, 2)))
    return figures + [
        ("ipc_unary_vs_raw", round(statistics.median(against), 2), "ratio", f"{what}; handler on the loop; median of the runs' ratios", peer, None),
        ("ipc_calls_per_s", round(rate("many")), "1/s", f"{what}, 1 KiB each way, 64 calls in flight, async handler; p99 {middle('many', 'p99_us'):.0f} us", None, None),
        ("ipc_stream_per_s", round(rate("stream")), "1/s", f"{what}, one stream from the server, async handler; CPU of both sides {cpu('stream'):.2f} us a message", None, None),
        ("ipc_mallocs_per_call", round(max(server, client), 2), "", f"async handler, 1 KiB each way; server {server:.2f}, client {client:.2f}; {proof}", None, None),
    ]
