"""Admissions through the session process, as edge asks for them, on each pair of stores; its limiter alone; and what is below."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

import load
import streams
from figures import CHAT, Figure, Length, cpu, median
from load import Failed
from stand import Stand, Suite, initial, moment, placed, wide
from suite import BIN

USERS, POOL = 200, 20
WIDE = {"rpm": 10_000_000, "tpm": 1_000_000_000_000, "concurrency": 100_000}


@contextlib.contextmanager
def suite(stand: Stand, stores: dict[str, Any]) -> Iterator[Suite]:
    def change(made: dict[str, Any]) -> None:
        document = initial()
        wide(document, stand.paced.url, stand.instant.url)
        document["suite"]["stores"] = stores
        document.setdefault("session", {})["limits"] = {"per_user": WIDE, "per_tenant": WIDE}
        placed(document, made)

    running = Suite(stand.instant, change)
    running.secrets = {name: f"bench-secret-of-{name.lower()}-0123" for name in ("PACED_KEY", "INSTANT_KEY")}
    try:
        yield running.begin()
    finally:
        running.close()


def bench(*words: Any, key: str = "") -> Any:
    done = subprocess.run([str(BIN / "bulkhead-session-bench"), *map(str, words)], input=key + "\n", capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        raise Failed(f"bulkhead-session-bench {words[0]} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def admissions(running: Suite, key: str, count: int, *options: str) -> Any:
    return bench("admissions", Path(running.document["suite"]["run_dir"]) / "session" / "ipc.sock", "--count", count, *options, key=key)


@contextlib.contextmanager
def no_idle_core() -> Iterator[None]:
    """A loop on every core that gives way to everything else: what is left of a time then is work, and not the waking of a core."""
    code = "import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    loops = [subprocess.Popen([sys.executable, "-c", code]) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            one.wait()


def sync(folder: str) -> str:
    """What the device takes, in words."""
    took = bench("sync", folder)
    return f"a synced append of 4 KiB to this device takes {took['p50_us']:.0f} µs (p99 {took['p99_us']:.0f})"


def rate(running: Suite, key: str, length: Length, name: str, count: int, what: str, *options: str) -> Figure:
    """Requests a second, median of the rounds, and what session's processor had of it."""
    with cpu(lambda: {"session": [running.pids()["session"]]}) as used:
        rounds = [admissions(running, key, count, *options) for _ in range(length.rounds)]
    each = used["session"] / (length.rounds * 1.1 * count) * 1e6  # a tenth is warm-up
    p50, p99 = (median([told["took"][share] for told in rounds]) for share in ("p50_us", "p99_us"))
    return Figure(name, round(median([count / told["seconds"] for told in rounds])), "1/s", f"{what}, {count} requests, median of {length.rounds}; p50 {p50:.0f} µs, p99 {p99:.0f} µs; session uses {each:.0f} µs of CPU a request")


def embedded(stand: Stand, length: Length) -> list[Figure]:
    with suite(stand, {"durable": "sqlite", "fast": "local"}) as running:
        key = running.new_key()["key"]
        alone, bare, awake = [], [], []
        for _ in range(length.rounds):
            alone.append(admissions(running, key, 2000 * length.seconds)["took"])
            bare.append(bench("ping-pong"))
            with no_idle_core():
                awake.append((admissions(running, key, 2000 * length.seconds)["took"], bench("ping-pong")))
        floor, floor_awake = median([told["p50_us"] for told in bare]), median([told["p50_us"] for _, told in awake])
        peer = {"name": "1 KiB to and fro between two threads, blocking", "value": round(floor / 1000, 4), "unit": "ms"}
        return [
            rate(running, key, length, "admit_settle_per_s", 10_000 * length.seconds, "key, limits of requests, tokens and places; each end travels with the next admission; 64 at once over one link", "--in-flight", "64"),
            Figure("admit_p50_ms", round(median([told["p50_us"] for told in alone]) / 1000, 4), "ms", f"the same one after the other; p99 {median([told['p99_us'] for told in alone]) / 1000:.3f} ms; with no idle core (a loop of the lowest class on each) {median([told['p50_us'] for told, _ in awake]) / 1000:.3f} ms, and the bare threads {floor_awake / 1000:.3f} ms", peer, round(median([told["p50_us"] for told in alone]) / floor, 2)),
            rate(running, key, length, "admit_keyed_per_s_sqlite", 2000 * length.seconds, f"admitted, dispatched and settled with 1 KB, each durable (FULL) before it is answered; 256 at once; {sync(running.document['suite']['state_dir'])}", "--keyed", "--in-flight", "256"),
        ]


def postgres(stand: Stand, length: Length) -> list[Figure]:
    from postgres_server import PostgresServer

    with contextlib.closing(PostgresServer()) as server, suite(stand, {"durable": "postgres", "fast": "local", "postgres": {"url": server.url, "connections": POOL}}) as running:
        key = running.new_key()["key"]
        crowd = small_pool(running, key, length)
        keyed = rate(running, key, length, "admit_keyed_per_s_postgres", 1000 * length.seconds, f"as on SQLite, PostgreSQL 15 on the same machine by a Unix socket, 14 connections, synchronous_commit on; 256 at once; {sync(tempfile.gettempdir())}", "--keyed", "--in-flight", "256")
        return [keyed, crowd]


