"""A Unix socket between an IPC client and its server, with faults on command.

The client connects to the proxy's path, the proxy to the server's. Each direction of every connection has a thread of its
own, which reads whole frames and forwards them with the faults that its direction's `Faults` asks for at that moment:

    proxy = FaultProxy(listen, target)
    proxy.to_server.split = 1               # one byte a write
    proxy.to_client.block()                 # takes nothing, forwards nothing
    proxy.to_client.unblock()
    proxy.to_server.duplicate(REQUEST)      # the next frame of this kind twice
    proxy.drop()                            # all connections end
"""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from pathlib import Path

from ipc_wire import HEADER, Frame, cut

# Longer than any frame of the protocol: what claims more is no frame, and is forwarded as it came.
NO_FRAME = 2 << 20


@dataclasses.dataclass
class _Rule:
    """A fault for one frame to come: the `nth` of its kind (from 1) since the rule was made."""

    what: str
    kind: int
    nth: int
    at: int = 0
    bit: int = 0


class Faults:
    """The faults of one direction. Set from any thread at any moment; they hold for every connection."""

    def __init__(self) -> None:
        self.split = 0  # bytes of a write at most; 0: as they come
        self.delay = 0.0  # seconds before each frame is forwarded
        self.forwarded = 0  # bytes, over all connections
        self._change = threading.Condition()
        self._blocked = False
        self._truncate: int | None = None
        self._corrupt: list[tuple[int, int]] = []
        self._rules: list[_Rule] = []

    def block(self) -> None:
        """From now on nothing is read and nothing is forwarded; the sockets stay open."""
        with self._change:
            self._blocked = True

    def unblock(self) -> None:
        with self._change:
            self._blocked = False
            self._change.notify_all()

    def truncate(self, after: int) -> None:
        """Closes the connection when so many more bytes were forwarded: in the middle of a frame, if they end there."""
        self._truncate = self.forwarded + after

    def corrupt(self, after: int, bit: int = 0) -> None:
        """Flips a bit of the byte that comes after so many more."""
        self._corrupt.append((self.forwarded + after, bit))

    def corrupt_frame(self, kind: int, nth: int = 1, at: int = 0, bit: int = 0, header: bool = False) -> None:
        """Flips a bit in the payload (or header) of a frame to come, at byte `at`."""
        self._rules.append(_Rule("corrupt", kind, nth, at if header else HEADER + at, bit))

    def duplicate(self, kind: int, nth: int = 1) -> None:
        """A frame to come is forwarded twice."""
        self._rules.append(_Rule("duplicate", kind, nth))

    def reorder(self, kind: int, nth: int = 1) -> None:
        """A frame to come is forwarded after the next one of its kind."""
        self._rules.append(_Rule("reorder", kind, nth))

    def drop_frame(self, kind: int, nth: int = 1) -> None:
        """A frame to come is not forwarded."""
        self._rules.append(_Rule("drop", kind, nth))

    @property
    def is_spent(self) -> bool:
        """Every fault for a frame to come has struck."""
        return not self._rules

    def _wait(self) -> None:
        with self._change:
            while self._blocked:
                self._change.wait()

    def _struck(self, kind: int) -> _Rule | None:
        struck = None
        for rule in [rule for rule in self._rules if rule.kind == kind]:
            rule.nth -= 1
            if rule.nth == 0:
                struck = rule
                self._rules.remove(rule)
        return struck

    def _shape(self, frame: Frame, held: list[Frame]) -> list[bytes]:
        """What is forwarded in place of a frame. `held`: the frames that wait for the next of their kind."""
        rule = self._struck(frame.kind)
        late = [bytes(old) for old in held if old.kind == frame.kind]
        held[:] = [old for old in held if old.kind != frame.kind]
        raw = bytearray(bytes(frame))
        match rule and rule.what:
            case "corrupt":
                raw[min(rule.at, len(raw) - 1)] ^= 1 << rule.bit
            case "duplicate":
                return [bytes(raw), bytes(raw), *late]
            case "drop":
                return late
            case "reorder":
                held.append(frame)
                return late
        return [bytes(raw), *late]


class FaultProxy:
    """Listens on `listen` and forwards each connection to `target`."""

    def __init__(self, listen: Path, target: Path) -> None:
        self.path, self.target = listen, target
        self.to_server, self.to_client = Faults(), Faults()
        self.connections = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(listen))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def drop(self) -> None:
        """Ends every connection, both ways."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            self._end(*pair)

    def close(self) -> None:
        _shut(self._listener)
        self._listener.close()
        self.path.unlink(missing_ok=True)
        self.drop()
        for faults in (self.to_server, self.to_client):
            faults.unblock()

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self.target))
            except OSError:
                # As the client would have seen it: a peer that is gone.
                self._end(client, server)
                continue
            self.connections += 1
            with self._lock:
                self._pairs.append((client, server))
            for source, sink, faults in ((client, server, self.to_server), (server, client, self.to_client)):
                threading.Thread(target=self._forward, args=(source, sink, faults), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, faults: Faults) -> None:
        buffer, held = bytearray(), list[Frame]()
        try:
            while True:
                faults._wait()
                more = source.recv(1 << 16)
                # Blocked while it waited for bytes: these are held up, too.
                faults._wait()
                if not more:
                    break
                buffer += more
                while frame := cut(buffer):
                    for raw in faults._shape(frame, held):
                        self._write(sink, raw, faults)
                if len(buffer) >= 4 and int.from_bytes(buffer[:4], "little") > NO_FRAME:
                    self._write(sink, bytes(buffer), faults)
                    buffer.clear()
            self._write(sink, bytes(buffer), faults)
        except OSError:
            pass
        finally:
            self._end(source, sink)

    def _write(self, sink: socket.socket, raw: bytes, faults: Faults) -> None:
        if faults.delay:
            time.sleep(faults.delay)
        at = 0
        while at < len(raw):
            faults._wait()
            piece = bytearray(raw[at : at + (faults.split or len(raw))])
            limit = faults._truncate
            if limit is not None:
                piece = piece[: max(0, limit - faults.forwarded)]
            for place, bit in [mark for mark in faults._corrupt if 0 <= mark[0] - faults.forwarded < len(piece)]:
                piece[place - faults.forwarded] ^= 1 << bit
                faults._corrupt.remove((place, bit))
            at += len(piece)
            # Counted first: whoever has received the bytes may ask for a fault that counts from here.
            faults.forwarded += len(piece)
            sink.sendall(piece)
            if limit is not None and faults.forwarded >= limit:
                faults._truncate = None
                raise ConnectionAbortedError("truncated")

    def _end(self, *ends: socket.socket) -> None:
        for end in ends:
            _shut(end)
            end.close()


def _shut(end: socket.socket) -> None:
    """Wakes whoever waits for the socket; closing alone does not."""
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
