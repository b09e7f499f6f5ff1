"""How values of databases become JSON, and what is sent before a query."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import exc

from statebag.errors import Unserialisable
from statebag.nodes.sql._connections import Connection
from statebag.nodes.sql._execute import opening_statements
from statebag.nodes.sql._failures import explain
from statebag.nodes.sql._query import Query
from statebag.nodes.sql._rows import row_of
from statebag.nodes.sql._statement import first_word, parameters_of


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (None, None),
        (True, True),
        (2**70, 2**70),
        (0.1, 0.1),
        ("ü", "ü"),
        (Decimal("0.10"), "0.10"),
        (Decimal("1E+3"), "1000"),
        (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        (date(2026, 2, 28), "2026-02-28"),
        (datetime(2026, 2, 28, 1, 2, 3, 4, UTC), "2026-02-28T01:02:03.000004+00:00"),
        (datetime(2026, 2, 28, 1, 2, 3), "2026-02-28T01:02:03"),  # noqa: DTZ001
        (time(1, 2), "01:02:00"),
        (timedelta(days=1, seconds=1, microseconds=500_000), "PT86401.5S"),
        (timedelta(seconds=-1, microseconds=-1), "-PT1.000001S"),
        (timedelta(), "PT0S"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ip_address("10.0.0.1"), "10.0.0.1"),
        (ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        ([1, (Decimal(2), None)], [1, ["2", None]]),
        ({"a": [date(2026, 1, 1)]}, {"a": ["2026-01-01"]}),
    ],
)
def test_a_value_has_one_form(value: Any, json: Any) -> None:
    assert row_of(["c"], [value]) == {"c": json}


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_exact_numbers_stay_exact(value: Decimal) -> None:
    assert Decimal(row_of(["c"], [value])["c"]) == value


@pytest.mark.parametrize(
    "value", [b"", bytearray(b"x"), memoryview(b"x"), math.nan, math.inf, Decimal("NaN"), 1j, {1}, [b"x"], {"a": b"x"}]
)
def test_what_has_no_form_is_refused(value: Any) -> None:
    with pytest.raises(Unserialisable, match="column 'c'"):
        row_of(["c"], [value])


def test_databases_are_told_to_keep_to_the_limits() -> None:
    def opening(dialect: str, *, read_only: bool = True) -> tuple[str, ...]:
        return opening_statements(dialect, read_only=read_only, timeout_seconds=1.5)

    assert opening("postgresql") == ("SET TRANSACTION READ ONLY", "SET LOCAL statement_timeout = 1500")
    assert opening("mysql") == ("SET SESSION max_execution_time = 1500", "START TRANSACTION READ ONLY")
    assert opening("mariadb") == ("SET SESSION max_statement_time = 1.5", "START TRANSACTION READ ONLY")
    assert opening("sqlite") == ("PRAGMA query_only = ON",)
    assert opening("oracle") == ()
    assert opening("postgresql", read_only=False) == ("SET LOCAL statement_timeout = 1500",)
    assert opening("mysql", read_only=False) == ("SET SESSION max_execution_time = 1500",)
    assert opening("sqlite", read_only=False) == ()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("SELECT :a, :b_1, :a", ("a", "b_1")),
        ("SELECT x::int, '12:30', \\:no", ()),
        ("SELECT (:a)", ("a",)),
        ("SELECT '\\:x' || :ü", ("ü",)),
    ],
)
def test_parameters_of_a_query(query: str, names: tuple[str, ...]) -> None:
    import sqlalchemy

    assert parameters_of(query) == names
    assert set(sqlalchemy.text(query).compile().params) == set(names)


@pytest.mark.parametrize(
    ("query", "word"),
    [("  select 1", "SELECT"), ("((values (1)))", "VALUES"), ("--x\n/* y */With a", "WITH"), ("", ""), ("1", "")],
)
def test_the_first_word_of_a_query(query: str, word: str) -> None:
    assert first_word(query) == word


@pytest.mark.parametrize(
    ("raised", "code", "retryable"),
    [
        ({"sqlstate": "40001"}, "DB_UNAVAILABLE", True),
        ({"sqlstate": "40P01"}, "DB_UNAVAILABLE", True),
        ({"sqlstate": "08006"}, "DB_UNAVAILABLE", True),
        ({"pgcode": "57P01"}, "DB_UNAVAILABLE", True),
        ({"sqlstate": "55P03"}, "DB_UNAVAILABLE", True),
        ({"args": (1213, "Deadlock found")}, "DB_UNAVAILABLE", True),
        ({"args": (2013, "Lost connection")}, "DB_UNAVAILABLE", True),
        ({"invalidated": True}, "DB_UNAVAILABLE", True),
        ({"sqlstate": "57014"}, "DB_TIMEOUT", True),
        ({"args": (3024, "Query execution was interrupted")}, "DB_TIMEOUT", True),
        ({"sqlstate": "25006"}, "DB_READ_ONLY", False),
        ({"args": (1792, "Cannot execute statement")}, "DB_READ_ONLY", False),
        ({"args": ({"C": "40001", "M": "could not serialize"},)}, "DB_UNAVAILABLE", True),
        ({"sqlstate": "42P01"}, "DB_FAILED", False),
        ({"args": (1146, "Table doesn't exist")}, "DB_FAILED", False),
    ],
)
def test_refusals_of_other_databases(raised: dict[str, Any], code: str, retryable: bool) -> None:
    cause = Exception(*raised.pop("args", ("said",)))
    lost = raised.pop("invalidated", False)
    for name, value in raised.items():
        setattr(cause, name, value)
    query = Query(
        text="SELECT 1",
        params={},
        connection=Connection(url="x://", name="shop", may_write=False),
        fetch="all",
        max_rows=1,
        read_only=True,
        timeout_seconds=1.0,
    )
    error = explain(query, exc.DBAPIError("SELECT 1", {}, cause, connection_invalidated=lost))
    assert (error.code, error.retryable) == (code, retryable)
