"""What is wrong with a node is told before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

AT = "$.nodes[0].config"
PLAIN = {"query": "SELECT 1", "connection": "shop"}


@pytest.mark.parametrize(
    "config",
    [
        PLAIN,
        PLAIN | {"query": "select a::text from t where b = :b;", "params": {"b": "{{x}}"}},
        PLAIN | {"query": "EXPLAIN SELECT 1", "fetch": "one", "max_rows": 1, "timeout": 3600, "output_key": "x"},
        PLAIN | {"query": "INSERT INTO t VALUES (:a)", "params": {"a": [1, None]}, "read_only": False},
        PLAIN | {"on_error": "continue", "timeout_seconds": 5, "retry_config": {}, "mock_response": [1]},
        {"query": "SELECT 1", "connection_string": "{{url}}"},
        {"query": "SELECT 1", "connection_string": "postgresql://reader:{{ password }}@db/{{name}}"},
        {"query": "SELECT 1", "connection_string": "sqlite:////data/a:b@c.db"},
        PLAIN | dict.fromkeys(("params", "fetch", "max_rows", "read_only", "output_key", "timeout", "on_rollback")),
    ],
)
def test_nothing_is_wrong_with(config: dict[str, Any], check: Callable[..., Any]) -> None:
    assert check(**config) == []


@pytest.mark.parametrize(
    ("config", "problems"),
    [
        ({}, [("query", "FIELD_MISSING"), ("connection", "FIELD_MISSING")]),
        (PLAIN | {"query": 1}, [("query", "FIELD_TYPE")]),
        (PLAIN | {"query": "SELECT '{{x}}'"}, [("query", "FIELD_VALUE")]),
        (PLAIN | {"query": "SELECT 1{% if x %}{% endif %}"}, [("query", "FIELD_VALUE")]),
        (PLAIN | {"query": "SELECT 1; DROP TABLE t"}, [("query", "FIELD_VALUE")]),
        (PLAIN | {"query": "SELECT 1;;\n-- x"}, [("query", "FIELD_VALUE")]),
        (PLAIN | {"query": "SELECT ';x'"}, [("query", "FIELD_VALUE")]),
        (PLAIN | {"query": "CALL f()"}, [("query", "DB_READ_ONLY")]),
        (PLAIN | {"query": "SELECT :a, :b"}, [("params.a", "FIELD_MISSING"), ("params.b", "FIELD_MISSING")]),
        (PLAIN | {"params": {"a": 1}}, [("params.a", "FIELD_UNKNOWN")]),
        (PLAIN | {"query": "SELECT :a", "params": {"a": {"b": 1}}}, [("params.a", "FIELD_TYPE")]),
        (PLAIN | {"query": "SELECT :a", "params": {"a": "{{"}}, [("params.a", "TEMPLATE_SYNTAX")]),
        (PLAIN | {"params": [1]}, [("params", "FIELD_TYPE")]),
        (PLAIN | {"connection": "a-b"}, [("connection", "FIELD_VALUE")]),
        (PLAIN | {"connection": "ALLOW_WRITE"}, [("connection", "FIELD_VALUE")]),
        (PLAIN | {"connection": 1}, [("connection", "FIELD_TYPE")]),
        (PLAIN | {"connection_string": "sqlite://"}, [("connection_string", "INPUT_CONFLICT")]),
        ({"query": "SELECT 1", "connection_string": 1}, [("connection_string", "FIELD_TYPE")]),
        ({"query": "SELECT 1", "connection_string": "postgresql://u:pw@h/d"}, [("connection_string", "FIELD_VALUE")]),
        ({"query": "SELECT 1", "connection_string": "a://u:p{{w}}@h/d"}, [("connection_string", "FIELD_VALUE")]),
        (PLAIN | {"fetch": "many"}, [("fetch", "FIELD_VALUE")]),
        (PLAIN | {"max_rows": 0}, [("max_rows", "FIELD_VALUE")]),
        (PLAIN | {"max_rows": True}, [("max_rows", "FIELD_TYPE")]),
        (PLAIN | {"read_only": "no"}, [("read_only", "FIELD_TYPE")]),
        (PLAIN | {"timeout": 3601}, [("timeout", "FIELD_VALUE")]),
        (PLAIN | {"timeout": "1"}, [("timeout", "FIELD_TYPE")]),
        (PLAIN | {"on_error": "skip"}, [("on_error", "FIELD_VALUE")]),
        (PLAIN | {"on_rollback": {}}, [("on_rollback", "FIELD_UNKNOWN")]),
        (PLAIN | {"parms": {}}, [("parms", "FIELD_UNKNOWN")]),
        (PLAIN | {"mock_response": "{{"}, [("mock_response", "TEMPLATE_SYNTAX")]),
    ],
)
def test_each_problem_is_told_with_its_place(
    config: dict[str, Any], problems: list[tuple[str, str]], check: Callable[..., Any]
) -> None:
    assert check(**config) == [(f"{AT}.{place}", code) for place, code in problems]
