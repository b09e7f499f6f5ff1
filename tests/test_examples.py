"""Every example runs to its end, from the command line, and gives what its text promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def run_example(name: str, given: Path, *options: str) -> tuple[int, dict[str, Any]]:
    command = [
        Path(sys.executable).parent / "statebag",
        "run",
        EXAMPLES / name,
        "--input",
        f"@{given}",
        "--mock",
        "--json",
    ]
    ran = subprocess.run([*command, *options], capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    return ran.returncode, json.loads(ran.stdout)


def test_document_review_is_approved_and_answered() -> None:
    code, result = run_example("document_review.json", EXAMPLES / "document_review.input.json", "--auto-approve")
    state = result["final_state"]
    assert (code, result["status"], result["pauses"], result["total_segments"]) == (0, "SUCCEEDED", 1, 7)
    assert result["loop_counter"] == 6
    assert state["clause_count"] == 5
    assert state["decision"] == "sign"
    assert state["letter"] == "Dear Brightside Support Ltd, thank you for your offer. The contract is signed."
    assert state["record"] == {"archived": True, "outcome": "The contract is signed.", "verdict": "negotiate"}
    assert state["briefing"].startswith("5 clauses, verdict: negotiate.")


def test_order_is_confirmed_after_the_screening_was_refused_once() -> None:
    code, result = run_example("order.json", EXAMPLES / "order.input.json")
    state = result["final_state"]
    assert (code, result["status"]) == (0, "SUCCEEDED")
    assert state["total"] == pytest.approx(379.8)
    assert state["screening"]["plausible"] is True
    assert state["confirmation"] == f"Order {state['order_number']} of Feinkost Adler: 379.8 EUR."


def test_an_empty_order_fails_with_its_reason() -> None:
    code, result = run_example("order.json", EXAMPLES / "order.empty.input.json")
    assert (code, result["status"], result["error"]["code"]) == (1, "FAILED", "ASSERTION_FAILED")
    assert "an order has lines and a customer" in result["error"]["message"]
    assert result["trace"][-2:] == ["NotifyAndFail", "WorkflowFailed"]


def test_a_tender_is_read_from_three_sides_at_once_and_negotiated() -> None:
    code, result = run_example("tender.json", EXAMPLES / "tender.input.json", "--auto-approve")
    state = result["final_state"]
    assert (code, result["status"], result["pauses"], result["total_segments"]) == (0, "SUCCEEDED", 1, 7)
    assert state["outcome"] == "Brightside wins with 0.966 after 1 rounds."
    assert [entry["reference"]["score"] for entry in state["reference_results"]] == [0.5, 0.8, 0.9]
    assert state["price_scores"] == {"Brightside": 0.833, "Novak": 1.0, "Okoye": 0.909}
    assert state["legal_note"] == "fine"
    assert result["trace"].count("ProcessParallelBranches") == 1


def test_a_price_list_tolerates_rows_without_a_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEBAG_STORE", (tmp_path / "store").as_uri())
    upload = [Path(sys.executable).parent / "statebag", "upload", EXAMPLES / "prices.csv"]
    subprocess.run(upload, check=True, timeout=60, cwd=ROOT)
    given = tmp_path / "input.json"
    given.write_text('{"tax_percent": 10}')
    code, result = run_example("price_list.json", given)
    state = result["final_state"]
    assert (code, result["status"], result["failed_items"]) == (0, "SUCCEEDED", 7)
    assert (len(state["rows"]), state["read_prices_iteration_count"], len(state["price_list"])) == (200, 200, 193)
    assert [row["article"] for row in state["rows"]] == [f"P-{number:03d}" for number in range(1, 201)]
    assert state["price_list"][0] == {"article": "P-001", "net": 200.72, "gross": 220.79}
    assert [row["article"] for row in state["unreadable"]] == [
        "P-017",
        "P-042",
        "P-068",
        "P-101",
        "P-133",
        "P-160",
        "P-188",
    ]
    assert "'on request'" in state["unreadable"][0]["error"]["message"]


def test_a_catalogue_of_ten_megabytes_is_summarised(tmp_path: Path) -> None:
    given = tmp_path / "catalogue.json"
    with given.open("w") as out:
        subprocess.run([sys.executable, EXAMPLES / "make_catalogue.py"], stdout=out, check=True, timeout=60)
    assert given.stat().st_size > 10_000_000
    catalogue = json.loads(given.read_text())
    code, result = run_example("catalogue.json", given)
    wanted = [a for a in catalogue["warehouse_07"] if a["stock"] < 5 and not a["discontinued"]]
    state = result["final_state"]
    assert (code, result["status"]) == (0, "SUCCEEDED")
    assert state["to_order"] == wanted
    assert state["to_order_count"] == len(wanted) > 20
    assert state["to_order_cost"] == pytest.approx(sum(a["price"] for a in wanted))
    assert {name: state[name] for name in catalogue} == catalogue
