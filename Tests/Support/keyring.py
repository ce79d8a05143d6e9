"""A real keyring of its own: a private D-Bus that starts nobody by itself, and gnome-keyring-daemon on it, without a display."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil

from suite import start, until

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_type="method_call"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow send_type="signal"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow own="org.freedesktop.secrets"/>
    <allow own="org.gnome.keyring"/>
  </policy>
</busconfig>
"""


class Keyring:
    """A bus and, once `unlock` was called, a keyring on it. Use it in a `with` block."""

    def __init__(self, password: str = "correct horse") -> None:
        self.root = Path(tempfile.mkdtemp(prefix="bk"))
        self.password = password
        self.address = f"unix:path={self.root}/bus"
        self.bus: subprocess.Popen[bytes] | None = None
        self.daemon: subprocess.Popen[bytes] | None = None
        (self.root / "bus.conf").write_text(BUS.format(path=self.root / "bus"))

    def __enter__(self) -> "Keyring":
        return self

    def __exit__(self, *_: object) -> None:
        self.end_daemon()
        self.end_bus()
        shutil.rmtree(self.root, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "TZ")}
        return kept | {"HOME": str(self.root), "XDG_RUNTIME_DIR": str(self.root), "LANG": "C.UTF-8", "DBUS_SESSION_BUS_ADDRESS": self.address}

    def start_bus(self) -> "Keyring":
        (self.root / "bus").unlink(missing_ok=True)
        self.bus = start(["dbus-daemon", f"--config-file={self.root}/bus.conf", "--nofork", "--nopidfile"], env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until((self.root / "bus").exists, 10, "the bus")
        return self

    def unlock(self, password: str | None = None) -> "Keyring":
        """Starts the daemon with a password; a wrong one leaves it running and locked."""
        if self.bus is None:
            self.start_bus()
        with open(self.root / "daemon.log", "ab") as log:
            self.daemon = start(
                ["gnome-keyring-daemon", "--foreground", "--unlock", "--replace", "--components=secrets"], env=self.environment(),
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )
        self.daemon.stdin.write((self.password if password is None else password).encode())
        self.daemon.stdin.close()
        until(self.is_owned, 10, lambda: f"the keyring on the bus: {(self.root / 'daemon.log').read_text()}")
        return self

    def call(self, path: str, member: str, *words: str) -> str:
        destination = "org.freedesktop.DBus" if path == "/org/freedesktop/DBus" else "org.freedesktop.secrets"
        done = subprocess.run(
            ["dbus-send", f"--bus={self.address}", "--print-reply", f"--dest={destination}", path, member, *words],
            env=self.environment(), capture_output=True, text=True, timeout=10,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def is_owned(self) -> bool:
        return "true" in self.call("/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets")

    def lock(self) -> None:
        """Locks the collection, as a screen saver does."""
        alias = self.call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.ReadAlias", "string:default")
        collection = alias.split('object path "')[1].split('"')[0]
        self.call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock", f"array:objpath:{collection}")

    def kill(self) -> None:
        """The daemon crashes."""
        self._end(self.daemon, signal.SIGKILL)
        self.daemon = None

    @contextlib.contextmanager
    def mute(self):
        """The daemon owns its name and answers nothing."""
        os.kill(self.daemon_pid(), signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.daemon_pid(), signal.SIGCONT)

    def daemon_pid(self) -> int:
        return self.daemon.pid

    def end_daemon(self) -> None:
        self._end(self.daemon, signal.SIGTERM)
        self.daemon = None

    def end_bus(self) -> None:
        self._end(self.bus, signal.SIGTERM)
        self.bus = None

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None, number: int) -> None:
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, psutil.Error):
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    def files(self) -> list[Path]:
        """What the keyring keeps on disk."""
        return [path for path in (self.root / ".local/share/keyrings").rglob("*") if path.is_file()]
