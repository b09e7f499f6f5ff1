"""The control namespace: a closed schema that is always inline and that user data can't reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from statebag.errors import StateBagError

__all__ = ["CONTROL_FIELDS", "SCHEMA_VERSION", "Control"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Control:
    """Identity, counters and limits of one run. Names are those of the execution input and the machines."""

    schema_version: int = SCHEMA_VERSION
    bag_version: int = 0
    """Raised by one with every action that changes the bag."""

    ownerId: str = ""  # noqa: N815
    workflowId: str = ""  # noqa: N815
    execution_id: str = ""
    idempotency_key: str = ""
    quota_reservation_id: str = ""
    start_time: int = 0
    """Epoch seconds."""

    segment_to_run: int = 0
    """Index of the next segment to execute, never of the last one."""
    total_segments: int = 1
    loop_counter: int = 0
    """Segments executed so far by the main loop; only ``sync`` and ``merge_async`` raise it."""
    max_loop_iterations: int = 100
    max_branch_iterations: int = 100

    distributed_mode: bool = False
    distributed_strategy: str = "SAFE"
    max_concurrency: int = 1
    batch_size: int = 1
    llm_segments: int = 0
    hitp_segments: int = 0
    MOCK_MODE: str = "false"

    payload_size_kb: float = 0.0
    """Size of the sealed bag, KiB; stamped by the pipe."""
    last_update_time: str = ""
    """UTC, ISO 8601; stamped by the pipe."""

    def to_json(self) -> dict[str, Any]:
        """All fields under their own names."""
        return {name: getattr(self, name) for name in _NAMES}

    @staticmethod
    def from_json(body: Mapping[str, Any]) -> Control:
        """Read the fields of a bag that belong to this namespace.

        Raises:
            StateBagError: ``BAG_MALFORMED``, naming every field that is wrong.
        """
        values = {name: body[name] for name in _NAMES if name in body}
        wrong = [f"{name} is absent" for name in _REQUIRED if name not in values]
        wrong += [
            f"{name} is {value!r}, not {_EXPECTED[_TYPES[name]]}"
            for name, value in values.items()
            if not _is_a(value, _TYPES[name])
        ]
        if values.get("schema_version") != SCHEMA_VERSION:
            wrong.append(f"schema_version is {values.get('schema_version')!r}, this version reads {SCHEMA_VERSION}")
        if wrong:
            raise StateBagError(
                f"state_data is not a bag: {'; '.join(wrong)}. Pass on what the last action returned, unchanged.",
                code="BAG_MALFORMED",
            )
        return Control(**values)


def _is_a(value: Any, expected: type) -> bool:
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return isinstance(value, expected)


_TYPES: Mapping[str, type] = {f.name: type(f.default) for f in fields(Control)}
_EXPECTED: Mapping[type, str] = {int: "a whole number from 0", float: "a number", str: "a text", bool: "true or false"}
_NAMES = tuple(_TYPES)
_REQUIRED = ("bag_version", "execution_id", "segment_to_run", "total_segments", "loop_counter")

CONTROL_FIELDS = frozenset(_NAMES)
"""Names under which this namespace is stored."""
