"""Takes each guard of credentials away, one at a time, and shows that an attack is noticed. Usage: mutations.py [NAME …]
mutations.py --together NAME … takes several away in one build, for guards whose tests have nothing to do with one another.
mutations.py --check only looks whether every guard still stands in the source, once, and every test is there: `make test` does.

Works on a copy of the checkout with a build folder of its own. A mutation is an exact piece of source and what it becomes; one
that is not found any more is a failure: the list is kept with the code.
"""

from __future__ import annotations

import dataclasses
import os
import re
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
    # A second piece that guards the same: file, guard, without.
    also: tuple[str, str, str] | None = None

    @property
    def pieces(self) -> list[tuple[str, str, str]]:
        return [(self.file, self.guard, self.without), *([self.also] if self.also else [])]


MUTATIONS = [
    # A, D37: hosts and what is sealed.
    Mutation("host-spelling", f"{SOURCES}/Destinations/DestinationConfiguration.swift", "let problem = HostSyntax.problem(authority) {", "let problem = HostSyntax.problem(authority), problem.isEmpty {", "test_a_host.py -k 'a09 or a11'"),
    Mutation("sealed-host", f"{SOURCES}/Destinations/Covering.swift", "if asked.place != place {", "if asked.place != place, asked.place == place {", "test_d_smuggling.py -k d37"),
    # B: addresses.
    Mutation("vetting", f"{SOURCES}/Outbound/Connector.swift", "            try AddressVetting.check(addresses, of: origin)\n", "", "test_b_dns.py -k 'b15 or b17'"),
    Mutation("metadata", f"{SOURCES}/Destinations/NetworkKind.swift", "case (0, _, _), (169, 254, _), (224 ... 255, _, _): .forbidden", "case (0, _, _), (224 ... 255, _, _): .forbidden", "test_b_dns.py -k 'b16 and opted'"),
    Mutation("mapped-addresses", f"{SOURCES}/Destinations/NetworkKind.swift", "{ return kind(v4: Array(bytes[12...])) }", "{ return .outside }", "test_b_dns.py -k b21"),
    Mutation("fresh-answers", f"{SOURCES}/Outbound/HostResolver.swift", "end: .now() + keeps)", "end: .now() + keeps * 1000)", "test_b_dns.py -k b20"),
    # C: TLS, and what is not done twice.
    Mutation("certificates", f"{SOURCES}/Outbound/TrustSettings.swift", "tls.certificateVerification = .fullVerification", "tls.certificateVerification = .none", "test_c_tls.py -k 'c24 and expired'"),
    Mutation("host-names", f"{SOURCES}/Outbound/TrustSettings.swift", "tls.certificateVerification = .fullVerification", "tls.certificateVerification = .noHostnameVerification", "test_c_tls.py -k 'c24 and wrong'"),
    Mutation("tls-floor", f"{SOURCES}/Outbound/TrustSettings.swift", "floor == .v13 ? .tlsv13 : .tlsv12", "floor == .v13 ? .tlsv13 : .tlsv1", "test_c_tls.py -k 'c24 and old'"),
    Mutation("pins", f"{SOURCES}/Outbound/TrustSettings.swift", "Self.key($0).map(origin.pins.contains) ?? false }) else", "Self.key($0).map(origin.pins.contains) ?? false }) || true else", "test_c_tls.py -k c28"),
    Mutation("no-repeat", f"{SOURCES}/Outbound/UpstreamExchange.swift", "guard isUntouched, state.isConnected,", "guard isUntouched || true, state.isConnected,", "test_c_tls.py -k c29"),
    # D: requests.
    Mutation("methods", f"{SOURCES}/Destinations/Destination.swift", "guard allowsMethod else", "guard allowsMethod || true else", "test_d_smuggling.py -k d41"),
    Mutation("paths", f"{SOURCES}/Destinations/Destination.swift", "!paths.contains(where: { $0.matches(path) })", "!paths.contains(where: { $0.matches(path) || true })", "test_d_smuggling.py -k d40"),
    Mutation("path-syntax", f"{SOURCES}/Destinations/Destination.swift", "if let problem = TargetSyntax.pathProblem(path)", "if let problem = TargetSyntax.pathProblem(path), path.isEmpty", "test_d_smuggling.py -k d40"),
    Mutation("method-syntax", f"{SOURCES}/Destinations/Destination.swift", "guard HeaderSyntax.isMethod(method) else", "guard HeaderSyntax.isMethod(method) || true else", "test_d_smuggling.py -k d30"),
    Mutation("header-names", f"{SOURCES}/Injection/HeaderHygiene.swift", "guard HeaderSyntax.isName(header.name) else", "guard HeaderSyntax.isName(header.name) || true else", "test_d_smuggling.py -k d30"),
    Mutation("callers-credentials", f"{SOURCES}/Injection/HeaderHygiene.swift", "if isDropped(name, allowed) || name == own", "if name == own", "test_d_smuggling.py -k 'd31 or d35'"),
    Mutation("json-names", f"{SOURCES}/Injection/JSONSplice.swift", "guard names.insert(name).inserted else", "guard names.insert(name).inserted || true else", "test_d_injection.py -k d38"),
    Mutation("form-field", f"{SOURCES}/Injection/FormField.swift", "if name.elementsEqual(own.utf8) {", "if name.elementsEqual(own.utf8), name.isEmpty {", "test_d_injection.py -k d39_the_field"),
    Mutation("path-secret", f"{SOURCES}/Injection/PlacedSecret.swift", ", value.withBytes({ PathHole.isSafe($0) }) else", ", value.withBytes({ PathHole.isSafe($0) || true }) else", "test_d_injection.py -k d39_a_secret"),
    # E: echoes.
    Mutation("clean-body", f"{SOURCES}/Outbound/CallRelay.swift", "return cleaner?.feed(plain) ?? plain", "return plain", "test_e_echo.py -k e42"),
    Mutation("clean-headers", f"{SOURCES}/Outbound/CallRelay.swift", "            headers = cleaner?.clean(headers) ?? []\n", "", "test_e_echo.py -k e43_in_a_header"),
    Mutation("clean-status-text", f"{SOURCES}/Outbound/CallRelay.swift", 'reason = cleaner?.clean(reason) ?? ""', 'reason += ""', "test_e_echo.py -k e43_in_the_status"),
    Mutation("clean-trailers", f"{SOURCES}/Outbound/CallRelay.swift", "last.trailers = cleaner?.clean(passed) ?? passed", "last.trailers = passed", "test_e_echo.py -k e43_in_a_trailer"),
    Mutation("base64", f"{SOURCES}/Redaction/SecretForms.swift", "        addBase64(secret)\n", "", "test_e_echo.py -k e44"),
    Mutation("unknown-codings", "Shared/Coding/ContentDecoder.swift", "default: throw .unknownCoding", "default: break", "test_e_echo.py -k e45"),
    Mutation("across-pieces", f"{SOURCES}/Redaction/StreamRedactor.swift", "isLast ? text.count : needles.liveSuffix(of: text, from: start))", "text.count)", "test_e_echo.py -k e46"),
    Mutation("other-secrets", f"{SOURCES}/Destinations/DestinationTable.swift", "needles: needles.of(configuration.place)))", "needles: SecretNeedles(stored.value.withBytes { Array($0) })))", "test_e_echo.py -k e47"),
    Mutation("answer-limit", f"{SOURCES}/Outbound/CallRelay.swift", "guard received <= destination.configuration.limits.maxResponse else", "guard received <= destination.configuration.limits.maxResponse || true else", "test_e_echo.py -k e48"),
    Mutation("growth", "Shared/Coding/ContentDecoder.swift", "                    guard total <= limit else { return false }\n                    if total <= Self.freeBytes || total / Self.maxRatio <= received { return true }", "                    if total <= limit || received >= 0 { return true }", "test_e_echo.py -k e49"),
    Mutation("head-limit", f"{SOURCES}/Outbound/HTTP1Connection.swift", "limits.maxHeaderFieldSize = 64 << 10\n        limits.maxHeaderListSize = 64 << 10", "limits.maxHeaderFieldSize = 64 << 20\n        limits.maxHeaderListSize = 64 << 20", "test_e_echo.py -k e50"),
    # F: callers.
    Mutation("callers", f"{SOURCES}/Destinations/Destination.swift", "guard callers.contains(peer) else", "guard callers.contains(peer) || true else", "test_f_callers.py -k f56"),
    Mutation("same-answer", f"{SOURCES}/Destinations/Destination.swift", "guard callers.contains(peer) else { throw DestinationTable.unknown(configuration.name) }", 'guard callers.contains(peer) else { throw denied("is not yours") }', "test_f_callers.py -k f56"),
    # G: the process, and what is left in its memory.
    Mutation("zero-on-free", "Shared/C/CBulkheadHardening/ZeroOnFree.c", "    explicit_bzero(memory, malloc_usable_size(memory));\n", "", "test_leaks.py -k revoked"),
    Mutation("zero-slots", f"{SOURCES}/Vault/SecretMemory.swift", "        explicit_bzero(base, slot.bytes.count)\n", "", "test_leaks.py -k revoked"),
    Mutation("locked-memory", "Shared/C/CBulkheadSystem/LockedMemory.c", "mlock(memory, whole) == 0 ? 0 : errno", "0", "test_g_process.py -k 'locked'"),
    Mutation("undumpable", "Shared/C/CBulkheadHardening/Start.c", "prctl(PR_SET_DUMPABLE, 0) != 0 || present", "present", "test_g_process.py -k readable", ("Shared/C/CBulkheadSystem/CBulkheadSystem.c", "return prctl(PR_SET_DUMPABLE, 0) == 0 ? 0 : errno;", "return 0;")),
    Mutation("no-core", "Shared/C/CBulkheadHardening/Start.c", "if (setrlimit(RLIMIT_CORE, &none) != 0) getrlimit(RLIMIT_CORE, &present);\n    else present.rlim_cur = 0;", "present.rlim_cur = none.rlim_cur;", "test_g_process.py -k core"),
    Mutation("environment", "Shared/C/CBulkheadHardening/Start.c", "    forget_secrets_of_environment();\n", "", "test_leaks.py -k environment_are_forgotten"),
    # H: nothing without a record.
    Mutation("audit-first", f"{SOURCES}/Audit/AuditEvent.swift", 'var isPermission: Bool { decision == "allow" }', "var isPermission: Bool { false }", "test_h_failure.py -k full_disk"),
    Mutation("audit-at-once", f"{SOURCES}/Audit/AuditEvent.swift", 'var mayWait: Bool { event == "end" }', "var mayWait: Bool { true }", "test_h_failure.py -k killed"),
]


