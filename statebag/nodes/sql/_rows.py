"""Values of a database as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Final, cast
from uuid import UUID

from statebag.errors import NodeFailed, Unserialisable

__all__ = ["require_distinct", "row_of"]

_AS_TEXT: Final = (UUID, IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)


def require_distinct(columns: Sequence[str]) -> None:
    """Refuse columns of one name, since an object can hold but one of them.

    Raises:
        NodeFailed: ``DB_FAILED``.
    """
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise NodeFailed(
            f"two columns of the result are called {', '.join(twice)}. Name them apart with AS.", code="DB_FAILED"
        )


def row_of(columns: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """One row as an object.

    Exact numbers (``Decimal``) become text with all their digits, as do UUIDs and network addresses; dates and times
    ISO 8601 text, durations too.

    Raises:
        Unserialisable: a value is binary, NaN, or of a kind without a JSON form.
    """
    return {name: _json_of(value, name) for name, value in zip(columns, values, strict=True)}


def _json_of(value: Any, column: str) -> Any:
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case str():
            return str(value)
        case Decimal() if value.is_finite():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _duration(value)
        case list() | tuple():
            return [_json_of(item, column) for item in cast("Sequence[Any]", value)]
        case dict():
            members = cast("Mapping[Any, Any]", value)
            return {str(key): _json_of(item, column) for key, item in members.items()}
        case _ if isinstance(value, _AS_TEXT):
            return str(value)
        case bytes() | bytearray() | memoryview():
            raise Unserialisable(
                f"column {column!r} is binary, which is not JSON. Let the query encode it as text, in base64 or hex."
            )
        case _:
            shown = value if isinstance(value, float | Decimal) else type(value).__name__
            raise Unserialisable(f"column {column!r}: {shown} has no JSON form. Let the query convert it, with CAST.")


def _duration(value: timedelta) -> str:
    total = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    seconds, micros = divmod(abs(total), 1_000_000)
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    return f"{'-' if total < 0 else ''}PT{seconds}{fraction}S"