def small_pool(running: Suite, key: str, length: Length) -> Figure:
    """Operations no connection served in time, while many users stream with Idempotency-Keys: each piece they read is kept."""
    run, times = moment(), length.rounds
    asked = [
        load.request(
            CHAT, {"model": "long", "stream": True, "messages": [{"role": "user", "content": f"Question {run} {number}: which knot holds two ropes?"}]},
            key, f"idempotency-key: {run}-{number}\r\n",
        )
        for number in range(USERS * times)
    ]
    before = unserved(running)
    seen = streams.paced(running.port, asked, USERS, 1 / 50)
    wait = running.admin("session", "store", "slow")["wait"]
    conditions = f"{USERS} streams at once, each with an Idempotency-Key and kept for replay, 5 s long, 50 tokens/s, {len(asked)} in all, {seen.tokens} tokens; PostgreSQL, a pool of {POOL} (14 of it session's); waits for a connection: p50 {wait['p50Milliseconds']:.2f} ms, p99 {wait['p99Milliseconds']:.1f} ms, longest {wait['maxMilliseconds']:.0f} ms"
    return Figure("streaming_pool_timeouts", unserved(running) - before, "operations", conditions)


def unserved(running: Suite) -> int:
    page = running.request("GET", "/metrics", key=running.new_key("--admin")["key"]).body.decode()
    found = re.findall(r"^bulkhead_session_store_unserved_total\{[^}]*\} (\d+)", page, re.MULTILINE)
    if not found:
        raise Failed("session tells no bulkhead_session_store_unserved_total")
    return sum(map(int, found))


def redis(stand: Stand, length: Length) -> list[Figure]:
    from redis_server import RedisServer

    with tempfile.TemporaryDirectory(prefix="br") as folder, contextlib.closing(RedisServer(Path(folder))) as server:
        with suite(stand, {"durable": "sqlite", "fast": "redis", "redis": {"url": f"unix://{server.socket}"}}) as running:
            key = running.new_key()["key"]
            alone = [admissions(running, key, 1000 * length.seconds)["took"] for _ in range(length.rounds)]
            through = [
                Figure("admit_redis_p50_ms", round(median([told["p50_us"] for told in alone]) / 1000, 4), "ms", f"limits in Redis 7 by a Unix socket, one after the other; p99 {median([told['p99_us'] for told in alone]) / 1000:.3f} ms"),
                rate(running, key, length, "admit_settle_per_s_redis", 2000 * length.seconds, "limits in Redis 7 by a Unix socket; 64 at once", "--in-flight", "64"),
            ]
        server.command("FLUSHALL")
        return [decision(server, length), *through, stall(server, length)]


def decision(server: Any, length: Length) -> Figure:
    """One decision by itself, without edge and IPC."""
    server.command("CONFIG", "RESETSTAT")
    told = [bench("limiter", "--redis", server.socket, "--count", 1000 * length.seconds) for _ in range(length.rounds)]
    spent = re.search(r"cmdstat_fcall:.*?usec_per_call=([\d.]+)", server.statistics())
    p50, p99 = (median([one["took"][share] for one in told]) / 1000 for share in ("p50_us", "p99_us"))
    ping = median([one["ping"]["p50_us"] for one in told]) / 1000
    return Figure(
        "limiter_redis_p50_ms", round(p50, 4), "ms",
        f"limits of requests, tokens and places and a budget, decided by one function call over a Unix socket, one after the other, without edge and IPC; p99 {p99:.3f} ms; of it the server's work {float(spent[1]) / 1000 if spent else 0:.3f} ms on average (ends included); a PING over the same connection takes {ping:.3f} ms",
    )


def stall(server: Any, length: Length) -> Figure:
    """How long others wait for Redis while very much is invalidated."""
    told = []
    for _ in range(length.rounds):
        server.command("FLUSHALL")
        told.append(bench("stall", server.socket))
    # What a purge does to others it does in every run; what this machine does to both, in some.
    longest, quiet = (min(one[name]["max_us"] for one in told) / 1000 for name in ("during", "quiet"))
    p50, p99 = (median([one["during"]["pings"][share] for one in told]) / 1000 for share in ("p50_us", "p99_us"))
    own = min(one["longest_command_us"] for one in told) / 1000
    return Figure(
        "redis_invalidate_100k_stall_ms", round(longest, 3), "ms",
        f"the longest of the PINGs (of {length.rounds} runs the one with the shortest) that another connection sent back to back while 100000 kept answers of 1 KiB were purged in {median([one['purge_s'] for one in told]):.2f} s; p50 {p50:.3f} ms, p99 {p99:.3f} ms; the server's longest command {own:.3f} ms; the longest PING of a second without a purge {quiet:.3f} ms",
    )


def limiter(length: Length) -> Figure:
    told = [bench("limiter", "--count", 50_000 * length.seconds) for _ in range(length.rounds)]
    each = median([one["took"]["p50_us"] for one in told])
    return Figure(
        "limiter_decisions_per_s", round(median([one["took"]["count"] / one["seconds"] for one in told])), "1/s",
        f"limits of requests, tokens and places and a budget of one user, each decision with its end, in process on one thread; p50 {each:.2f} µs; median of {length.rounds}",
    )


def measured(stand: Stand, length: Length) -> list[Figure]:
    return [limiter(length), *embedded(stand, length), *postgres(stand, length), *redis(stand, length)]
