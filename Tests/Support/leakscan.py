"""Looks for secrets where they must not be: in the memory of processes, their environment and command line, in files.

Usable by itself: `leakscan.py --needle-file FILE [--pid PID]... [PATH]...` exits 1 when it finds something. The needle is read
from a file (or standard input with `-`): on a command line it would be the leak.
"""

from __future__ import annotations

import argparse
import base64
import bz2
import contextlib
import gzip
import os
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator

CHUNK = 16 << 20


class Needle:
    """A secret in the forms it could be found in. They are kept masked: a scanner that is scanned itself holds none."""

    def __init__(self, name: str, value: str) -> None:
        raw = value.encode()
        assert len(raw) >= 12, "short needles are found everywhere"
        forms = {
            "raw": raw,
            "hex": raw.hex().encode(),
            "HEX": raw.hex().upper().encode(),
            "percent": urllib.parse.quote(value, safe="").encode(),
            "UTF-16LE": value.encode("utf-16-le"),
            "reversed": raw[::-1],
        }
        for shift in range(3):
            text = base64.b64encode(bytes(shift) + raw)
            # Without the ends, which depend on the neighbours.
            forms[f"base64 at {shift}"] = text[4:-4]
            forms[f"base64url at {shift}"] = text[4:-4].replace(b"+", b"-").replace(b"/", b"_")
        self.name = name
        self._masked: dict[str, tuple[bytes, bytes]] = {}
        seen = set()
        for form, wanted in forms.items():
            if wanted not in seen:
                seen.add(wanted)
                mask = os.urandom(len(wanted))
                self._masked[form] = (mask, bytes(a ^ b for a, b in zip(mask, wanted)))
        self.longest = max(map(len, seen))

    def found_in(self, data: bytes) -> dict[str, int]:
        """How often each form is there; only those that are."""
        counts = {}
        for form, (mask, masked) in self._masked.items():
            count = data.count(bytes(a ^ b for a, b in zip(mask, masked)))
            if count:
                counts[form] = count
        return counts


@dataclass(frozen=True)
class Hit:
    """A form of a needle, so many times, at a place."""

    needle: str
    form: str
    place: str
    count: int

    def __str__(self) -> str:
        return f"{self.needle} ({self.form}) {self.count} x in {self.place}"


@dataclass
class Scan:
    """What was looked at, and found."""

    hits: list[Hit]
    bytes: int = 0

    def add(self, other: "Scan") -> "Scan":
        self.hits += other.hits
        self.bytes += other.bytes
        return self

    def copies(self, *forms: str) -> int:
        return sum(hit.count for hit in self.hits if not forms or hit.form in forms)


def data(content: bytes, needles: Iterable[Needle], place: str) -> Scan:
    return Scan([Hit(needle.name, form, place, count) for needle in needles for form, count in needle.found_in(content).items()], len(content))


def _mapped(pid: int) -> Iterator[tuple[str, bytes]]:
    """The readable memory of a process, piece by piece; pieces of one mapping overlap by a page."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            words = line.split(maxsplit=5)
            where = words[5] if len(words) > 5 else "anonymous"
            if words[1][0] != "r" or where in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            start, end = (int(edge, 16) for edge in words[0].split("-"))
            for at in range(start, end, CHUNK):
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    memory.seek(at)
                    yield f"{where}, {words[0]}", memory.read(min(end, at + CHUNK + 4096) - at)


def memory(pid: int, needles: Iterable[Needle], name: str = "") -> Scan:
    """All a process has mapped and may read. Needs root, or the same user and a dumpable process."""
    scan, needles = Scan([]), list(needles)
    for where, content in _mapped(pid):
        scan.add(data(content, needles, f"memory of {name or pid} ({where})"))
    return scan


def locked(pid: int) -> set[str]:
    """The mappings of a process that are locked in memory and left out of dumps, as `memory` names them."""
    spans, span = set(), ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0]:
            span = words[0]
        elif words[0] == "VmFlags:" and {"lo", "dd"} <= set(words):
            spans.add(span)
    return spans


def surroundings(pid: int, needles: Iterable[Needle], name: str = "") -> Scan:
    """Command line and environment."""
    scan, needles = Scan([]), list(needles)
    for kind in ("cmdline", "environ"):
        scan.add(data(Path(f"/proc/{pid}/{kind}").read_bytes(), needles, f"{kind} of {name or pid}"))
    return scan


def files(root: Path, needles: Iterable[Needle], skip: Iterable[Path] = ()) -> Scan:
    """Every file below `root`, its name, and what is packed in it."""
    scan, needles, skipped = Scan([]), list(needles), {path.resolve() for path in skip}
    for path in [root] if root.is_file() else sorted(root.rglob("*")):
        scan.add(data(str(path).encode(), needles, f"the name of {path}"))
        if path.is_symlink() or not path.is_file() or path.resolve() in skipped:
            continue
        with contextlib.suppress(FileNotFoundError):  # it may go while this looks
            content = path.read_bytes()
            scan.add(data(content, needles, str(path)))
            for magic, unpack in ((b"\x1f\x8b", gzip.decompress), (b"BZh", bz2.decompress)):
                if content.startswith(magic):
                    scan.add(data(unpack(content), needles, f"{path}, unpacked"))
    return scan


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--needle-file", required=True)
    parser.add_argument("--pid", type=int, action="append", default=[])
    parser.add_argument("paths", nargs="*", type=Path)
    chosen = parser.parse_args()
    text = sys.stdin.read() if chosen.needle_file == "-" else Path(chosen.needle_file).read_text()
    needles = [Needle(f"needle {index + 1}", line) for index, line in enumerate(text.split())]
    scan = Scan([])
    for pid in chosen.pid:
        scan.add(memory(pid, needles)).add(surroundings(pid, needles))
    for path in chosen.paths:
        scan.add(files(path, needles))
    for hit in scan.hits:
        print(hit)
    print(f"{scan.bytes >> 20} MiB searched, {len(scan.hits)} places")
    return 1 if scan.hits else 0


if __name__ == "__main__":
    sys.exit(main())
