"""A Redis of the test's own, on a Unix socket, without its client: commands are few and written by hand."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from pathlib import Path

from suite import start, until


class RedisServer:
    """A running redis-server that keeps its dump in `folder`, as plain as it can be: what is in it can be found."""

    def __init__(self, folder: Path) -> None:
        self.socket, self.dump = folder / "redis.sock", folder / "dump.rdb"
        words = ["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", folder, "--save", "", "--appendonly", "no", "--rdbcompression", "no"]
        self.process = start(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.command("PING") == b"+PONG", 10, "redis-server to answer")

    @staticmethod
    def is_possible() -> bool:
        return shutil.which("redis-server") is not None

    @property
    def pid(self) -> int:
        return self.process.pid

    def command(self, *words: str | bytes) -> bytes:
        """The first line of the answer."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(10)
            connection.connect(str(self.socket))
            parts = [word if isinstance(word, bytes) else word.encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            with connection.makefile("rb") as answer:
                return answer.readline().rstrip()

    def statistics(self) -> str:
        """INFO commandstats: which commands were ever sent."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(10)
            connection.connect(str(self.socket))
            connection.sendall(b"INFO commandstats\r\n")
            with connection.makefile("rb") as answer:
                return answer.read(int(answer.readline()[1:])).decode()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
