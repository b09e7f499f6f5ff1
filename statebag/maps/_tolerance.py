"""How many items of a map may fail. A map fails by exceeding what is tolerated, not by reaching it."""

from __future__ import annotations

from fractions import Fraction

from statebag.config import MapSpec

__all__ = ["explain_failure", "tolerated_failures"]


def tolerated_failures(spec: MapSpec, total: int) -> int:
    """The largest number of failed items with which a map over ``total`` items succeeds; -1 where it can't succeed."""
    limits = [total * Fraction(str(spec.percentage)) // 100]
    if spec.tolerated_failure_count is not None:
        limits.append(spec.tolerated_failure_count)
    if spec.minimum_successes is not None:
        limits.append(total - spec.minimum_successes)
    return max(-1, int(min(limits)))


def explain_failure(spec: MapSpec, *, total: int, succeeded: int, failed: int) -> str | None:
    """Why a map that has ended with these counts has failed; None where it has not."""
    pending = total - succeeded - failed
    if failed <= tolerated_failures(spec, total) and not pending:
        return None
    reasons: list[str] = []
    if failed * 100 > total * Fraction(str(spec.percentage)):
        share = f"{failed} of {total} items failed ({float(Fraction(failed * 100, total)):.4g} %)"
        reasons.append(f"{share}, and {spec.percentage:g} % are tolerated")
    if spec.tolerated_failure_count is not None and failed > spec.tolerated_failure_count:
        reasons.append(f"{failed} of {total} items failed, and {spec.tolerated_failure_count} are tolerated")
    if spec.minimum_successes is not None and total - failed < spec.minimum_successes:
        reasons.append(f"at most {total - failed} of {total} items can succeed, and {spec.minimum_successes} must")
    if not reasons:
        reasons.append(f"{pending} of {total} items never ran")
    elif pending:
        reasons.append(f"{pending} were not run any more")
    return "; ".join(reasons)
