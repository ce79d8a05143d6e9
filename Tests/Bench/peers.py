"""The IPC layer side by side with others, in one run: `make bench-peers`, or `peers.py --help`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import mallocs
import peers_report
from contestants import Contestant, Failed, Servers, contestants, servers, set_nice

SIZES, WIDTHS = (64, 1024, 16384), (1, 4, 16, 64)
SMALL = 64
Run = dict[str, Any]


def arguments() -> argparse.Namespace:
    default = ",".join(map(str, sorted(os.sched_getaffinity(0))[-2:]))
    parser = argparse.ArgumentParser(
        description="Measures unary calls and streams of every contestant in alternating rounds and writes peers.json and a section of RESULTS.md. "
        "Example: peers.py --quick --only ours-task --only grpc-cpp")
    parser.add_argument("--quick", action="store_true", help="two short rounds; prints, and writes only with --out")
    parser.add_argument("--rounds", type=int, help="rounds of every cell (default: 5, or 2 with --quick)")
    parser.add_argument("--seconds", type=float, help="about how long one cell runs (default: 1.5, or 0.4 with --quick)")
    parser.add_argument("--cpus", default=default, help=f"the two cores both ends are kept on (default: {default})")
    parser.add_argument("--nice", type=int, default=0, help="priority of both ends of every contestant; -20 where others work on the machine (default: 0)")
    parser.add_argument("--only", action="append", metavar="NAME", help="a contestant, may be repeated; prints, and writes only with --out")
    parser.add_argument("--peers", type=Path, default=Path(".build/bench-peers"), help="where Peers/build.sh put the programs (default: .build/bench-peers)")
    parser.add_argument("--out", type=Path, help="folder for peers.json and RESULTS.md")
    return parser.parse_args()


def progress(text: str) -> None:
    print(f"peers: {text}", file=sys.stderr, flush=True)


def calibrated(made: Servers, who: Contestant, cpus: str, size: int, width: int, seconds: float) -> int:
    """How many calls take about `seconds`."""
    try_with = max(200, 2 * width)
    told = made.of(who, cpus, size).run(who.call, *cell_options(who, try_with, size, width))
    rate = told["count"] / told["seconds"]
    told = made.of(who, cpus, size).run(who.call, *cell_options(who, max(try_with, int(rate * seconds / 5)), size, width))
    return max(try_with, int(told["count"] / told["seconds"] * seconds))


def cell_options(who: Contestant, count: int, size: int, width: int) -> tuple[Any, ...]:
    flight = () if who.most_in_flight == 1 else ("--in-flight", width)
    return ("--count", count, "--size", size, *flight)


def measured(made: Servers, who: Contestant, cpus: str, size: int, width: int, count: int) -> Run:
    told = made.of(who, cpus, size).run(who.call, *cell_options(who, count, size, width))
    calls, all_calls = told["count"], told["count"] + max(width, count // 10)
    return {
        "p50_us": told["p50_us"], "p99_us": told["p99_us"], "p999_us": told["p999_us"], "per_s": calls / told["seconds"],
        "client_cpu_us": told["cpu_us"] / calls, "server_cpu_us": told["server_cpu_us"] / all_calls,
        "client_switches": told["switches"] / calls, "server_switches": told["server_switches"] / all_calls,
        "server_threads_ended": told["server_threads_ended"], "count": calls,
    }


def streamed(made: Servers, who: Contestant, cpus: str, count: int) -> Run:
    if who.stream is None:
        raise Failed(f"{who.name} has no stream")
    told = made.of(who, cpus, SMALL).run(who.stream, "--count", count, "--size", SMALL)
    # The bare socket has no warm-up.
    sent = told["count"] * (1 if who.sized else 1.1)
    return {"per_s": told["count"] / told["seconds"], "client_cpu_us": told["cpu_us"] / told["count"], "server_cpu_us": told["server_cpu_us"] / sent}


def medians(runs: list[Run]) -> Run:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]} | {"runs": len(runs)}


class Table:
    """All rounds of all cells; a contestant that fails in a cell is out of that cell, with the reason."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, ...], list[Run]] = {}
        self.failures: dict[str, str] = {}

    def add(self, key: tuple[str, ...], run: Run) -> None:
        self.runs.setdefault(key, []).append(run)

    def fail(self, key: tuple[str, ...], error: Exception) -> None:
        self.failures[" ".join(key)] = str(error)
        progress(f"{' '.join(key)}: {error}")

    def document(self) -> list[dict[str, Any]]:
        return [{"what": key[0], "who": key[1], "cell": key[2], **medians(runs), "rounds": runs} for key, runs in self.runs.items()]


