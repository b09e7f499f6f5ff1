"""What is wrong with a node is told before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

URL = "https://api.example.com/"
AT = "$.nodes[0].config"


@pytest.mark.parametrize(
    "config",
    [
        {"url": URL},
        {"url": "{{url}}"},
        {"url": "{{scheme}}://127.0.0.1/"},
        {"url": "https://{{host}}/x"},
        {"url": "https://api.{{zone}}.example/x"},
        {"url": f"{URL}{{{{id}}}}?q={{{{q}}}}"},
        {"url": URL, "method": "delete", "timeout": 300, "on_error": "continue", "output_key": "x"},
        {"url": URL, "json": {"a": ["{{x}}"]}, "headers": {"Authorization": "Bearer {{t}}"}, "params": {"q": [1, 2]}},
        {"url": URL, "body": "x", "include_headers": True, "max_response_bytes": 1, "mock_response": [1]},
        {"url": URL, "timeout_seconds": 5, "heartbeat_seconds": 1, "retry_config": {"max_retries": 1}, "async": False},
        {"url": URL, **dict.fromkeys(("method", "headers", "params", "json", "body", "timeout", "on_error"))},
    ],
)
def test_nothing_is_wrong_with(config: dict[str, Any], check: Callable[..., Any]) -> None:
    assert check(**config) == []


@pytest.mark.parametrize(
    ("config", "problems"),
    [
        ({}, [("url", "FIELD_MISSING")]),
        ({"url": ""}, [("url", "FIELD_MISSING")]),
        ({"url": 1}, [("url", "FIELD_TYPE")]),
        ({"url": "{{ x"}, [("url", "TEMPLATE_SYNTAX")]),
        ({"url": "http://127.0.0.1/{{x}}"}, [("url", "API_ADDRESS_REFUSED")]),
        ({"url": "http://169.254.169.254?{{x}}"}, [("url", "API_ADDRESS_REFUSED")]),
        ({"url": "http://u:p@example.com/{{x}}"}, [("url", "API_ADDRESS_REFUSED")]),
        ({"url": "example.com/x"}, [("url", "API_REQUEST_INVALID")]),
        ({"url": URL, "method": "TRACE"}, [("method", "FIELD_VALUE")]),
        ({"url": URL, "method": ["GET"]}, [("method", "FIELD_VALUE")]),
        ({"url": URL, "headers": "a: b", "params": [1]}, [("headers", "FIELD_TYPE"), ("params", "FIELD_TYPE")]),
        ({"url": URL, "headers": {"a": "{% x %}"}}, [("headers.a", "TEMPLATE_SYNTAX")]),
        ({"url": URL, "headers": {"a b": "c"}}, [("headers['a b']", "FIELD_VALUE")]),
        ({"url": URL, "headers": {"HOST": "evil"}}, [("headers['HOST']", "FIELD_VALUE")]),
        ({"url": URL, "headers": {"Transfer-Encoding": "chunked"}}, [("headers['Transfer-Encoding']", "FIELD_VALUE")]),
        ({"url": URL, "headers": {"X-A": "1", "x-a": "2"}}, [("headers['x-a']", "FIELD_VALUE")]),
        (
            {"url": URL, "headers": {"X-A": "1\r\n2", "X-B": {}}},
            [
                ("headers['X-A']", "FIELD_VALUE"),
                ("headers['X-B']", "FIELD_TYPE"),
            ],
        ),
        ({"url": URL, "json": {}, "body": ""}, [("body", "INPUT_CONFLICT")]),
        ({"url": URL, "timeout": 0}, [("timeout", "FIELD_VALUE")]),
        ({"url": URL, "timeout": 300.5}, [("timeout", "FIELD_VALUE")]),
        ({"url": URL, "timeout": "10"}, [("timeout", "FIELD_TYPE")]),
        ({"url": URL, "timeout": True}, [("timeout", "FIELD_TYPE")]),
        ({"url": URL, "max_response_bytes": 0}, [("max_response_bytes", "FIELD_VALUE")]),
        ({"url": URL, "max_response_bytes": 1e6}, [("max_response_bytes", "FIELD_TYPE")]),
        ({"url": URL, "include_headers": "yes"}, [("include_headers", "FIELD_TYPE")]),
        ({"url": URL, "output_key": ""}, [("output_key", "FIELD_VALUE")]),
        ({"url": URL, "on_error": "skip"}, [("on_error", "FIELD_VALUE")]),
        ({"url": URL, "mock_response": "{{"}, [("mock_response", "TEMPLATE_SYNTAX")]),
        ({"url": URL, "on_rollback": {"x": 1}}, [("on_rollback", "FIELD_UNKNOWN")]),
        ({"url": URL, "header": {}}, [("header", "FIELD_UNKNOWN")]),
        (
            {"url": "ftp://x/", "method": "X", "timeout": -1, "headers": 1},
            [
                ("url", "API_ADDRESS_REFUSED"),
                ("method", "FIELD_VALUE"),
                ("headers", "FIELD_TYPE"),
                ("timeout", "FIELD_VALUE"),
            ],
        ),
    ],
)
def test_each_problem_is_told_with_its_place(
    config: dict[str, Any], problems: list[tuple[str, str]], check: Callable[..., Any]
) -> None:
    assert check(**config) == [(f"{AT}.{place}", code) for place, code in problems]