def run(words: list[str], folder: Path, log: Path, **more: str) -> int:
    """Runs a command in the copy; as root in the checkout's own place, so that nothing that was built has to be built again."""
    if os.geteuid() == 0 and shutil.which("unshare"):
        there = 'mount --make-rprivate / && mount --bind "$0" "$1" && cd "$1" && shift && exec "$@"'
        words = ["unshare", "-m", "sh", "-c", there, str(folder), str(ROOT), *words]
    with open(log, "ab") as out:
        return subprocess.run(words, cwd=folder, stdout=out, stderr=out, env=os.environ | more).returncode


def noticed(mutation: Mutation, copy: Path, log: Path) -> str:
    """Runs the test against what was built: `noticed`, or what is wrong."""
    file, *options = mutation.test.split(" ", 1)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-x", f"Tests/Attacks/{file}"]
    if options:
        words += ["-k", options[0].removeprefix("-k ").strip("'")]
    own = log.with_suffix(".one")
    own.unlink(missing_ok=True)
    code = run(words, copy, own, BULKHEAD_BIN_DIR=str((ROOT if os.geteuid() == 0 else copy) / ".build/release"))
    told = own.read_text(errors="replace")
    with open(log, "a") as out:
        out.write(f"\n=== {mutation.name}\n{told}")
    if code == 1 and not re.search(r"^\d+ failed", told, re.M) and " failed" not in told.splitlines()[-1]:
        return f"the test could not be run: see {log}"
    return {0: "NOT NOTICED", 1: "noticed"}.get(code, f"pytest exited {code}: see {log}")


