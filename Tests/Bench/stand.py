"""What is measured, running: the suite in front of two demo providers, nginx beside it, and the two ends of an IPC link."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

import psutil
import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Support"))

from suite import BIN, SERVICES, Provider, Suite, environment, free_port, start, until  # noqa: E402

from load import Failed  # noqa: E402

__all__ = ["SERVICES", "Provider", "Stand", "Suite", "config_hash", "free_port", "nginx", "start", "until", "wrk"]

PACED, INSTANT, EMBEDDER = "paced", "assistant", "embedder"
LATENCY = "20ms"


def initial() -> dict[str, Any]:
    """What `bulkhead init` writes."""
    with tempfile.TemporaryDirectory(prefix="bb") as folder:
        path = Path(folder) / "bulkhead.yaml"
        done = subprocess.run(
            [str(BIN / "bulkhead"), "init", "--config", str(path)], cwd=folder, env=environment(Path(folder)), capture_output=True, text=True,
        )
        if done.returncode != 0:
            raise Failed(f"`bulkhead init` exited {done.returncode}: {done.stderr}")
        return yaml.safe_load(path.read_text())


def wide(document: dict[str, Any], paced: str, instant: str) -> None:
    """Makes the file of `bulkhead init` measurable: the demo providers behind a secret each, and limits that count but do not refuse."""
    route = {"retry": {"tries_per_target": 1, "max_tries": 1}}
    document["router"]["providers"] = [
        {"name": name, "destination": name, "dialect": "openai", "serve": "listed"} for name in ("paced", "instant")
    ] + [{"name": "builtin", "dialect": "builtin"}]
    document["router"]["models"] = [
        {"name": PACED, "targets": [{"provider": "paced", "model": "demo-chat"}]} | route,
        {"name": "long", "targets": [{"provider": "instant", "model": LONG}]} | route,
        {"name": "silent", "targets": [{"provider": "instant", "model": IDLE}], "timeouts": {"between_tokens": "5m"}} | route,
        {"name": INSTANT, "targets": [{"provider": "instant", "model": "demo-chat"}]} | route,
        {"name": EMBEDDER, "targets": [{"provider": "builtin", "model": "all-MiniLM-L6-v2"}]},
    ]
    document["credentials"]["destinations"] = {
        name: {
            "base_url": url, "private_network": True, "allow_plain_http": True, "secret": f"{name.upper()}_KEY", "preset": "bearer",
            "limits": {"concurrency": 8192},
        }
        for name, url in (("paced", paced), ("instant", instant))
    }
    most = {"rpm": 1000000, "tpm": 1000000000, "concurrency": 10000}
    document["session"]["limits"] = {"per_user": most, "per_tenant": most}
    document["session"]["runaway"] = {"identical_calls": 100000, "window": "1m"}


LONG = "demo-tokens-250-tps-50"  # a stream of five seconds
IDLE = "demo-tokens-50-stall-1"  # a stream that falls silent


def placed(document: dict[str, Any], suite_document: dict[str, Any]) -> None:
    """The folders and ports that the test driver chose, in place of those for a first look."""
    document["suite"]["run_dir"] = suite_document["suite"]["run_dir"]
    document["suite"]["state_dir"] = suite_document["suite"]["state_dir"]
    document["suite"]["log_level"] = "warning"
    document["edge"]["listen"] = suite_document["edge"]["listen"]
    suite_document.clear()
    suite_document.update(document)


def config_hash(document: dict[str, Any]) -> str:
    """The same for the same settings, whatever folders and ports a run got."""
    settings = copy.deepcopy(document)
    for key in ("run_dir", "state_dir"):
        settings["suite"].pop(key, None)
    settings["edge"].pop("listen", None)
    for destination in settings["credentials"]["destinations"].values():
        destination.pop("base_url", None)
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


class Stand:
    """Two demo providers, started at once, and a suite in front of them, started when it is first asked for."""

    def __init__(self) -> None:
        self.paced = Provider("--latency", LATENCY)
        self.instant = Provider("--loops", "2")
        self._suite: Suite | None = None
        # What the measurement of chat leaves for the page.
        self.chat_table: list[dict[str, Any]] = []

    @property
    def suite(self) -> Suite:
        if self._suite is None:
            self._suite = self.fresh()
        return self._suite

    def fresh(self) -> Suite:
        """Another suite of the same settings, started; to be closed by who asked for it."""
        document = initial()
        wide(document, self.paced.url, self.instant.url)
        suite = Suite(self.instant, lambda made: placed(document, made))
        suite.secrets = {"PACED_KEY": "bench-secret-one", "INSTANT_KEY": "bench-secret-two"}
        return suite.begin()

    def first_look(self) -> Suite:
        """A suite that is not started, on the very settings of `bulkhead init`."""
        document = initial()
        return Suite(self.instant, lambda made: placed(document, made))

    def settings(self) -> str:
        document = initial()
        wide(document, "", "")
        document["suite"]["log_level"] = "warning"
        return config_hash(document)

    def close(self) -> None:
        if self._suite is not None:
            self._suite.close()
        self.paced.close()
        self.instant.close()


NGINX = """
daemon off;
worker_processes {workers};
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 64k;
    keepalive_requests 100000000;
    upstream provider {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


@dataclasses.dataclass
class Proxy:
    port: int
    process: subprocess.Popen[Any]

    def pids(self) -> list[int]:
        return [self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))]


@contextlib.contextmanager
def nginx(upstream: int, workers: int = 2) -> Iterator[Proxy]:
    """nginx as a reverse proxy with keep-alive on both sides."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not program:
        raise Failed("nginx is missing: deploy/setup/install.sh bench")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bn") as folder:
        path = Path(folder) / "nginx.conf"
        path.write_text(NGINX.format(folder=folder, port=port, upstream=upstream, workers=workers))
        process = start([program, "-p", folder, "-c", path, "-e", "stderr"], stderr=subprocess.DEVNULL)
        try:
            until(lambda: _accepts(port), 10, "nginx to listen")
            yield Proxy(port, process)
        finally:
            process.terminate()
            process.wait(10)


def _accepts(port: int) -> bool:
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def wrk(port: int, model: str, key: str, run: str, seconds: int, width: int = 32, threads: int = 2) -> dict[str, float]:
    """A closed loop of unique chat requests; every answer was a 200, else there is no figure."""
    if not shutil.which("wrk"):
        raise Failed("wrk is missing: deploy/setup/install.sh bench")
    done = subprocess.run(
        ["wrk", f"-t{threads}", f"-c{width}", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / "prompts.lua"), f"http://127.0.0.1:{port}", "--", model, key, run],
        capture_output=True, text=True, timeout=seconds + 60,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise Failed(f"wrk exited {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    told = json.loads(lines[-1])
    if told["failed"] or not told["requests"]:
        raise Failed(f"{told['failed']} of {told['requests']} requests failed")
    return told | {"rps": told["requests"] / (told["microseconds"] / 1e6)}


def moment() -> str:
    """A word no other run of this machine uses."""
    return format(time.time_ns() // 1000, "x")
