"""Tells how each fuzz target ended, and writes it as JUnit XML to $FUZZ_JUNIT. Exit 1 on a finding."""

import os
import re
import sys
import xml.etree.ElementTree as tree
from pathlib import Path

folder, crashes, targets = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]


def finding(target: str, log: str) -> str | None:
    """What went wrong, with the way to see it again; None when nothing did."""
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", log)
    code = (folder / f"{target}.exit").read_text().strip()
    if code == "0" and runs and int(runs[1]) > 0:
        return None
    input_file = re.search(r"Test unit written to (\S+)", log)
    if not input_file:
        return f"exit {code} without an input\n" + "\n".join(log.splitlines()[-60:])
    told = [line for line in log.splitlines() if re.match(r"FOUND:|==\d+== ?ERROR|SUMMARY:|\S+Fatal error|\s+#\d+ ", line)]
    again = f"SWIFT_BACKTRACE=enable=no .build/fuzz/release/bulkhead-fuzz --target={target} {input_file[1]}"
    keep = f"when it is understood, keep the input in Tests/Fuzz/Regressions/{target}"
    return "\n".join([*told[:60], f"reproduce: {again}", keep])


suite = tree.Element("testsuite", name="fuzz")
failed = False
for target in targets:
    log = (folder / f"{target}.log").read_text(errors="replace")
    problem = finding(target, log)
    case = tree.SubElement(suite, "testcase", classname="fuzz", name=target)
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", log)
    runs = re.findall(r"#(\d+)", log)
    print(f"{target}: {runs[-1] if runs else 0} inputs, coverage {coverage[-1][0] if coverage else 0}", end=", ")
    if problem is None:
        print("no finding")
        continue
    failed = True
    print(f"FINDING\n{problem}")
    tree.SubElement(case, "failure", message=problem.splitlines()[0][:300]).text = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "?" for letter in problem
    )
suite.set("tests", str(len(targets)))
if junit := os.environ.get("FUZZ_JUNIT"):
    tree.ElementTree(suite).write(junit, encoding="utf-8", xml_declaration=True)
print(f"crashing inputs are in {crashes}" if failed else "no findings")
sys.exit(1 if failed else 0)
