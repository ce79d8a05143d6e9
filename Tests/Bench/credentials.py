"""Calls through the credentials process beside direct ones, in turns, to the same nginx with TLS; and the parts of a call."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

import load
from figures import Figure, Length, cpu, median
from load import Failed, quantile
from stand import Provider, Stand, Suite, free_port, initial, placed, start, until, wide
from suite import BIN

SIZES = {"1k": 1024, "64k": 64 << 10}
CONFIG = """
daemon off; worker_processes 2; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 100000000; default_type application/octet-stream;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    root {folder}/www;
    upstream provider {{ server 127.0.0.1:{provider}; keepalive 64; keepalive_requests 100000000; }}
    server {{ listen 127.0.0.1:{plain}; }}
    server {{
        listen 127.0.0.1:{secure} ssl; ssl_certificate {folder}/c.pem; ssl_certificate_key {folder}/c.key;
        location /v1/ {{ proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
    }}
}}
"""
SELF_SIGNED = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=bench -addext subjectAltName=IP:127.0.0.1".split()
EVENTS = {"model": "demo-tokens-20-tps-1000", "stream": True, "messages": [{"role": "user", "content": "Which knot holds two ropes?"}]}


class Upstream:
    """nginx: files on a plain port and on one with TLS, there also the demo provider's streams."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.folder, self.plain, self.secure = folder, free_port(), free_port()
        self.certificate, key = folder / "c.pem", folder / "c.key"
        folder.chmod(0o755)
        (folder / "www").mkdir()
        for path, size in SIZES.items():
            (folder / "www" / path).write_bytes(b"x" * size)
        subprocess.run([*SELF_SIGNED, "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        port = provider.url.rsplit(":", 1)[1]
        (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, plain=self.plain, secure=self.secure, provider=port))


@contextlib.contextmanager
def upstream(provider: Provider) -> Iterator[Upstream]:
    program = shutil.which("nginx", path="/usr/sbin:/sbin:/usr/bin")
    if not program:
        raise Failed("nginx is missing: deploy/setup/install.sh bench")
    with tempfile.TemporaryDirectory(prefix="bc") as folder:
        made = Upstream(Path(folder), provider)
        process = start([program, "-p", folder, "-c", f"{folder}/nginx.conf", "-e", "stderr"], stderr=subprocess.DEVNULL)
        try:
            until(lambda: _accepts(made.secure), 10, "nginx to listen")
            yield made
        finally:
            process.terminate()
            process.wait(10)


def _accepts(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


@contextlib.contextmanager
def suite(stand: Stand, up: Upstream) -> Iterator[Suite]:
    """A suite with a destination for each port, both with a secret."""

    def change(made: dict[str, Any]) -> None:
        document = initial()
        wide(document, stand.paced.url, stand.instant.url)
        shared = {"private_network": True, "preset": "bearer", "callers": ["edge"], "limits": {"concurrency": 8192}}
        document["credentials"]["egress"] = {"ca_file": str(up.certificate)}
        document["credentials"]["destinations"] |= {
            "plain": shared | {"base_url": f"http://127.0.0.1:{up.plain}", "allow_plain_http": True, "secret": "PLAIN_KEY"},
            "secure": shared | {"base_url": f"https://127.0.0.1:{up.secure}", "secret": "SECURE_KEY"},
        }
        placed(document, made)

    running = Suite(stand.instant, change)
    running.secrets = {name: f"bench-secret-of-{name.lower()}-0123" for name in ("PACED_KEY", "INSTANT_KEY", "PLAIN_KEY", "SECURE_KEY")}
    try:
        yield running.begin()
    finally:
        running.close()


def bench(*words: str | Path) -> Any:
    done = subprocess.run([str(BIN / "bulkhead-credentials-bench"), *map(str, words)], capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        raise Failed(f"bulkhead-credentials-bench {words[0]} failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def calls(running: Suite, destination: str, count: int, *options: str | Path) -> dict[str, Any]:
    return bench("calls", Path(running.document["suite"]["run_dir"]) / "credentials" / "ipc.sock", destination, "--count", str(count), *options)


def added(running: Suite, up: Upstream, length: Length, what: str, name: str, count: int, *options: str) -> list[Figure]:
    """What a call costs more than the same made directly: the two in turns, medians of the rounds."""
    direct = ["--direct", f"https://127.0.0.1:{up.secure}", "--ca", up.certificate]
    rounds = [calls(running, "secure", count, *options, *direct) for _ in range(length.rounds)]

    def of(way: str, share: str) -> float:
        return median([told[way][share] for told in rounds]) / 1000

    told = f"{what}, nginx with TLS, HTTP/1.1 kept alive; {count} calls in turns with as many direct ones by the same HTTP client, {length.rounds} rounds"
    figures = []
    for share in ("p50", "p99"):
        through, straight = of("through", f"{share}_us"), of("direct", f"{share}_us")
        figures.append(Figure(f"credential_{name}{share}_ms", round(through - straight, 3), "ms", f"{told}; {through:.3f} against {straight:.3f} ms"))
    return figures


def throughput(running: Suite, length: Length) -> Figure:
    count, width = 8000 * length.seconds, 64
    with cpu(lambda: {"credentials": [running.pids()["credentials"]]}) as used:
        rates = [count / calls(running, "plain", count, "--path", "/1k", "--in-flight", str(width))["seconds"] for _ in range(length.rounds)]
    each = used["credentials"] / (length.rounds * 1.1 * count) * 1e6  # a tenth is warm-up
    return Figure(
        "credential_calls_per_s", round(median(rates)), "1/s",
        f"GET of 1 KB with a bearer secret from nginx without TLS, {width} at once over one link, {count} calls, median of {length.rounds}; credentials uses {each:.0f} µs of CPU a call; every call is on record, its answer searched for the secret",
    )


def direct(up: Upstream, path: str, count: int) -> list[float]:
    """Milliseconds of each of `count` requests on one kept TLS connection."""
    context = ssl.create_default_context(cafile=str(up.certificate))
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()
    took = []
    with socket.create_connection(("127.0.0.1", up.secure)) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as line:
            for _ in range(count):
                answer = load.Answer(time.perf_counter())
                line.sendall(request)
                while not answer.feed(line.recv(262144)):
                    pass
                answer.check()
                took.append((time.perf_counter() - answer.due) * 1000)
    return took


def proxied(running: Suite, up: Upstream, length: Length) -> Figure:
    """The whole way of an application: edge, session, credentials."""
    count, key = 500 * length.seconds, running.new_key("--destinations", "secure")["key"]
    request = f"GET /v1/proxy/secure/1k HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\r\n".encode()
    load.closed_loop(running.port, [request] * 200)
    pairs = [(load.closed_loop(running.port, [request] * count)[0], direct(up, "/1k", count)) for _ in range(length.rounds)]
    through, straight = (median([quantile(pair[way], 0.5) for pair in pairs]) for way in (0, 1))
    return Figure(
        "credential_proxy_added_p50_ms", round(through - straight, 3), "ms",
        f"GET /v1/proxy/secure/1k through edge, keys on, and directly over TLS, by a Python client, {count} each on one connection, in turns, {length.rounds} rounds; {through:.3f} against {straight:.3f} ms",
    )


def parts() -> list[Figure]:
    redaction = bench("redaction")
    with tempfile.TemporaryDirectory(prefix="ba") as folder:
        audit = bench("audit", folder)
    return [
        Figure("redaction_64k_16_needles_us", round(redaction["took"]["p50_us"], 1), "us", f"64 KiB of text in one piece, the {redaction['needles']} forms of a key of 32 characters; p99 {redaction['took']['p99_us']:.0f} µs"),
        Figure("audit_call_us", round(audit["p50_us"], 1), "us", f"the two records of a call, decision and end: chained, authenticated, the first one written to the file; p99 {audit['p99_us']:.0f} µs"),
    ]


def measured(stand: Stand, length: Length) -> list[Figure]:
    with upstream(stand.instant) as up, suite(stand, up) as running:
        count = 500 * length.seconds
        figures = [
            *added(running, up, length, "GET of 1 KB", "added_", count, "--path", "/1k"),
            *added(running, up, length, "GET of 64 KB", "added_64k_", count, "--path", "/64k"),
            *added(running, up, length, "a stream of 20 events, one a millisecond, to its end", "added_sse_", 100 * length.seconds, "--path", "/v1/chat/completions", "--body", json.dumps(EVENTS)),
            throughput(running, length),
            proxied(running, up, length),
        ]
    return figures + parts()
