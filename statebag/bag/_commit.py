"""One commit record a bag version: what makes an action happen once, however often it is tried.

The record is written with put-if-absent, which is a compare-and-set on the
version. Whoever comes second with the same action gets the first one's answer;
with another action, a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebag.blobs import ExecutionBlobs
from statebag.canonical import canonical_bytes, sha256_hex
from statebag.errors import BagConflict

__all__ = ["commit", "digest_of", "find_commit"]


def digest_of(action: str, payload: Mapping[str, Any]) -> str:
    """Identity of a result that brings none of its own."""
    return sha256_hex(canonical_bytes([action, payload]))[:32]


def find_commit(
    blobs: ExecutionBlobs, *, lineage: str, version: int, action: str, result_id: str
) -> Mapping[str, Any] | None:
    """The stored answer, if this very action has made this version already.

    Raises:
        BagConflict: another action has.
    """
    record = blobs.read_record(_name(lineage, version))
    return None if record is None else _answer(record, version, action, result_id)


def commit(
    blobs: ExecutionBlobs, *, lineage: str, version: int, action: str, result_id: str, answer: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Make ``answer`` the one that led to ``version``, and return the one that did.

    Args:
        blobs: the execution's store.
        lineage: separates histories that may count the same versions: a branch, a run after a reset.
        version: the bag version that the action makes.
        action: its name.
        result_id: what tells a repeat from another result.
        answer: small JSON: it is kept in the record.

    Raises:
        BagConflict: another action made this version.
    """
    record = {"action": action, "result_id": result_id, "answer": answer}
    mine, stored = blobs.record_once(_name(lineage, version), record)
    return answer if mine else _answer(stored, version, action, result_id)


def _name(lineage: str, version: int) -> str:
    return f"commits/{lineage}/{version:08d}"


def _answer(record: Mapping[str, Any], version: int, action: str, result_id: str) -> Mapping[str, Any]:
    if record["action"] == action and record["result_id"] == result_id:
        return record["answer"]
    raise BagConflict(
        f"bag version {version}: already made by {record['action']} with another result than this {action}. "
        "Reload the bag and apply the action to its newest version.",
        details={"bag_version": version, "made_by": record["action"]},
    )
