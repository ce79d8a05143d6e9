"""Takes each guard of credentials away, one at a time, and shows that an attack is noticed. Usage: mutations.py [NAME …]

Works on a copy of the checkout with a build folder of its own. A mutation is an exact piece of source and what it becomes; one
that is not found any more is a failure: the list is kept with the code.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = "Services/Credentials/Sources/CredentialsService"
BUILD = ["swift", "build", "-c", "release", "--explicit-target-dependency-import-check", "error", "--product", "bulkhead-credentials"]


@dataclasses.dataclass
class Mutation:
    """A guard, how it is taken away, and what must notice."""

    name: str
    file: str
    guard: str
    without: str
    test: str


MUTATIONS = [
    Mutation("callers", f"{SOURCES}/Destinations/Destination.swift", "guard callers.contains(peer) else", "guard callers.contains(peer) || true else", "test_f_callers.py::test_f56_absent_and_not_yours_are_the_same"),
    Mutation("methods", f"{SOURCES}/Destinations/Destination.swift", "guard allowsMethod else", "guard allowsMethod || true else", "test_d_smuggling.py -k d41"),
    Mutation("paths", f"{SOURCES}/Destinations/Destination.swift", "!paths.contains(where: { $0.matches(path) })", "!paths.contains(where: { $0.matches(path) || true })", "test_d_smuggling.py -k d40"),
    Mutation("path-syntax", f"{SOURCES}/Destinations/Destination.swift", "if let problem = TargetSyntax.pathProblem(path)", "if let problem = TargetSyntax.pathProblem(path), path.isEmpty", "test_d_smuggling.py -k 'd30 or d40'"),
    Mutation("method-syntax", f"{SOURCES}/Destinations/Destination.swift", "guard HeaderSyntax.isMethod(method) else", "guard HeaderSyntax.isMethod(method) || true else", "test_d_smuggling.py -k 'd30 or d41'"),
    Mutation("audit-first", f"{SOURCES}/Audit/AuditEvent.swift", 'var isPermission: Bool { event == "call" && decision == "allow" }', "var isPermission: Bool { false }", "test_h_failure.py -k full_disk"),
    Mutation("audit-at-once", f"{SOURCES}/Audit/AuditEvent.swift", 'var mayWait: Bool { event == "end" }', "var mayWait: Bool { true }", "test_h_failure.py -k killed"),
    Mutation("zero-on-free", "Shared/C/CBulkheadHardening/ZeroOnFree.c", "    explicit_bzero(memory, malloc_usable_size(memory));\n", "", "test_leaks.py -k revoked"),
    Mutation("zero-slots", f"{SOURCES}/Vault/SecretMemory.swift", "        explicit_bzero(base, slot.bytes.count)\n", "", "test_leaks.py -k revoked"),
    Mutation("locked-memory", "Shared/C/CBulkheadSystem/LockedMemory.c", "mlock(memory, whole) == 0 ? 0 : errno", "0", "test_g_process.py -k 'locked'"),
    Mutation("undumpable", "Shared/C/CBulkheadHardening/Start.c", "prctl(PR_SET_DUMPABLE, 0) != 0 || present", "present", "test_g_process.py -k readable"),
    Mutation("no-core", "Shared/C/CBulkheadHardening/Start.c", "if (setrlimit(RLIMIT_CORE, &none) != 0) getrlimit(RLIMIT_CORE, &present);\n    else present.rlim_cur = 0;", "present.rlim_cur = none.rlim_cur;", "test_g_process.py -k core"),
    Mutation("environment", "Shared/C/CBulkheadHardening/Start.c", "    forget_secrets_of_environment();\n", "", "test_leaks.py -k environment_are_forgotten"),
]


def run(words: list[str], folder: Path, log: Path, **more: str) -> int:
    """Runs a command in the copy; as root in the checkout's own place, so that nothing that was built has to be built again."""
    if os.geteuid() == 0 and shutil.which("unshare"):
        there = 'mount --make-rprivate / && mount --bind "$0" "$1" && cd "$1" && shift && exec "$@"'
        words = ["unshare", "-m", "sh", "-c", there, str(folder), str(ROOT), *words]
    with open(log, "ab") as out:
        return subprocess.run(words, cwd=folder, stdout=out, stderr=out, env=os.environ | more).returncode


def tried(mutation: Mutation, copy: Path, log: Path) -> str:
    """How it went: `noticed`, or what is wrong."""
    path = copy / mutation.file
    good = path.read_text()
    if good.count(mutation.guard) != 1:
        return f"the guard stands {good.count(mutation.guard)} times in {mutation.file}, not once"
    path.write_text(good.replace(mutation.guard, mutation.without))
    try:
        if run(BUILD, copy, log) != 0:
            return f"does not compile: see {log}"
        file, *options = mutation.test.split(" ", 1)
        words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-x", f"Tests/Attacks/{file}"]
        if options:
            words += ["-k", options[0].removeprefix("-k ").strip("'")]
        code = run(words, copy, log, BULKHEAD_BIN_DIR=str((ROOT if os.geteuid() == 0 else copy) / ".build/release"))
        return {0: "NOT NOTICED", 1: "noticed"}.get(code, f"pytest exited {code}: see {log}")
    finally:
        path.write_text(good)


def main() -> int:
    chosen = [mutation for mutation in MUTATIONS if not sys.argv[1:] or mutation.name in sys.argv[1:]]
    if unknown := set(sys.argv[1:]) - {mutation.name for mutation in MUTATIONS}:
        print(f"no such guard: {' '.join(sorted(unknown))}; there are {' '.join(mutation.name for mutation in MUTATIONS)}", file=sys.stderr)
        return 64
    folder = Path(os.environ.get("MUTATION_DIR") or tempfile.mkdtemp(prefix="bhmut"))
    copy, log, bad = folder / "checkout", folder / "log", 0
    try:
        if not copy.exists():
            # With the build folder: only what a mutation touches is compiled.
            shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", "venv", ".bulkhead"))
        for mutation in chosen:
            began = time.monotonic()
            result = tried(mutation, copy, log)
            bad += result != "noticed"
            print(f"{mutation.name:16} {result}, {time.monotonic() - began:.0f} s", flush=True)
    finally:
        if bad == 0 and "MUTATION_DIR" not in os.environ:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(chosen) - bad} of {len(chosen)} guards are noticed when they are missing" + (f"; log: {log}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
