"""Tell how a run has ended, or that nobody here watches it any more: as text, as JSON, and as an exit status."""

from __future__ import annotations

from statebag.app.outcome import Outcome
from statebag.app.output import print_error, print_json, print_note
from statebag.app.run import Detached

__all__ = ["tell_detached", "tell_outcome"]


def tell_outcome(outcome: Outcome, *, as_json: bool) -> int:
    """Print it; 0 for a run that SUCCEEDED, else 1."""
    if "error" in outcome:
        print_error(outcome["error"])
    if as_json:
        print_json(outcome)
    else:
        segments, pauses = outcome.get("total_segments", 0), outcome.get("pauses", 0)
        counts = f"{segments} segment{'' if segments == 1 else 's'}, {pauses} pause{'' if pauses == 1 else 's'}"
        print_note(f"{outcome['status']} {outcome['execution_id']}: {counts}")
        if outcome.get("failed_branches"):
            text = "branches that failed and were left out, as their policy says"
            why = f"`statebag history {outcome['execution_id']}` says why"
            print_note(f"{text}: {outcome['failed_branches']}; {why}")
        if outcome.get("failed_items"):
            text = "items that failed, no more than their map tolerates"
            print_note(f"{text}: {outcome['failed_items']}; their results have an `error`")
        if "final_state" in outcome:
            print_json(outcome["final_state"], pretty=True)
    succeeded = outcome["status"] == "SUCCEEDED" and "error" not in outcome
    return 0 if succeeded else 1


def tell_detached(left: Detached, *, as_json: bool) -> int:
    """Print that the run goes on, and how to look at it."""
    print_note(f"no longer watching; the run goes on. Look with: statebag status {left.execution_id}")
    if as_json:
        print_json({"status": "RUNNING", "execution_id": left.execution_id})
    return 1
