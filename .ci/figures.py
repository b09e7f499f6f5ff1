"""Hold the benchmark's figures that do not depend on the machine against their bounds; print the others."""

from __future__ import annotations

import json
import subprocess
import sys

MOST = {
    "segment.history_bytes": 3000,
    "segment.history_events": 8,
    "segment.store_bytes_written": 64 * 1024,
    "segment.store_reads_warm": 0,
    "pure.history_events": 2,
}
SAME_FOR_ANY_BAG = ("segment.history_bytes", "segment.history_events")


def main() -> int:
    """Run the benchmarks."""
    ran = subprocess.run(
        [".venv/bin/statebag", "bench", "--json"], capture_output=True, text=True, timeout=400, check=True
    )
    figures = {figure["name"]: figure for figure in json.loads(ran.stdout)["figures"]}
    wrong = [name for name, most in MOST.items() if figures[name]["value"] > most]
    wrong += [name for name in SAME_FOR_ANY_BAG if not 0.9 <= figures[name]["ratio"] <= 1.1]
    for name, figure in figures.items():
        print(f"{name}: {figure['value']} {figure['unit']}, ratio {figure['ratio']}{' TOO MUCH' * (name in wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
