"""peers.json and the section `IPC side by side` of RESULTS.md, and what of the targets is reached."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

from contestants import ROOT, Contestant

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- ipc side by side: written by peers.py -->", "<!-- end of ipc side by side -->"
Cells = dict[tuple[str, str, str], dict[str, Any]]


class Machine:
    """The conditions of a run, from its start on."""

    def __init__(self, cpus: str) -> None:
        self.cpus = [int(word) for word in cpus.split(",")]
        self.load, self.began, self.busy = os.getloadavg()[0], time.monotonic(), self._busy()

    def _busy(self) -> float:
        """Seconds the two cores were busy, and what a hypervisor took from them."""
        wanted = {f"cpu{number}" for number in self.cpus}
        rows = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.split()[0] in wanted]
        return sum(sum(map(int, row[1:4])) + sum(map(int, row[6:9])) for row in rows) / os.sysconf("SC_CLK_TCK")

    def document(self, options: argparse.Namespace) -> dict[str, Any]:
        seconds = time.monotonic() - self.began
        ours = sum(os.times()[:4])
        model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
        return {
            "commit": _commit(),
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%MZ"),
            "machine": {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release()},
            "cpus": options.cpus, "nice": options.nice, "rounds": options.rounds, "cell_seconds": options.seconds,
            "load": [round(self.load, 2), round(os.getloadavg()[0], 2)],
            # Above 0 when others worked on the same two cores: the figures are then worth less.
            "cores_used_by_others": round(max(0.0, (self._busy() - self.busy - ours) / (seconds * len(self.cpus))), 3),
            "versions": {
                "swift": _said("swift", "--version").split("(")[0].strip(), "gcc": _said("gcc", "-dumpfullversion"),
                "C++ gRPC": "1.51.1 (Debian 12)", "grpc-swift-2": "2.4.3, nio-transport 2.9.2",
                "Python grpcio": _said(str(options.peers / "venv" / "bin" / "python"), "-c", "import grpc; print(grpc.__version__)"),
            },
        }


def _commit() -> str:
    """What was measured: with "+changes" when the sources differ from the commit."""
    sources = ("Package.swift", "Shared", "Protos", "Tests/Support")
    changed = _said("git", "-C", str(ROOT), "status", "--porcelain", "--", *sources) != "unknown"
    return _said("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")


def _said(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    except OSError:
        return "unknown"
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else "unknown"


def cells(told: dict[str, Any]) -> Cells:
    return {(row["what"], row["who"], row["cell"]): row for row in told["results"]}


def ratio(found: Cells, ours: tuple[str, str, str], its: tuple[str, str, str], name: str = "p50_us") -> float | None:
    """The median over the rounds of ours / its, as rounds are neighbours in time and medians are not."""
    if ours not in found or its not in found:
        return None
    return statistics.median(a[name] / b[name] for a, b in zip(found[ours]["rounds"], found[its]["rounds"]))


@dataclasses.dataclass
class Target:
    what: str
    sign: str
    number: float
    unit: str
    value: Callable[[Cells, dict[str, Any]], float | None]


def _of(what: str, who: str, cell: str, name: str) -> Callable[[Cells, dict[str, Any]], float | None]:
    return lambda found, _: found[what, who, cell][name] if (what, who, cell) in found else None


def _faster(who: str, name: str, cell: str) -> Callable[[Cells, dict[str, Any]], float | None]:
    """How many times the C++ figure is ours (p50), or ours the C++ one (calls/s)."""

    def value(found: Cells, _: dict[str, Any]) -> float | None:
        told = ratio(found, ("unary", who, cell), ("unary", "grpc-cpp", cell), name)
        return told if told is None or name == "per_s" else 1 / told

    return value


def _most_mallocs(who: str) -> Callable[[Cells, dict[str, Any]], float | None]:
    return lambda _, told: max((value for name, value in told["mallocs"].get(who, {}).items() if name in ("server", "client")), default=None)


def _raw(who: str, what: str) -> Callable[[Cells, dict[str, Any]], float | None]:
    return lambda found, _: ratio(found, (what, who, "1024x1"), (what, "raw", "1024x1"))


TARGETS = [
    Target("unary 1 KiB, p50, handler on the loop", "≤", 15, " µs", _of("unary", "ours", "1024x1", "p50_us")),
    Target("unary 1 KiB, p50, async handler", "≤", 25, " µs", _of("unary", "ours-task", "1024x1", "p50_us")),
    Target("p50 relative to the raw ping-pong, handler on the loop", "≤", 2, "×", _raw("ours", "unary")),
    Target("p50 relative to the raw ping-pong, async handler", "≤", 2, "×", _raw("ours-task", "unary")),
    Target("p50 lower than C++ gRPC, handler on the loop", "≥", 2.5, "×", _faster("ours", "p50_us", "1024x1")),
    Target("p50 lower than C++ gRPC, async handler", "≥", 2.5, "×", _faster("ours-task", "p50_us", "1024x1")),
    Target("calls/s more than C++ gRPC, 1 KiB, 64 in flight, handler on the loop", "≥", 3, "×", _faster("ours", "per_s", "1024x64")),
    Target("calls/s more than C++ gRPC, 1 KiB, 64 in flight, async handler", "≥", 3, "×", _faster("ours-task", "per_s", "1024x64")),
    Target("pipelined calls, 1 KiB, 64 in flight, async handler", "≥", 60000, "/s", _of("unary", "ours-task", "1024x64", "per_s")),
    Target("mallocs per unary call, the worse side, handler on the loop", "≤", 4, "", _most_mallocs("ours")),
    Target("mallocs per unary call, the worse side, async handler", "≤", 4, "", _most_mallocs("ours-task")),
    Target("stream of 64 B messages", "≥", 300000, "/s", _of("stream", "ours-task", "64", "per_s")),
]


def shown(number: float | None, digits: int = 1) -> str:
    if number is None:
        return "–"
    return f"{number:,.0f}".replace(",", " ") if abs(number) >= 1000 else f"{round(number, digits) + 0.0:.{digits}f}"


def _tail(cell: dict[str, Any]) -> str:
    """p99.9, where a run has enough calls for it to be more than its longest one."""
    return shown(cell["p999_us"]) if cell["count"] >= 3000 else "–"


def _targets(found: Cells, told: dict[str, Any]) -> list[str]:
    lines = ["| target | to reach | measured | reached |", "| --- | --- | --- | --- |"]
    for target in TARGETS:
        value = target.value(found, told)
        # What is shown is what is judged: 4.003 mallocs a call are four.
        verdict = "–"
        if value is not None:
            rounded = round(value, 2)
            verdict = "yes" if (rounded <= target.number if target.sign == "≤" else rounded >= target.number) else "**no**"
        goal = f"{target.sign} {shown(target.number, 1 if target.number % 1 else 0)}{target.unit}"
        lines.append(f"| {target.what} | {goal} | {shown(value, 2)}{target.unit if value is not None else ''} | {verdict} |")
    return lines


def _one_call(found: Cells, everyone: list[Contestant], told: dict[str, Any]) -> list[str]:
    lines = [
        "| contestant | 1 cpu: p50 µs | × raw | 2 cpus: p50 µs | p99 | p99.9 | × raw | CPU µs/call client + server | switches/call client + server | mallocs/call client + server |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for who in everyone:
        one, two = (found.get((what, who.name, "1024x1")) for what in ("one cpu", "unary"))
        if who.name in told["absent"]:
            lines.append(f"| {who.label} | {told['absent'][who.name]} |" + " |" * 8)
        elif one and two:
            counted = told["mallocs"].get(who.name, {})
            malloc = f"{shown(counted['client'])} + {shown(counted['server'])}" if "client" in counted else "–"
            # The switches of threads that ended are not seen.
            least = "≥ " if any(run["server_threads_ended"] for run in two["rounds"]) else ""
            against = [shown(ratio(found, (what, who.name, "1024x1"), (what, "raw", "1024x1")), 2) for what in ("one cpu", "unary")]
            lines.append(
                f"| {who.label} | {shown(one['p50_us'])} | {against[0]} | {shown(two['p50_us'])} | {shown(two['p99_us'])} | {_tail(two)} | {against[1]} | "
                f"{shown(two['client_cpu_us'])} + {shown(two['server_cpu_us'])} | {shown(two['client_switches'], 2)} + {least}{shown(two['server_switches'], 2)} | {malloc} |")
    return lines


def _matrix(found: Cells, everyone: list[Contestant], widths: tuple[int, ...], sizes: tuple[int, ...]) -> list[str]:
    lines = []
    for size in sizes:
        lines += ["", f"Unary, {size} B each way, 2 cpus: p50 / p99 / p99.9 in µs · calls/s · CPU µs per call, client + server", ""]
        lines += ["| contestant | " + " | ".join(f"{width} in flight" for width in widths) + " |", "| --- |" + " --- |" * len(widths)]
        for who in everyone:
            row = [found.get(("unary", who.name, f"{size}x{width}")) for width in widths]
            if any(row):
                lines.append(f"| {who.label} | " + " | ".join(
                    f"{shown(cell['p50_us'])} / {shown(cell['p99_us'])} / {_tail(cell)} · {shown(cell['per_s'], 0)} · {shown(cell['client_cpu_us'])} + {shown(cell['server_cpu_us'])}"
                    if cell else "–" for cell in row) + " |")
    return lines


def _streams(found: Cells, everyone: list[Contestant], told: dict[str, Any]) -> list[str]:
    lines = ["", "Stream from the server, messages of 64 B, 2 cpus (raw C writes 64 KiB at once)", "", "| contestant | messages/s | CPU µs per message, client + server | mallocs per message, client + server |", "| --- | ---: | ---: | ---: |"]
    for who in everyone:
        if cell := found.get(("stream", who.name, "64")):
            counted = told["mallocs"].get(who.name, {})
            malloc = f"{shown(counted['stream_client'], 2)} + {shown(counted['stream_server'], 2)}" if "stream_client" in counted else "–"
            lines.append(f"| {who.label} | {shown(cell['per_s'], 0)} | {shown(cell['client_cpu_us'], 2)} + {shown(cell['server_cpu_us'], 2)} | {malloc} |")
    return lines


def section(told: dict[str, Any], everyone: list[Contestant]) -> str:
    found, box = cells(told), told["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    others = told["cores_used_by_others"]
    widths = tuple(sorted({int(cell.split("x")[1]) for what, _, cell in found if what == "unary"}))
    sizes = tuple(sorted({int(cell.split("x")[0]) for what, _, cell in found if what == "unary"}))
    nice = f", priority nice {told['nice']} for all of them" if told["nice"] else ""
    lines = [
        BEGIN, "## IPC side by side", "",
        f"Commit `{told['commit']}`, {told['date']}; {box['cpu']}, {box['cores']} cores, Linux {box['kernel']}; load average {told['load'][0]} at the start, "
        f"{told['load'][1]} at the end; others used {others:.0%} of the two cores{nice}.", f"Versions: {versions}.",
        f"Both processes on the same cores ({told['cpus']}; in the column `1 cpu` both on the first of them), one warm connection, closed loop, the same bytes each way without any",
        f"encoding, {told['rounds']} alternating rounds of about {told['cell_seconds']} s a cell, medians; ratios are medians of the rounds' ratios. Ours carry a deadline on every call, the others none.",
        f"Allocations by an LD_PRELOAD interposer, as the difference of two runs: {told['interposer']}; Python with PYTHONMALLOC=malloc.",
        "p99.9 only where a run has 3 000 calls or more.", "",
        *_targets(found, told), "", "Unary, 1 KiB each way, one call at a time", "", *_one_call(found, everyone, told),
        *_matrix(found, everyone, widths, sizes), *_streams(found, everyone, told), "",
        "`make bench-peers` builds the others in `.build/bench-peers`, measures, and writes this section and `peers.json`.", END,
    ]
    return "\n".join(lines)


def kept(page: str) -> str:
    """The section as it stands in a page, or nothing."""
    begin, end = page.find(BEGIN), page.find(END)
    return page[begin : end + len(END)] if 0 <= begin < end else ""


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def write(told: dict[str, Any], text: str, folder: Path = HERE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # One line a cell, four digits: figures of this kind have no more.
    rows = ",\n ".join(json.dumps(_short(row), ensure_ascii=False) for row in told["results"])
    rest = json.dumps({name: value for name, value in told.items() if name != "results"}, indent=1, ensure_ascii=False)
    (folder / "peers.json").write_text(rest[:-2] + f',\n "results": [\n {rows}]}}\n')
    path = folder / "RESULTS.md"
    page = path.read_text() if path.exists() else "# Measured\n"
    old = kept(page)
    path.write_text(page.replace(old, text) if old else page.rstrip("\n") + "\n\n" + text + "\n")
