"""A proxy that wants a login: a stored secret like any other, and never in the configuration."""

import base64
import contextlib
import socket
import socketserver
import threading
from typing import Iterator

import pytest

from suite import Suite, until

LOGIN = "proxy-user:proxy-password-of-ours"


class Proxy(socketserver.ThreadingTCPServer):
    """Opens a way to any place for who shows the login."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.heads: list[str] = []
        super().__init__(("127.0.0.1", 0), Tunnel)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Tunnel(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(4096)
            if not piece:
                return
            head += piece
        text = head.decode()
        self.server.heads.append(text)
        if f"Proxy-Authorization: Basic {base64.b64encode(LOGIN.encode()).decode()}\r\n" not in text:
            self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        host, port = text.split()[1].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as origin:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.copy, args=(origin, self.request), daemon=True)
            back.start()
            self.copy(self.request, origin)
            back.join()

    @staticmethod
    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def behind(provider) -> Iterator[tuple[Suite, Proxy]]:
    proxy = Proxy()
    suite = Suite(provider, lambda document: document["credentials"].update(egress={"proxy": proxy.url, "proxy_secret": "PROXY_LOGIN"}))
    try:
        suite.launch()
        until(lambda: suite.cli("credentials", "status").returncode == 0, 30, "credentials to run")
        for name, value in suite.secrets.items():
            suite.store(name, value)
        yield suite, proxy
    finally:
        suite.close()
        proxy.shutdown()
        proxy.server_close()


def test_the_login_of_a_proxy_is_a_stored_secret(behind: tuple[Suite, Proxy]) -> None:
    suite, proxy = behind
    until(lambda: suite.chat().status == 503, 20, "a chat without the proxy's login")
    assert not proxy.heads, "nothing goes out without it"
    checked = suite.cli("credentials", "check")
    assert checked.returncode != 0 and "proxy_secret" in checked.stdout + checked.stderr, checked
    doctor = suite.cli("credentials", "doctor")
    assert doctor.returncode != 0 and "egress proxy" in doctor.stdout and "PROXY_LOGIN" in doctor.stdout, doctor

    suite.store("PROXY_LOGIN", LOGIN)
    suite.wait_well(20)
    assert suite.chat().status == 200
    assert proxy.heads and all(LOGIN not in head for head in proxy.heads)
    assert suite.cli("credentials", "check").returncode == 0
    assert LOGIN.split(":")[1] not in suite.log() + suite.config.read_text()


def test_a_login_in_the_proxys_url_is_refused(behind: tuple[Suite, Proxy]) -> None:
    suite, proxy = behind
    suite.document["credentials"]["egress"] = {"proxy": proxy.url.replace("//", f"//{LOGIN}@")}
    suite.write()
    checked = suite.cli("credentials", "check")
    told = checked.stdout + checked.stderr
    assert checked.returncode != 0 and "proxy_secret" in told and "proxy-password" not in told, checked
