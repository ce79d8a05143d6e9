"""results.json and RESULTS.md."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

import peers_report
from figures import Figure

HERE = Path(__file__).resolve().parent

# Name of a figure: what it is, and the number to reach.
REACH: dict[str, tuple[str, str, float | None]] = {
    "ipc_unary_1k_p50_us": ("IPC, unary call of 1 KiB, p50", "≤", 15),
    "ipc_unary_task_1k_p50_us": ("the same answered from an async handler", "≤", 25),
    "ipc_unary_vs_raw": ("IPC, unary call of 1 KiB, relative to a bare socket", "≤", 2),
    "ipc_calls_per_s": ("IPC calls, pipelined", "≥", 60000),
    "ipc_stream_per_s": ("IPC, streamed messages of 64 B", "≥", 300000),
    "ipc_mallocs_per_call": ("IPC, mallocs per unary call, the worse side", "≤", 4),
    "chat_added_p50_ms": ("chat, added by the suite, p50", "≤", 0.3),
    "chat_added_p99_ms": ("chat, added by the suite, p99", "≤", 1.5),
    "chat_rps": ("chat throughput", "", None),
    "chat_rps_vs_nginx": ("the same relative to nginx", "≥", 0.25),
    "chat_rps_vs_litellm": ("the same relative to LiteLLM with one worker", "≥", 30),
    "exact_hit_p50_ms": ("exact cache hit at the client, p50", "≤", 0.4),
    "stream_ttft_added_p99_ms": ("time to first token, added, p99", "≤", 5),
    "stream_late_tokens": ("tokens of 500 streams that came more than 20 ms late by us", "≤", 0),
    "idle_stream_kib": ("memory (PSS) of an idle stream, all processes", "≤", 64),
    "credential_added_p50_ms": ("call through credentials, 1 KB, added to a direct TLS call, p50", "≤", 0.3),
    "credential_added_p99_ms": ("the same, p99", "≤", 1),
    "credential_added_64k_p50_ms": ("the same with 64 KB, p50", "≤", 0.3),
    "credential_added_64k_p99_ms": ("the same with 64 KB, p99", "≤", 1),
    "credential_added_sse_p50_ms": ("the same with an event stream, p50", "≤", 0.3),
    "credential_added_sse_p99_ms": ("the same with an event stream, p99", "≤", 1),
    "credential_calls_per_s": ("calls through credentials", "≥", 12000),
    "credential_proxy_added_p50_ms": ("call through edge and credentials (`/v1/proxy`), added, p50", "", None),
    "limiter_decisions_per_s": ("decisions on limits in process, each with its end", "≥", 100000),
    "limiter_redis_p50_ms": ("a decision on limits by Redis, p50", "≤", 0.3),
    "redis_invalidate_100k_stall_ms": ("longest wait of another Redis command while 100 000 keys are invalidated", "≤", 2),
    "streaming_pool_timeouts": ("200 streaming users on a pool of 20: operations no connection served in time", "≤", 0),
    "admit_settle_per_s": ("admissions with their ends, without Idempotency-Key", "≥", 12000),
    "admit_p50_ms": ("an admission, p50", "≤", 0.05),
    "admit_keyed_per_s_sqlite": ("requests with an Idempotency-Key, SQLite", "≥", 5000),
    "admit_keyed_per_s_postgres": ("the same on PostgreSQL", "≥", 2000),
    "admit_redis_p50_ms": ("an admission with limits in Redis, IPC included, p50", "", None),
    "admit_settle_per_s_redis": ("admissions with their ends, limits in Redis", "", None),
    "redaction_64k_16_needles_us": ("search of 64 KiB for the forms of a secret", "≤", 50),
    "audit_call_us": ("audit records of a call", "≤", 10),
    "embed_p50_ms": ("embedding of a query, p50", "≤", 6),
    "pss_idle_mb": ("memory (PSS) of the idle suite", "≤", 180),
    "ready_s": ("cold start to ready", "≤", 1.5),
}


def reached(figure: Figure) -> bool | None:
    _, sign, number = REACH[figure.name]
    if number is None:
        return None
    return figure.value <= number if sign == "≤" else figure.value >= number


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def commit() -> str:
    """What was measured: with "+changes" when the sources differ from the commit."""
    head = _git("rev-parse", "HEAD") or "unknown"
    return head + ("+changes" if _git("status", "--porcelain", "--", "../../Package.swift", "../../Services", "../../Shared", "../../Protos") else "")


def machine() -> dict[str, Any]:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    return {
        "cpu": model, "cores": len(os.sched_getaffinity(0)), "mem": f"{psutil.virtual_memory().total / 2**30:.1f} GiB", "kernel": platform.release(),
    }


def document(figures: list[Figure], load: float, config_hash: str) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return {
        "commit": commit(), "date": now.isoformat().replace("+00:00", "Z"), "machine": machine(), "load": round(load, 2), "config_hash": config_hash,
        "results": [dataclasses.asdict(figure) for figure in figures],
    }


def shown(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ") if abs(number) >= 1000 else f"{number:g}"


UNITS = {"us": " µs", "1/s": "/s", "ratio": "×"}


def row(figure: Figure) -> str:
    what, sign, number = REACH[figure.name]
    unit = UNITS.get(figure.unit, f" {figure.unit}")
    goal = f"{sign} {shown(number)}{unit}" if number is not None else "–"
    verdict = {True: "yes", False: "**no**", None: "–"}[reached(figure)]
    peer = f"{figure.peer['name']}: {shown(figure.peer['value'])}{UNITS.get(figure.peer['unit'], ' ' + figure.peer['unit'])}" if figure.peer else "–"
    return f"| {what} | `{figure.name}` | {shown(figure.value)}{unit} | {goal} | {verdict} | {peer} |"


def side_by_side(rows: list[dict[str, Any]]) -> list[str]:
    """The table of chat through several proxies."""
    if not rows:
        return []
    lines = [
        "",
        "## Chat side by side",
        "",
        "The same requests, provider and machine, in turns. Throughput: 32 connections in a closed loop against an instant provider. Latency: 200",
        "requests/s in an open loop against a provider that takes 20 ms, each request counted from the moment it was due; where a proxy does not",
        "keep up with 200/s the wait for it is part of the figure. CPU: all processes of the proxy, a request of the closed loop.",
        "",
        "| way | requests/s | × nginx | p99 ms, closed loop | p50 ms at 200/s | p99 ms | added p50 ms | added p99 ms | CPU µs a request |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        numbers = [row[key] for key in ("rps", "vs_nginx", "p99_closed_ms", "p50_ms", "p99_ms", "added_p50_ms", "added_p99_ms")]
        lines.append(f"| {row['name']} | " + " | ".join(shown(number) for number in numbers) + f" | {shown(row['cpu_us']) if row['cpu_us'] else '–'} |")
    return lines


def page(told: dict[str, Any], figures: list[Figure], rows: list[dict[str, Any]]) -> str:
    box = told["machine"]
    lines = [
        "# Measured",
        "",
        f"Commit `{told['commit'][:12]}{'+changes' if told['commit'].endswith('+changes') else ''}`, {told['date']}; {box['cpu']}, {box['cores']} cores, {box['mem']}, "
        f"Linux {box['kernel']}; load average at the start {told['load']}; settings `{told['config_hash']}`.",
        "Everything runs on these cores: client, provider, nginx and the six services. The settings are those of `bulkhead init`, with limits",
        "that count but do not refuse, and with a secret injected for the demo provider.",
        "",
        "| what | name | measured | to reach | reached | against |",
        "| --- | --- | --- | --- | --- | --- |",
        *(row(figure) for figure in figures),
        *side_by_side(rows),
        "",
        "## Conditions",
        "",
        *(f"- `{figure.name}`: {figure.conditions}." for figure in figures),
        "",
        "## Again",
        "",
        "`make bench` builds, measures and writes this page and `results.json`. `bench.py --quick` and `bench.py --only NAME` print and write",
        "nothing; `--cpus 2` keeps everything on two cores. A figure that could not be measured is absent.",
        "",
    ]
    return "\n".join(lines)


def write(told: dict[str, Any], figures: list[Figure], rows: list[dict[str, Any]], folder: Path = HERE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(told | {"side_by_side": rows}, indent=2, ensure_ascii=False) + "\n")
    results = folder / "RESULTS.md"
    # Another program's section of the page.
    section = peers_report.kept(results.read_text()) if results.exists() else ""
    results.write_text(page(told, figures, rows) + (f"\n{section}\n" if section else ""))
