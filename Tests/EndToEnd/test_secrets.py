"""A secret goes to its provider and nowhere else."""

import base64
import gzip
import os
import urllib.parse
from pathlib import Path

import psutil
import pytest

from suite import CHAT, SERVICES, Suite, prompt, until


class Canary:
    """A secret in the forms in which it could turn up."""

    def __init__(self, name: str, value: str) -> None:
        self.name, raw = name, value.encode()
        self.forms = {"as it is": raw, "hex": raw.hex().encode(), "percent": urllib.parse.quote(value, safe="").encode()}
        for shift in range(3):
            text = base64.b64encode(bytes(shift) + raw)
            # Without the ends, which depend on the neighbours.
            self.forms[f"base64 at {shift}"] = text[4:-4]

    def found_in(self, data: bytes) -> list[str]:
        return [form for form, wanted in self.forms.items() if wanted in data]


@pytest.fixture(scope="module")
def used(provider):
    """A suite that has stored, used, misused and reloaded its secrets, with the canaries to look for."""
    suite = Suite(provider)
    suite.secrets = {name: f"sk-{name.lower()}-canary/+{os.urandom(12).hex()}=" for name in suite.secrets}
    suite.document["suite"]["log_level"] = "trace"
    suite.begin()
    try:
        suite.replies = [
            suite.chat(), suite.chat("scribe", dialect="anthropic"), suite.chat("fail-401"), suite.chat("fail-400"), suite.chat("fail-500"), suite.chat("garbage"),
            suite.chat("reset"), suite.request("POST", CHAT, b"{"), suite.chat("nobody"), suite.request("GET", "/ready", key=None), suite.request("GET", "/metrics", key=None),
            suite.request("GET", "/v1/models"),
        ]
        suite.streams = [suite.stream(), suite.stream("error-5"), suite.stream("cut-5")]
        for service in SERVICES:
            suite.admin(service, "reload")
        suite.signal("credentials", 9)
        until(lambda: suite.chat().status == 200, 15, "credentials back")
        suite.canaries = [Canary(name, value) for name, value in suite.secrets.items()] + [Canary("the caller's key", suite.key)]
        yield suite
    finally:
        suite.close()


def assert_absent(suite: Suite, data: bytes, where: str) -> None:
    for canary in suite.canaries:
        assert canary.found_in(data) == [], f"{canary.name} is in {where}"


def test_the_provider_gets_the_secret_and_not_the_callers_key(used: Suite) -> None:
    text = prompt()
    assert used.chat(text=text).status == 200
    (record,) = used.provider.seen(text)
    # The demo provider does not record values of such headers: the answer of a provider that checks them is the proof.
    assert record["headers"]["authorization"] == "(not recorded)"
    assert used.key not in str(record)


def test_no_log_line_holds_it(used: Suite) -> None:
    assert len(used.log()) > 1000
    assert_absent(used, used.log_file.read_bytes(), "the log")


def test_no_file_holds_it_in_clear(used: Suite) -> None:
    files = [path for path in used.root.rglob("*") if path.is_file() and path != used.log_file]
    assert any("vault" in path.name for path in files)
    for path in files:
        data = path.read_bytes()
        assert_absent(used, data, str(path))
        if data[:2] == b"\x1f\x8b":
            assert_absent(used, gzip.decompress(data), str(path))


def test_no_answer_holds_it(used: Suite) -> None:
    for reply in used.replies:
        assert_absent(used, str(reply.headers).encode() + reply.body, f"the answer {reply.status}")
    for stream in used.streams:
        assert_absent(used, str(stream.headers).encode() + repr(stream.events).encode() + stream.body, "a stream")


def test_no_command_line_and_no_environment_holds_it(used: Suite) -> None:
    used.pids()
    for process in [psutil.Process(used.up.pid), *psutil.Process(used.up.pid).children(recursive=True)]:
        folder = Path(f"/proc/{process.pid}")
        assert_absent(used, (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes(), f"the start of {process.name()}")


def test_no_verb_tells_it(used: Suite) -> None:
    for service in SERVICES:
        for verb in (["status"], ["links"], ["config", "--effective"], ["breakers", "list"]):
            done = used.cli(service, *verb, "--json")
            assert_absent(used, (done.stdout + done.stderr).encode(), f"bulkhead-{service} {verb}")
    for verb in (["list"], ["doctor"], ["audit", "tail"], ["test", "OAI_KEY"], ["--help"]):
        done = used.cli("credentials", *verb) if verb != ["--help"] else used.run("bulkhead-credentials", *verb)
        assert_absent(used, (done.stdout + done.stderr).encode(), f"bulkhead-credentials {verb}")


def test_only_credentials_ever_has_it_in_memory(used: Suite) -> None:
    """The five others are searched whole: the secret of a provider never enters them."""
    secret = [canary for canary in used.canaries if canary.name in used.secrets]
    for service in (name for name in SERVICES if name != "credentials"):
        pid = used.pids()[service]
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(edge, 16) for edge in span.split("-"))
            try:
                with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                    memory.seek(start)
                    data = memory.read(end - start)
            except OSError:
                continue
            for canary in secret:
                assert canary.found_in(data) == [], f"{canary.name} is in the memory of {service}"


def test_the_vault_and_its_key_are_private(used: Suite) -> None:
    assert (used.root / "vault-key").stat().st_mode & 0o777 == 0o600
    for path in (used.root / "s" / "credentials").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
