"""Checks that every case of the specification has a test, and that it passed. Usage: manifest.py MANIFEST RESULTS_DIR [ipc|attacks|session]

A line of the manifest is `ID test`, where a test is `Suite/function` of a Swift test, `path::function` of a pytest, or
`later: …` for a case that belongs to a part not built yet. A case may have several lines. Where the JUnit files of its layer
are present, each test must be among those that passed (skipped ones are named); where they are not, it must exist.
"""

import re
import sys
import xml.etree.ElementTree as tree
from pathlib import Path

INTEROP = (
    "empty_unary large_unary client_streaming server_streaming ping_pong empty_stream custom_metadata "
    "status_code_and_message special_status_message unimplemented_method unimplemented_service cancel_after_begin "
    "cancel_after_first_response timeout_on_sleeping_server concurrent_large_unary pushback reconnect_backoff"
).split()
IPC = [f"F{n:02}" for n in range(1, 59)] + [f"P{n}" for n in range(1, 11)] + INTEROP
# Idempotency and limits.
SESSION = [f"IK{n:02}" for n in range(1, 46)] + [f"RL{n:02}" for n in range(1, 25)]
# Host and URL, DNS, TLS, smuggling, echoes, callers, process, failure: numbered through.
ATTACKS = [f"{group}{n:02}" for group, first, last in (
    ("A", 1, 14), ("B", 15, 23), ("C", 24, 29), ("D", 30, 41), ("E", 42, 52), ("F", 53, 58), ("G", 59, 60), ("H", 61, 62),
) for n in range(first, last + 1)]
GROUPS = {"ipc": IPC, "attacks": ATTACKS, "session": SESSION}
# May wait for the part that builds what they are about; all others may not.
LATER = {"F49", "IK19", "IK36"}  # Redis and PostgreSQL; uploads; stored responses


def load(path: Path) -> dict[str, list[str]]:
    cases: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, test = line.split(maxsplit=1)
            cases.setdefault(name, []).append(test.strip())
    return cases


def outcomes(folder: Path) -> tuple[dict[str, set[str]], set[str]]:
    """What became of each test, and which kinds of test were run."""
    seen: dict[str, set[str]] = {}
    kinds = set()
    for file in folder.glob("*.xml"):
        for case in tree.parse(file).getroot().iter("testcase"):
            group, name = case.get("classname", ""), case.get("name", "")
            is_python = group.startswith("Tests.")
            key = f"{group.replace('.', '/')}.py::{name.split('[')[0]}" if is_python else f"{group}/{name.split('(')[0]}"
            kinds.add(group.rsplit(".", 1)[0] if is_python else "swift")
            bad = case.find("failure") is not None or case.find("error") is not None
            seen.setdefault(key, set()).add("failed" if bad else "skipped" if case.find("skipped") is not None else "passed")
    return seen, kinds


def exists(test: str) -> bool:
    if "::" in test:
        path, function = test.split("::")
        return Path(path).is_file() and re.search(rf"^def {function}\b", Path(path).read_text(), re.M) is not None
    suite, function = test.split("/")
    for file in Path("Tests").rglob("*.swift"):
        text = file.read_text()
        if re.search(rf"\b{suite.split('.')[-1]}\b", text) and re.search(rf"\bfunc {function}\b", text):
            return True
    return False


def main() -> int:
    required = GROUPS[sys.argv[3] if len(sys.argv) > 3 else "ipc"]
    cases, (seen, kinds) = load(Path(sys.argv[1])), outcomes(Path(sys.argv[2]))
    problems, skipped = [], set()
    for case in required:
        tests = cases.get(case, [])
        if not tests:
            problems.append(f"{case}: no test is named")
        for test in tests:
            if test.startswith("later:"):
                if case not in LATER:
                    problems.append(f"{case}: may not wait for a later part")
                continue
            kind = str(Path(test.split("::")[0]).parent).replace("/", ".") if "::" in test else "swift"
            if not exists(test):
                problems.append(f"{case}: there is no test {test}")
            elif kind in kinds:
                found = seen.get(test, set())
                if "failed" in found or not found:
                    problems.append(f"{case}: {test} {'failed' if found else 'was not run'}")
                elif "passed" not in found:
                    skipped.add(case)
    problems += [f"{case}: not a case of the specification" for case in cases if case not in required]
    later = [case for case in required if all(test.startswith("later:") for test in cases.get(case, ["?"]))]
    print(f"{len(required) - len(later)} of {len(required)} cases have a test; of later parts: {' '.join(later) or 'none'}")
    if skipped:
        print(f"skipped here: {' '.join(sorted(skipped))}")
        # Some need root and the right to mount or to change users; most need nothing.
        if len(skipped) > len(required) / 4:
            problems.append(f"{len(skipped)} cases were skipped: that is no test of the specification")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
