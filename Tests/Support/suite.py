"""Runs real suites for the tests: the demo provider, `bulkhead up`, its six services, and clients of them.

Everything happens in a short temporary folder on free ports. Nothing waits by sleeping: `until` looks again and again and
says what it missed. Processes are signalled by pid only, and only those that a suite of this run has started.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import http.client
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import psutil
import yaml

import stores

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("BULKHEAD_BIN_DIR", ROOT / ".build" / "release"))
SERVICES = ("edge", "router", "retrieval", "session", "credentials", "telemetry")
CHAT, MESSAGES, EMBEDDINGS = "/v1/chat/completions", "/v1/messages", "/v1/embeddings"
ANTHROPIC = {"anthropic-version": "2023-06-01"}
RUNNING: list["Suite"] = []

_numbers = itertools.count(1)


def until(look: Callable[[], Any], seconds: float, what: str | Callable[[], str], every: float = 0.02) -> Any:
    """Looks until the result is true, and returns it; errors mean not yet. Fails with the last thing seen, and with `what`,
    which may be made only then."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen = look()
            if seen:
                return seen
        except Exception as error:  # what is not there yet fails in many ways
            seen = repr(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}; last seen: {seen!r}")
        time.sleep(every)


def prompt(about: str = "ropes") -> str:
    """A text no cache has seen."""
    return f"{about} {next(_numbers)}-{secrets.token_hex(4)}"


def free_port() -> int:
    """Below those that the system hands out itself: a service that is started again finds it free."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", 20_000 + secrets.randbelow(12_000)))
            return probe.getsockname()[1]


def environment(home: Path) -> dict[str, str]:
    """What a process of a suite sees: nothing of the developer's keys, proxies or settings."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "BULKHEAD_FAILPOINTS")}
    return kept | {"HOME": str(home), "LANG": "C.UTF-8", "BULKHEAD_BIN_DIR": str(BIN)}


def start(command: list[str | Path], **options: Any) -> subprocess.Popen[Any]:
    """A process that ends when this one does, however that ends."""
    words = [str(word) for word in command]
    if shutil.which("setpriv"):
        words = ["setpriv", "--pdeathsig", "TERM", "--", *words]
    return subprocess.Popen(words, start_new_session=True, **options)


# The demo provider


