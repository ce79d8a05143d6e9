"""A provider of the dialect bedrock behind a server that checks AWS's signature, as AWS does, before it passes requests on."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import http.server
import threading
from typing import Any, Iterator
from urllib.parse import quote

import pytest

from suite import Provider, Suite, prompt

KEY, SECRET, REGION = "AKIDENDTOEND", "Zq7Pw9+Xx28/secret-of-the-access-key", "eu-central-1"


def expected(request: http.server.BaseHTTPRequestHandler, body: bytes) -> str:
    """`Authorization` by the rules of Signature Version 4, for the headers that the caller says he signed."""
    given = request.headers["Authorization"] or ""
    names = given.partition("SignedHeaders=")[2].partition(",")[0]
    path, _, query = request.path.partition("?")
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names.split(";"))
    whole = f"{request.command}\n{quote(path, safe='/~')}\n{query}\n{headers}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    time = request.headers["x-amz-date"]
    scope = f"{time[:8]}/{REGION}/bedrock/aws4_request"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
    return f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={hmac.new(key, text.encode(), 'sha256').hexdigest()}"


class Gate(http.server.BaseHTTPRequestHandler):
    """Passes requests with a right signature on to the provider."""

    protocol_version = "HTTP/1.1"
    provider: Provider
    verdicts: list[bool]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_right = "x-amz-date" in self.headers and self.headers["Authorization"] == expected(self, body)
        self.verdicts.append(is_right)
        status, kind, answer = 403, "application/json", b'{"message":"The request signature does not match ' + SECRET.encode() + b'"}'
        if is_right:
            onward = http.client.HTTPConnection("127.0.0.1", self.provider.port, timeout=10)
            onward.request("POST", self.path, body, {"Content-Type": "application/json"})
            got = onward.getresponse()
            status, kind, answer = got.status, got.headers["Content-Type"], got.read()
            onward.close()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *words: Any) -> None:
        pass


@pytest.fixture(scope="module")
def gate(provider: Provider) -> Iterator[type[Gate]]:
    handler = type("OneGate", (Gate,), {"provider": provider, "verdicts": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    setattr(handler, "port", server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def gateway(provider: Provider, gate: Any) -> Iterator[Suite]:
    def change(document: dict[str, Any]) -> None:
        document["credentials"]["destinations"]["aws"] = {
            "base_url": f"http://127.0.0.1:{gate.port}", "private_network": True, "allow_plain_http": True,
            "secret": "AWS_KEY", "preset": "aws-sigv4", "region": REGION,
        }
        document["router"]["providers"].append({"name": "aws", "destination": "aws", "dialect": "bedrock", "serve": "listed"})
        document["router"]["models"].append({"name": "signed", "targets": [{"provider": "aws", "model": "demo.bedrock-v1:0"}]})

    suite = Suite(provider, change)
    try:
        suite.secrets = {**suite.secrets, "AWS_KEY": f"{KEY}:{SECRET}"}
        yield suite.begin()
    finally:
        suite.close()


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_requests_to_bedrock_are_signed(gateway: Suite, gate: Any, streams: bool) -> None:
    gate.verdicts.clear()
    text = prompt("signatures – with more than ASCII: ü")
    if streams:
        stream = gateway.stream("signed", text)
        assert text in stream.text and stream.is_finished and stream.error is None, str(stream)
    else:
        answer = gateway.chat("signed", text)
        assert answer.status == 200 and text in answer.text, str(answer)
    assert gate.verdicts == [True], gate.verdicts


def test_a_wrong_key_is_refused_without_being_shown(gateway: Suite, gate: Any) -> None:
    gateway.store("AWS_KEY", f"{KEY}:another-secret-key-of-some-length")
    answer = gateway.chat("signed", prompt("refusals"))
    assert answer.status >= 400 and gate.verdicts[-1] is False, str(answer)
    assert b"another-secret" not in answer.body and "another-secret" not in gateway.log()
    gateway.store("AWS_KEY", f"{KEY}:{SECRET}")
