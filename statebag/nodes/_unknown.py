"""Members of a node's ``config`` that nothing reads."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from statebag.errors import Problem

__all__ = ["check_unknown"]

_SHARED: Final = frozenset(
    {
        *("timeout_seconds", "heartbeat_seconds", "retry_config", "error_handling", "on_error", "input_mapping"),
        *("output_mapping", "async", "async_mode", "force_async", "branch_policy", "resource_policy"),
        *("max_concurrency", "branches", "subgraph_ref", "subgraph_inline", "skill_ref", "write_to_db", "write_to_s3"),
    }
)
"""Members that other rooms read, whatever the node's type."""


def check_unknown(config: Mapping[str, Any], known: Collection[str], path: str) -> Iterator[Problem]:
    """Warn of members that are not ``known``, and of ``on_rollback``, which nothing undoes anything by."""
    for key, value in config.items():
        if key == "on_rollback" and value is not None:
            message = "a failed run undoes nothing: `on_rollback` is ignored. Undo it by a node of your own."
            yield Problem(path=f"{path}.{key}", code="FIELD_UNKNOWN", message=message)
        elif key not in known and key not in _SHARED:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            message = f"`{key}` is unknown here.{hint} It is ignored."
            yield Problem(path=f"{path}.{key}", code="FIELD_UNKNOWN", message=message)
