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
    "map.parent_events": 2000,
    "map.parent_bytes": 2 * 1024 * 1024,
    "map.worker_rss": 400,
}
FLAT_MEMORY = 1.3
"""Most that a worker grows by while a map goes on, against the first third of it."""
SAME_FOR_ANY_BAG = ("segment.history_bytes", "segment.history_events")


def main() -> int:
    """Run the benchmarks."""
    ran = subprocess.run(
        [".venv/bin/statebag", "bench", "--json"], capture_output=True, text=True, timeout=800, check=True
    )
    figures = {figure["name"]: figure for figure in json.loads(ran.stdout)["figures"]}
    wrong = [name for name, most in MOST.items() if figures[name]["value"] > most]
    wrong += [name for name in SAME_FOR_ANY_BAG if not 0.9 <= figures[name]["ratio"] <= 1.1]
    wrong += ["map.worker_rss"] * (figures["map.worker_rss"]["ratio"] > FLAT_MEMORY)
    for name, figure in figures.items():
        print(f"{name}: {figure['value']} {figure['unit']}, ratio {figure['ratio']}{' TOO MUCH' * (name in wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
