"""Run workflow documents from a folder and compare what comes out with its ``expected.json``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TYPES = {"string": str, "number": (int, float), "boolean": bool, "object": dict, "array": list}


def differs(path: str, wanted: Any, found: Any) -> list[str]:
    """What is wrong with ``found``."""
    if isinstance(wanted, dict) and "$type" in wanted:
        ok = isinstance(found, TYPES[wanted["$type"]]) and found not in ("", [], {})
        return [] if ok else [f"{path}: {found!r} is no non-empty {wanted['$type']}"]
    if isinstance(wanted, dict) and "$len" in wanted:
        return (
            [] if isinstance(found, list) and len(found) == wanted["$len"] else [f"{path}: not {wanted['$len']} long"]
        )
    if isinstance(wanted, dict) and "$contains" in wanted:
        return [] if isinstance(found, str) and wanted["$contains"] in found else [f"{path}: {found!r}"]
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [d for key, value in wanted.items() for d in differs(f"{path}.{key}", value, found.get(key))]
    return [] if wanted == found else [f"{path}: {found!r}, not {wanted!r}"]


def main(folder: Path) -> int:
    """Run all of them."""
    expected = json.loads((folder / "expected.json").read_text())
    failed = passed = 0
    for name, wanted in expected.items():
        case = folder / f"{name}.json"
        command = [".venv/bin/statebag", "run", str(case), "--mock", "--auto-approve", "--json"]
        given = folder / f"{name}.input.json"
        if given.exists():
            command += ["--input", f"@{given}"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        result = json.loads(ran.stdout)
        absent = wanted.pop("absent", [])
        wrong = differs("$", wanted, result)
        wrong += [f"$.final_state.{key}: is there" for key in absent if key in result.get("final_state", {})]
        failed, passed = failed + bool(wrong), passed + (not wrong)
        print(f"{name}: {'ok' if not wrong else '; '.join(wrong)}")
    print(f"cases: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
