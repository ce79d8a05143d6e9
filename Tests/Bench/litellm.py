"""LiteLLM as a contestant: in an environment of its own that is thrown away, on a loopback of its own, without anybody's secrets."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import fcntl
import http.client
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import psutil

from load import Failed
from stand import INSTANT, PACED, Provider, free_port, start, until

VERSION = "1.82.6"
_CLONE_NEWNET, _SIOCSIFFLAGS, _IFF_UP = 0x40000000, 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """A network namespace with nothing but a loopback. Without the right to make one, `is_apart` is false and the block runs where it is."""

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._apart = -1
        # Of this thread, and of what it starts from now on.
        if _libc.unshare(_CLONE_NEWNET) != 0:
            return
        try:
            with socket.socket() as any_socket:
                fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
            self._apart = os.open("/proc/self/ns/net", os.O_RDONLY)
        finally:
            self._enter(self._own)

    @property
    def is_apart(self) -> bool:
        return self._apart >= 0

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        if not self.is_apart:
            yield
            return
        self._enter(self._apart)
        try:
            yield
        finally:
            self._enter(self._own)

    def close(self) -> None:
        for descriptor in (self._own, self._apart):
            if descriptor >= 0:
                os.close(descriptor)

    @staticmethod
    def _enter(descriptor: int) -> None:
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns failed")


@dataclasses.dataclass
class Server:
    """One running proxy."""

    port: int
    workers: int
    process: subprocess.Popen[bytes]

    def pids(self) -> list[int]:
        return [self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))]


@dataclasses.dataclass
class Installation:
    """The servers of the block, one for each number of workers, in front of two demo providers of their own."""

    network: Network
    servers: list[Server]


@contextlib.contextmanager
def running(*workers: int, latency: str) -> Iterator[Installation]:
    """Installs, starts, and removes everything at the end. - Raises `Failed` when it cannot be had."""
    network = Network()
    folder = Path(tempfile.mkdtemp(prefix="bl"))
    with contextlib.ExitStack() as stack:
        stack.callback(network.close)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        _install(folder)
        with network.inside():
            paced, instant = Provider("--latency", latency), Provider("--loops", "2")
            stack.callback(paced.close)
            stack.callback(instant.close)
            servers = [_start(folder, count, {PACED: paced.url, INSTANT: instant.url}) for count in workers]
            for server in servers:
                stack.callback(_stop, server)
            for server in servers:
                until(lambda: _is_up(server), 180, f"LiteLLM with {server.workers} workers to answer; log: {folder}/{server.workers}.log", every=0.5)
        yield Installation(network, servers)


def _install(folder: Path) -> None:
    """Exactly this version. pip sees where packages come from, the proxy later sees nothing."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.lower() in ("https_proxy", "http_proxy", "no_proxy")}
    environment = kept | {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    for command in ([sys.executable, "-m", "venv", str(folder / "venv")], [str(folder / "venv/bin/pip"), "install", "-q", f"litellm[proxy]=={VERSION}"]):
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=420)
        if done.returncode != 0:
            raise Failed(f"LiteLLM {VERSION} cannot be installed: {done.stderr.strip()[-400:]}")


def _start(folder: Path, workers: int, urls: dict[str, str]) -> Server:
    models = "".join(
        f"  - model_name: {name}\n    litellm_params:\n      model: openai/demo-chat\n      api_base: {url}/v1\n      api_key: not-a-key\n"
        for name, url in urls.items()
    )
    config = folder / "config.yaml"
    config.write_text(f"model_list:\n{models}")
    port = free_port()
    with (folder / f"{workers}.log").open("wb") as log:
        process = start(
            [folder / "venv/bin/litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port), "--num_workers", str(workers)],
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)}, cwd=folder, stdout=log, stderr=log,
        )
    return Server(port, workers, process)


def _is_up(server: Server) -> bool:
    if server.process.poll() is not None:
        raise Failed(f"LiteLLM ended with {server.process.returncode}")
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
        connection.request("GET", "/health/liveliness")
        return connection.getresponse().status == 200


def _stop(server: Server) -> None:
    family = [psutil.Process(pid) for pid in server.pids()] if server.process.poll() is None else []
    server.process.terminate()
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait(10)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