def unary(table: Table, made: Servers, who: list[Contestant], options: argparse.Namespace, what: str, cpus: str, sizes: Any, widths: Any) -> None:
    for size in sizes:
        for width in widths:
            here = [one for one in who if width <= one.most_in_flight]
            counts: dict[str, int] = {}
            for number in range(options.rounds):
                # The order turns, so that nobody always follows the same neighbour.
                for one in here[number % len(here):] + here[: number % len(here)]:
                    key = (what, one.name, f"{size}x{width}")
                    try:
                        if one.name not in counts:
                            counts[one.name] = calibrated(made, one, cpus, size, width, options.seconds)
                        table.add(key, measured(made, one, cpus, size, width, counts[one.name]))
                    except (Failed, OSError, ValueError, TimeoutError) as error:
                        table.fail(key, error)
            shown = ", ".join(f"{one.name} {medians(runs)['p50_us']:.1f}" for one in here if (runs := table.runs.get((what, one.name, f"{size}x{width}"))))
            progress(f"{what}, {size} B, {width} in flight, p50 in µs: {shown}")


def streams(table: Table, made: Servers, who: list[Contestant], options: argparse.Namespace) -> None:
    here, counts = [one for one in who if one.stream], {}
    for number in range(options.rounds):
        for one in here[number % len(here):] + here[: number % len(here)]:
            key = ("stream", one.name, f"{SMALL}")
            try:
                if one.name not in counts:
                    counts[one.name] = max(2000, int(streamed(made, one, options.cpus, 10_000)["per_s"] * options.seconds))
                table.add(key, streamed(made, one, options.cpus, counts[one.name]))
            except (Failed, OSError, ValueError) as error:
                table.fail(key, error)
    progress("stream, messages/s: " + ", ".join(f"{one.name} {medians(runs)['per_s']:.0f}" for one in here if (runs := table.runs.get(("stream", one.name, f"{SMALL}")))))


def allocations(who: list[Contestant], options: argparse.Namespace) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for one in (one for one in who if not one.sized):
        entry: dict[str, float | None] = {}
        try:
            entry["server"], entry["client"] = mallocs.per_call(one, options.peers, options.cpus, "--size", 1024)
            if one.stream:
                entry["stream_server"], entry["stream_client"] = mallocs.per_call(one, options.peers, options.cpus, "--size", SMALL, stream=True)
        except (Failed, OSError) as error:
            progress(f"allocations of {one.name}: {error}")
        found[one.name] = entry
        progress(f"allocations of {one.name}: " + ", ".join(f"{name} {value:.2f}" for name, value in entry.items() if value is not None))
    return found


def main() -> int:
    options = arguments()
    # Ended from outside it still ends its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options.peers = options.peers.resolve()
    set_nice(options.nice)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (0.4 if options.quick else 1.5)
    everyone = [one for one in contestants(options.peers) if not options.only or one.name in options.only]
    absent = {one.name: reason for one in everyone if (reason := one.missing(options.peers))}
    here = [one for one in everyone if one.name not in absent]
    for name, reason in absent.items():
        progress(f"{name}: {reason}")
    if not here:
        return 1
    try:
        proof = mallocs.prove(options.peers)
    except (Failed, OSError) as error:
        print(f"peers: {error}", file=sys.stderr)
        return 1
    began, watch, table = time.monotonic(), peers_report.Machine(options.cpus), Table()
    one_cpu = options.cpus.split(",")[0]
    with servers() as made:
        unary(table, made, here, options, "one cpu", one_cpu, (1024,), (1,))
    with servers() as made:
        unary(table, made, here, options, "unary", options.cpus, SIZES, WIDTHS)
        streams(table, made, here, options)
    counted = allocations(here, options)
    told = {
        **watch.document(options), "seconds": round(time.monotonic() - began), "interposer": proof, "absent": absent, "failures": table.failures,
        "results": table.document(), "mallocs": counted,
    }
    section = peers_report.section(told, everyone)
    print(section)
    folder = options.out or (None if options.quick or options.only else peers_report.HERE)
    if folder:
        peers_report.write(told, section, folder)
    return 1 if table.failures else 0


if __name__ == "__main__":
    sys.exit(main())