class Provider:
    """A running `bulkhead-demo-provider`."""

    def __init__(self, *options: str) -> None:
        self.process = start([BIN / "bulkhead-demo-provider", "--listen", "127.0.0.1:0", "--announce", *options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert "listening on http://" in line, f"the demo provider announced {line!r}"
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            told = json.loads(answer.read())
            assert answer.status == 200, told
            return told

    def seen(self, text: str) -> list[dict[str, Any]]:
        """The requests whose body holds `text`."""
        return [record for record in self.call("GET", "/_requests") if text in json.dumps(record["body"], ensure_ascii=False)]

    def counters(self) -> dict[str, Any]:
        return self.call("GET", "/_counters")

    def script(self, model: str, *steps: str) -> None:
        """The next requests for `model` take these steps."""
        self.call("POST", "/_script", {"model": model, "steps": list(steps)})

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


# Answers


@dataclasses.dataclass
class Reply:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise AssertionError(f"not JSON: {self}") from None

    @property
    def text(self) -> str:
        """What the model said."""
        told = self.json
        if "choices" in told:
            return told["choices"][0]["message"]["content"]
        return "".join(block.get("text", "") for block in told["content"])

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]

    @property
    def degraded(self) -> set[str]:
        return set(filter(None, (self.headers.get("x-bulkhead-degraded") or "").split(",")))

    def __str__(self) -> str:
        shown = {name: value for name, value in self.headers.items() if name.startswith(("x-", "retry", "idem"))}
        return f"{self.status} after {self.seconds * 1000:.0f} ms {shown} {self.body[:500]!r}"


@dataclasses.dataclass
class Stream:
    """A streamed answer: its events as (name, data)."""

    status: int
    headers: http.client.HTTPMessage
    events: list[tuple[str | None, Any]] = dataclasses.field(default_factory=list)
    body: bytes = b""
    ended: str = "open"  # complete: the HTTP message ended well; or how it broke

    @property
    def text(self) -> str:
        parts = []
        for _, data in self.events:
            if isinstance(data, dict):
                parts += [(choice.get("delta") or {}).get("content") or "" for choice in data.get("choices") or []]
                if data.get("type") == "content_block_delta":
                    parts.append(data["delta"].get("text", ""))
        return "".join(parts)

    @property
    def is_terminated(self) -> bool:
        return any(data == "[DONE]" or name == "message_stop" for name, data in self.events)

    @property
    def error(self) -> dict[str, Any] | None:
        found = [data["error"] for _, data in self.events if isinstance(data, dict) and data.get("error")]
        return found[0] if found else None

    @property
    def is_finished(self) -> bool:
        """Whether it claims that the answer is complete."""
        for _, data in self.events:
            if isinstance(data, dict):
                if any(choice.get("finish_reason") for choice in data.get("choices") or []):
                    return True
                if data.get("type") == "message_delta" and data["delta"].get("stop_reason"):
                    return True
        return False

    def __str__(self) -> str:
        return f"{self.status} {self.ended}, {len(self.events)} events, text {self.text[:80]!r}, error {self.error}, terminated {self.is_terminated}, {self.body[:300]!r}"


# The suite


def configuration(root: Path, port: int, provider: Provider) -> dict[str, Any]:
    """A suite in front of the demo provider: as two providers with a secret each, and one without."""

    def destination(secret: str | None = None, preset: str = "bearer") -> dict[str, Any]:
        plain = {"base_url": provider.url, "private_network": True}
        return plain | ({"allow_plain_http": True, "secret": secret, "preset": preset} if secret else {})

    route: dict[str, Any] = {
        "timeouts": {"connect": "1s", "first_token": "1500ms", "between_tokens": "1500ms", "total": "20s"},
        "retry": {"tries_per_target": 2, "max_tries": 4, "base": "20ms", "max": "500ms"},
        "on_stream_break": "error",
    }

    def model(name: str, *targets: str, **more: Any) -> dict[str, Any]:
        pairs = [target.split("/") for target in targets]
        return {"name": name, "targets": [{"provider": p, "model": m} for p, m in pairs]} | route | more

    faults = ("fail-400", "fail-401", "fail-404", "fail-429", "fail-429-retry-30s", "fail-500", "fail-503", "slow-4s", "stall", "reset", "cut", "end", "garbage")
    faults += ("cut-5", "end-5", "error-5", "garbage-5", "reset-5", "stall-5")
    return {
        "suite": {"environment": "dev", "run_dir": str(root / "r"), "state_dir": str(root / "s")},
        "edge": {"listen": f"127.0.0.1:{port}", "auth": {"mode": "keys"}, "max_json": "1MiB"},
        "router": {
            "providers": [
                {"name": "oai", "destination": "oai", "dialect": "openai", "serve": "listed"},
                {"name": "ant", "destination": "ant", "dialect": "anthropic", "serve": "listed"},
                {"name": "open", "destination": "open", "dialect": "openai", "serve": "listed"},
                {"name": "builtin", "dialect": "builtin"},
            ],
            "models": [
                model("assistant", "oai/demo-chat"),
                model("scribe", "ant/demo-claude"),
                model("open", "open/demo-open"),
                model("slowly", "oai/demo-tokens-400-tps-20"),
                model("slowly-anthropic", "ant/demo-tokens-400-tps-20"),
                model("quiet", "oai/demo-tokens-50-stall-2", timeouts={"first_token": "30s", "between_tokens": "30s", "total": "60s"}),
                model("pair", "oai/demo-fail-500", "ant/demo-second"),
                model("sheltered", "oai/demo-fail-503", fallbacks=["target", "answer"], fallback_answer="Later, please."),
                model("vectors", "oai/demo-embed"),
                model("local-vectors", "builtin/all-MiniLM-L6-v2"),
                *(model(fault, f"oai/demo-{fault}") for fault in faults),
            ],
            # Wide: the failures of one test are not to open a circuit in another.
            "breaker": {"failures": 1000, "failure_ratio": 1.0, "min_requests": 1000, "open_for": "1s"},
        },
        "session": {
            "limits": {"per_user": {"rpm": 1000000, "tpm": 100000000, "concurrency": 1000}, "per_tenant": {"rpm": 1000000, "tpm": 100000000, "concurrency": 1000}},
            "runaway": {"identical_calls": 100000, "window": "1m"},
        },
        "credentials": {
            "vault": {"key_file": str(root / "vault-key")},
            "destinations": {
                "oai": destination("OAI_KEY", "openai"),
                "ant": destination("ANT_KEY", "anthropic"),
                "open": destination(),
            },
        },
    }


class Suite:
    """`bulkhead up` and its services, on a configuration of their own."""

    def __init__(self, provider: Provider, change: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.provider = provider
        self.root = Path(tempfile.mkdtemp(prefix="bh"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = self.root / "bulkhead.yaml"
        self.pids_file = self.root / "pids.json"
        self.log_file = self.root / "log"
        self.document = configuration(self.root, self.port, provider)
        self._stores = stores.of_environment()
        if self._stores is not None:
            self.document["suite"]["stores"] = self._stores.settings
        if change:
            change(self.document)
        self.secrets = {"OAI_KEY": f"sk-oai-{secrets.token_hex(16)}", "ANT_KEY": f"sk-ant-{secrets.token_hex(16)}"}
        self.up: subprocess.Popen[bytes] | None = None
        self._started: dict[int, float] = {}
        self._key: str | None = None

    # Life

    def write(self) -> None:
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False, width=1000))

    def launch(self, *options: str) -> "Suite":
        """Starts `bulkhead up` and does not wait."""
        self.write()
        with open(self.log_file, "ab") as log:
            self.up = start(
                [BIN / "bulkhead", "up", "--config", self.config, "--pids", self.pids_file, *options],
                cwd=self.root, env=environment(self.root), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        RUNNING.append(self)
        return self

    def begin(self, lacks_secrets: bool = False) -> "Suite":
        """Starts, stores the secrets, and returns when all is well; `lacks_secrets`: there are destinations that stay without one,
        so that credentials says it is degraded."""
        try:
            self.launch()
            self._await(lambda: self.cli("credentials", "status").returncode == 0, 30, "credentials to run")
            for name, value in self.secrets.items():
                self.store(name, value)
            if lacks_secrets:
                self._await(lambda: self.ready()["degraded"] == ["credentials"], 30, "GET /ready to find credentials degraded alone")
            else:
                self.wait_well(30)
        except BaseException:
            self.close()
            raise
        return self

    def _await(self, look: Callable[[], Any], seconds: float, what: str) -> None:
        def alive() -> Any:
            return "ended" if self.up.poll() is not None else look()

        if until(alive, seconds, lambda: f"{what}; log: {self.tail()}", every=0.05) == "ended":
            raise AssertionError(f"`bulkhead up` ended with {self.up.returncode} before {what}: {self.tail()}")

    def wait_well(self, seconds: float = 10) -> None:
        """Until all six are ready and nothing is degraded."""
        self._await(lambda: self.ready()["status"] == "ready", seconds, "GET /ready to say ready")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30) -> None:
        """Asks the suite to end; it must exit 0 and leave nothing behind."""
        self._note()
        self.up.send_signal(number)
        code = self.up.wait(seconds)
        assert code == 0, f"`bulkhead up` ended with {code}: {self.tail()}"
        assert self.alive() == [], f"processes are left: {self.alive()}"

    def close(self) -> None:
        """Ends whatever still runs, and removes the folder."""
        self._note()
        for number in (signal.SIGCONT, signal.SIGTERM):
            if self.up is not None and self.up.poll() is None:
                self.up.send_signal(number)
        for pid in self.alive():
            self._signal(pid, signal.SIGCONT)
        if self.up is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.up.wait(15)
        for pid in self.alive():
            self._signal(pid, signal.SIGKILL)
        if self.up is not None and self.up.poll() is None:
            self.up.kill()
            self.up.wait(5)
        if self in RUNNING:
            RUNNING.remove(self)
        if self._stores is not None:
            self._stores.close()
        if not os.environ.get("BULKHEAD_KEEP"):
            shutil.rmtree(self.root, ignore_errors=True)

    # Processes

    def _note(self) -> None:
        """Remembers the pids of this suite with their start times: a pid may come to belong to somebody else."""
        if self.up is None:
            return
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.up.pid).children(recursive=True):
                self._started.setdefault(process.pid, process.create_time())

    def alive(self) -> list[int]:
        return [pid for pid in self._started if self.lives(pid)]

    def lives(self, pid: int) -> bool:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            return process.create_time() == self._started.get(pid) and process.status() != psutil.STATUS_ZOMBIE
        return False

    def _signal(self, pid: int, number: int) -> None:
        if self.lives(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def pids(self) -> dict[str, int]:
        """Service to pid, all six alive."""
        self._note()
        told = json.loads(self.pids_file.read_text())
        assert set(SERVICES) <= set(told), told
        for name in SERVICES:
            assert self.lives(told[name]), f"{name} ({told[name]}) does not live"
        return told

    def signal(self, service: str, number: int) -> int:
        """Sends a signal to a service; gives its pid."""
        pid = until(self.pids, 15, "six living services")[service]
        os.kill(pid, number)
        return pid

    @contextlib.contextmanager
    def down(self, *services: str) -> Iterator[None]:
        """`services` killed, and not restarted before the end of the block."""
        until(self.pids, 15, "six living services")
        self.up.send_signal(signal.SIGSTOP)
        try:
            told = json.loads(self.pids_file.read_text())
            for service in services:
                self._signal(told[service], signal.SIGKILL)
            until(lambda: not any(self.lives(told[service]) for service in services), 5, f"the end of {services}")
            yield
        finally:
            self.up.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def frozen(self, service: str) -> Iterator[None]:
        """`service` stopped (SIGSTOP) until the end of the block."""
        pid = self.signal(service, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(pid, signal.SIGCONT)

    def wait_restarted(self, service: str, old: int, seconds: float = 15) -> float:
        """Until another process serves; gives the moment it was seen."""
        until(lambda: self.pids()[service] != old, seconds, f"{service} to be started again", every=0.01)
        return time.monotonic()

    # What they say

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

    def run(self, program: str, *words: str, input: str = "", seconds: float = 20) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / program), *words], cwd=self.root, env=environment(self.root), input=input, capture_output=True, text=True,
            errors="replace", timeout=seconds,
        )

    def cli(self, service: str, *words: str, input: str = "", seconds: float = 20) -> subprocess.CompletedProcess[str]:
        """A verb of `bulkhead-<service>` on this suite's configuration."""
        return self.run(f"bulkhead-{service}", *words, "--config", str(self.config), input=input, seconds=seconds)

    def admin(self, service: str, *words: str) -> Any:
        """A verb with --json, which must succeed and print nothing but JSON."""
        done = self.cli(service, *words, "--json")
        assert done.returncode == 0, f"bulkhead-{service} {words} exited {done.returncode}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def store(self, name: str, value: str) -> None:
        done = self.cli("credentials", "set", name, "--stdin", input=value + "\n")
        assert done.returncode == 0, f"set {name} exited {done.returncode}: {done.stdout}{done.stderr}"

    def new_key(self, *options: str, tenant: str = "acme") -> dict[str, Any]:
        made = self.admin("session", "keys", "create", "--tenant", tenant, *options)
        assert made["key"].startswith("bh_"), made
        return made

    @property
    def key(self) -> str:
        """A key for whoever needs just one."""
        if self._key is None:
            self._key = self.new_key()["key"]
        return self._key

    def links(self, service: str) -> dict[str, dict[str, Any]]:
        return {entry["link"]["peer"]: entry["link"] for entry in self.admin(service, "links")}

    def served(self, service: str) -> int:
        """Calls a service has served on its socket, those for metrics and health aside."""
        calls = self.admin(service, "status")["server"]["calls"]
        return sum(count for method, count in calls.items() if "etrics" not in method)

    # Requests

    def request(self, method: str, path: str, body: Any = None, key: str | None = "", headers: dict[str, str] | None = None, seconds: float = 15) -> Reply:
        """One request. `key` None: without one. `body`: JSON, or bytes as they are."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        sent = {"content-type": "application/json"} if data is not None else {}
        if key is not None:
            sent["authorization"] = f"Bearer {key or self.key}"
        began = time.monotonic()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)) as connection:
            connection.request(method, path, data, sent | (headers or {}))
            answer = connection.getresponse()
            whole = answer.read()
            return Reply(answer.status, answer.msg, whole, time.monotonic() - began)

    def ready(self) -> dict[str, Any]:
        return self.request("GET", "/ready", key=None, seconds=3).json

    def body(self, model: str, text: str, dialect: str = "openai", **more: Any) -> dict[str, Any]:
        limit = {"max_tokens": 500} if dialect == "anthropic" else {}
        return {"model": model, "messages": [{"role": "user", "content": text}]} | limit | more

    def chat(self, model: str = "assistant", text: str | None = None, dialect: str = "openai", key: str | None = "", headers: dict[str, str] | None = None, seconds: float = 15, **more: Any) -> Reply:
        path = CHAT if dialect == "openai" else MESSAGES
        return self.request("POST", path, self.body(model, text or prompt(), dialect, **more), key, headers, seconds)

    def stream(
        self, model: str = "assistant", text: str | None = None, dialect: str = "openai", key: str | None = "", seconds: float = 15,
        on_event: Callable[[Stream], bool | None] | None = None, **more: Any,
    ) -> Stream:
        """One streamed chat, read to its end, or until `on_event` says true: then the client leaves."""
        path = CHAT if dialect == "openai" else MESSAGES
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)) as connection:
            connection.request(
                "POST", path, json.dumps(self.body(model, text or prompt(), dialect, stream=True, **more)),
                {"content-type": "application/json", "authorization": f"Bearer {key or self.key}"},
            )
            answer = connection.getresponse()
            stream = Stream(answer.status, answer.msg)
            if "event-stream" not in (answer.msg.get("content-type") or ""):
                stream.body = answer.read()
                return stream
            try:
                for name, data in _events(answer):
                    stream.events.append((name, data))
                    if on_event and on_event(stream):
                        stream.ended = "left"
                        return stream
                stream.ended = "complete"
            except (http.client.HTTPException, OSError) as error:
                stream.ended = f"broken: {error!r}"
            return stream

    def openai(self, **options: Any) -> Any:
        import openai

        return openai.OpenAI(base_url=f"{self.url}/v1", **({"api_key": self.key, "timeout": 20} | options))

    def anthropic(self, **options: Any) -> Any:
        import anthropic

        return anthropic.Anthropic(base_url=self.url, **({"api_key": self.key, "timeout": 20} | options))


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str | None, Any]]:
    """The server-sent events of an answer; data that is JSON is parsed."""
    name, data = None, []
    while line := answer.readline():
        line = line.rstrip(b"\r\n")
        if line.startswith(b"event:"):
            name = line[6:].strip().decode()
        elif line.startswith(b"data:"):
            data.append(line[5:].strip())
        elif not line and data:
            whole = b"\n".join(data).decode()
            try:
                yield name, json.loads(whole)
            except ValueError:
                yield name, whole
            name, data = None, []


@atexit.register
def _close_all() -> None:
    for suite in list(RUNNING):
        suite.close()
