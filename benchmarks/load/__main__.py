"""``python -m benchmarks.load``: the load's own speed, beside the contestants of this environment."""

from __future__ import annotations

import argparse
import sys

from benchmarks._model import Contestant, Effort
from benchmarks._processes import processors
from benchmarks.load.check import CASES, check, table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--cases", nargs="*", choices=[case.name for case in CASES])
    parser.add_argument(
        "--peers", nargs="*", default=["txtornado"], help="contestants that can be imported here"
    )
    args = parser.parse_args()
    cases = [case for case in CASES if not args.cases or case.name in args.cases]
    contestants = [Contestant(name, sys.executable) for name in args.peers]
    server_cpu, load_cpu = processors()
    effort = Effort(args.seconds, server_cpu=server_cpu, load_cpu=load_cpu)
    for line in table(check(contestants, effort, cases)):
        print(line, flush=True)
    print("room: how many times as much the load could have asked; C answers without thinking")


if __name__ == "__main__":
    main()
