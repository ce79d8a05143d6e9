"""A PostgreSQL of the tests' own: data, Unix socket and port of its own, ended by its pid."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from suite import free_port, start, until

USER = "bulkhead"
ACCOUNT = "postgres"


def programs() -> Path | None:
    """The folder of the newest server's programs."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def as_server(words: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root; and a change of the account forgets the signal of the parent's death."""
    return ["setpriv", "--pdeathsig", "KILL", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", *words] if os.getuid() == 0 else words


def short_folder(prefix: str) -> Path:
    """A folder of the server's account with a path that a Unix socket can have."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    if os.getuid() == 0:
        entry = pwd.getpwnam(ACCOUNT)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


class PostgresServer:
    """A running server with fsync as a server has it, and one database of the user's name."""

    def __init__(self, disk: str | None = None, follows: PostgresServer | None = None, **settings: str) -> None:
        """With `disk` its folder is a file system of that size, e.g. `160m`, which takes root; with `follows` it is a standby of the
        other, which waits for it with every commit from then on."""
        self.folder, self.port, self.settings = short_folder("bhpg-"), free_port(), settings
        self.has_disk = disk is not None
        if disk is not None:
            entry = pwd.getpwnam(ACCOUNT)
            options = f"size={disk},mode=0700,uid={entry.pw_uid},gid={entry.pw_gid}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder], check=True)
        if follows is None:
            made = [str(programs() / "initdb"), "-D", f"{self.folder}/data", "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        else:
            made = [str(programs() / "pg_basebackup"), "-D", f"{self.folder}/data", "-R", "-c", "fast", "--no-sync", "-h", "127.0.0.1", "-p", str(follows.port), "-U", USER]
        subprocess.run(as_server(made), check=True, capture_output=True, cwd="/", timeout=60)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        if follows is not None:
            follows.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            follows.ask("SELECT pg_reload_conf()")
            until(lambda: follows.ask("SELECT sync_state FROM pg_stat_replication") == "sync", 20, "the standby to follow")

    @staticmethod
    def is_possible() -> bool:
        return programs() is not None

    @property
    def url(self) -> str:
        """Over the Unix socket; the database is there from the beginning."""
        return f"postgresql://{USER}@/postgres?host={self.folder}&port={self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Starts it and waits until it answers."""
        words = [str(programs() / "postgres"), "-D", f"{self.folder}/data", "-k", str(self.folder), "-p", str(self.port), "-h", "127.0.0.1", "-c", "max_connections=200"]
        for name, value in self.settings.items():
            words += ["-c", f"{name}={value}"]

        def answers() -> bool:
            # After a kill its children live on for a moment, and a new server refuses to start beside them.
            if self.process is None or self.process.poll() is not None:
                with open(self.folder / "log", "ab") as log:
                    self.process = start(as_server(words), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            return subprocess.run([str(programs() / "pg_isready"), "-q", "-h", str(self.folder), "-p", str(self.port)], check=False, cwd="/").returncode == 0

        until(answers, 20, "PostgreSQL to answer")

    def ask(self, sql: str, database: str = "postgres") -> str:
        """The answer as text without heads, columns between bars."""
        words = [str(programs() / "psql"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port), "-U", USER, "-d", database, "-c", sql]
        return subprocess.run(words, check=True, capture_output=True, text=True, cwd="/", timeout=30).stdout.strip()

    def pids(self) -> list[int]:
        """The server's and those of all it started; stop the server first, so that no more are started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to all of it: nothing is written any more."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGSTOP)
            for pid in reversed(self.pids()):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self.process = None

    def promote(self) -> None:
        """Makes a standby the one that is written to."""
        self.ask("SELECT pg_promote()")
        self.ask("ALTER SYSTEM RESET synchronous_standby_names")
        self.ask("SELECT pg_reload_conf()")

    def fill(self) -> None:
        """Its disk, to the last byte."""
        with contextlib.suppress(OSError), open(self.folder / "filler", "ab", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self) -> None:
        (self.folder / "filler").unlink()

    def close(self) -> None:
        self.kill()
        if self.has_disk:
            subprocess.run(["umount", "-l", self.folder], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def is_possible() -> bool:
    return PostgresServer.is_possible()
