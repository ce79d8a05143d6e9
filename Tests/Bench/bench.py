"""Measures the suite: `make bench`, or `bench.py --help`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from load import Failed


def arguments() -> argparse.Namespace:
    from measures import ALL

    parser = argparse.ArgumentParser(description="Measures, and writes results.json and RESULTS.md. Nothing else should run meanwhile. Example: bench.py --quick --only chat_rps")
    parser.add_argument("--quick", action="store_true", help="two short runs of each; prints and writes nothing")
    parser.add_argument("--only", metavar="NAME", action="append", choices=list(ALL), help=f"one measurement, may be repeated: {', '.join(ALL)}; writes nothing")
    parser.add_argument("--cpus", metavar="N", type=int, help="keep everything that is started on N cores")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write there, in any case")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    import report
    from figures import Length
    from measures import ALL
    from stand import Stand

    load = os.getloadavg()[0]
    if options.cpus:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cpus])
    if load > 1:
        print(f"bench: the load average is {load:.1f}; figures are worth little while others work on this machine", file=sys.stderr)
    length = Length(rounds=2, seconds=3) if options.quick else Length(rounds=3, seconds=8)
    figures, failed = [], []
    stand = Stand()
    try:
        for name in options.only or ALL:
            began = time.monotonic()
            try:
                found = ALL[name](stand, length)
            except (Failed, AssertionError, OSError) as error:
                failed.append(name)
                print(f"bench: {name} was not measured: {error}", file=sys.stderr)
                continue
            figures += found
            for figure in found:
                print(f"{figure.name:26} {figure.value:>12g} {figure.unit:5}  {figure.conditions}", flush=True)
            print(f"{'':26} ({time.monotonic() - began:.0f} s)", flush=True)
        folder = options.out or (None if options.quick or options.only else report.HERE)
        if folder:
            report.write(report.document(figures, load, stand.settings()), figures, stand.chat_table, folder)
            print(f"bench: wrote results.json and RESULTS.md with {len(figures)} figures")
    finally:
        stand.close()
    if failed:
        print(f"bench: not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
