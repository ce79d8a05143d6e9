"""A network of the test's own: addresses that look public, a name server that lies, and whoever is started in it.

A thread moves into new network and mount namespaces; sockets it makes and processes it starts live there. Unix sockets do not
care, so that a test outside can speak to the suite inside.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
PUBLIC, SECOND = "93.184.216.34", "93.184.216.35"
"""Two addresses of the internet, which in this network are the machine itself."""


def is_possible() -> bool:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run(["unshare", "-m", "-n", "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0


class NameServer:
    """Answers A and AAAA. `names` maps a name to its answers, one list of addresses (or a CNAME target, or "servfail", or
    "silent") for each query of a kind; the last is kept."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.asked: list[tuple[str, int]] = []
        self._turn: dict[tuple[str, int], int] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def set(self, name: str, *answers: list[str]) -> None:
        self.names[name] = list(answers)
        for kind in (1, 28):
            self._turn.pop((name, kind), None)

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            with contextlib.suppress(Exception):
                reply = self._reply(query)
                if reply:
                    self._socket.sendto(reply, peer)

    @staticmethod
    def _name(text: str) -> bytes:
        return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"

    def _reply(self, query: bytes) -> bytes | None:
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12 : at + 5]
        name, (kind,) = ".".join(labels).lower(), struct.unpack(">H", query[at + 1 : at + 3])
        self.asked.append((name, kind))
        turns = self.names.get(name)
        if turns is None:
            return query[:2] + b"\x81\x83" + b"\0\1\0\0\0\0\0\0" + question
        turn = self._turn.get((name, kind), 0)
        self._turn[name, kind] = turn + 1
        told = turns[min(turn, len(turns) - 1)]
        if told == ["silent"]:
            return None
        if told == ["servfail"]:
            return query[:2] + b"\x81\x82" + b"\0\1\0\0\0\0\0\0" + question
        records = []
        owner = name
        for value in told:
            head = self._name(owner)
            if value[0].isalpha() and ":" not in value:
                data = self._name(value)
                records.append(head + struct.pack(">HHIH", 5, 1, 0, len(data)) + data)
                owner = value
            elif (":" in value) == (kind == 28):
                data = socket.inet_pton(socket.AF_INET6 if ":" in value else socket.AF_INET, value)
                records.append(head + struct.pack(">HHIH", kind, 1, 0, len(data)) + data)
        return query[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, len(records), 0, 0) + question + b"".join(records)


class Netspace:
    """The network, its name server as `dns`, and a thread that lives in it."""

    def __init__(self) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self.folder = Path(tempfile.mkdtemp(prefix="bhns"))
        self.dns: NameServer = self.run(self._move)

    def run(self, work: Callable[[], Any], seconds: float = 60) -> Any:
        """Does something inside."""
        return self._pool.submit(work).result(seconds)

    def _move(self) -> NameServer:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        contents = {"hosts": "127.0.0.1 localhost\n", "resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n", "nsswitch.conf": "hosts: files dns\n"}
        for name, text in contents.items():
            (self.folder / name).write_text(text)
            if not Path("/etc", name).exists():
                continue
            subprocess.run(["mount", "--bind", str(self.folder / name), f"/etc/{name}"], check=True)
        for words in (["link", "set", "lo", "up"], ["addr", "add", f"{PUBLIC}/32", "dev", "lo"], ["addr", "add", f"{SECOND}/32", "dev", "lo"], ["addr", "add", "169.254.169.254/32", "dev", "lo"]):
            subprocess.run(["ip", *words], check=True)
        return NameServer()

    def close(self) -> None:
        self.dns.close()
        self._pool.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)
