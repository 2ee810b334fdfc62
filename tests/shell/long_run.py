"""The differential check over as many lines as there is time for.

PYTHONPATH=service:tests python tests/shell/long_run.py --lines 1000000 [--seed N]
"""

import argparse
import time
from collections import Counter

from prosody_admin.shell.catalogue import shipped
from shell.differential import compare, fuzz_lines
from shell.oracle import Oracle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with Oracle(shipped()) as oracle:
        compare(oracle, fuzz_lines(options.seed, options.lines), counts)
    seconds = time.monotonic() - started
    lines = f"{counts.total()} lines, seed {options.seed}, {seconds:.0f} s"
    print(f"{lines}: none differs; {dict(counts)}")


if __name__ == "__main__":
    main()