def tried(mutations: list[Mutation], copy: Path, log: Path) -> dict[str, str]:
    """How it went with all of them missing at once, by name."""
    good = {file: (copy / file).read_text() for mutation in mutations for file, _, _ in mutation.pieces}
    try:
        for mutation in mutations:
            for file, guard, without in mutation.pieces:
                text = (copy / file).read_text()
                if text.count(guard) != 1:
                    return {mutation.name: f"the guard stands {text.count(guard)} times in {file}, not once"}
                (copy / file).write_text(text.replace(guard, without))
        if run(BUILD, copy, log) != 0:
            return {mutation.name: f"does not compile: see {log}" for mutation in mutations}
        return {mutation.name: noticed(mutation, copy, log) for mutation in mutations}
    finally:
        for file, text in good.items():
            (copy / file).write_text(text)


def check() -> int:
    """Whether every guard can be taken away: it stands in its file exactly once, and its test is there."""
    bad = []
    for mutation in MUTATIONS:
        for part, guard, _ in mutation.pieces:
            count = (ROOT / part).read_text().count(guard) if (ROOT / part).is_file() else 0
            if count != 1:
                bad.append(f"{mutation.name}: its guard stands {count} times in {part}, not once")
        file, _, words = mutation.test.partition(" -k ")
        tests = re.findall(r"^def (test_\w+)", (ROOT / "Tests/Attacks" / file).read_text(), re.M)
        if not any(word in test for test in tests for word in re.split(r" or | and \w+", words.strip("'")) if word):
            bad.append(f"{mutation.name}: no test in {file} is chosen by {words}")
    if len({mutation.name for mutation in MUTATIONS}) != len(MUTATIONS):
        bad.append("a name stands twice")
    for line in bad:
        print(line, file=sys.stderr)
    print(f"{len(MUTATIONS)} guards, each with the test that misses it" if not bad else f"{len(bad)} of {len(MUTATIONS)} guards are out of date")
    return 1 if bad else 0


def main() -> int:
    words = sys.argv[1:]
    if words == ["--check"]:
        return check()
    together = words[:1] == ["--together"]
    names = words[together:]
    chosen = [mutation for mutation in MUTATIONS if not names or mutation.name in names]
    if unknown := set(names) - {mutation.name for mutation in MUTATIONS}:
        print(f"no such guard: {' '.join(sorted(unknown))}; there are {' '.join(mutation.name for mutation in MUTATIONS)}", file=sys.stderr)
        return 64
    folder = Path(os.environ.get("MUTATION_DIR") or tempfile.mkdtemp(prefix="bhmut"))
    copy, log, bad = folder / "checkout", folder / "log", 0
    try:
        if not copy.exists():
            # With the build folder: only what a mutation touches is compiled.
            shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", "venv"))
        for group in [chosen] if together else [[mutation] for mutation in chosen]:
            began = time.monotonic()
            for name, result in tried(group, copy, log).items():
                bad += result != "noticed"
                print(f"{name:20} {result}, {time.monotonic() - began:.0f} s", flush=True)
    finally:
        if bad == 0 and "MUTATION_DIR" not in os.environ:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(chosen) - bad} of {len(chosen)} guards are noticed when they are missing" + (f"; log: {log}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
