"""A parallel group's ``resource_policy`` in documents."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import ResourcePolicy, check_resource_policy


def findings(raw: Any) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in check_resource_policy(raw, "$.nodes[0].resource_policy")]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, ResourcePolicy()),
        ({"strategy": None, "max_concurrent_tokens": None}, ResourcePolicy()),
        ({"strategy": "BALANCED"}, ResourcePolicy(strategy="RESOURCE_OPTIMIZED")),
        ({"strategy": "COST_OPTIMIZED", "max_concurrent_tokens": 1}, None),
        (
            {
                "strategy": "SPEED_OPTIMIZED",
                "max_concurrent_memory_mb": 1,
                "max_concurrent_tokens": 2,
                "max_concurrent_branches": 3,
            },
            ResourcePolicy(
                strategy="SPEED_OPTIMIZED",
                max_concurrent_memory_mb=1,
                max_concurrent_tokens=2,
                max_concurrent_branches=3,
            ),
        ),
    ],
)
def test_what_is_right(raw: dict[str, Any], expected: ResourcePolicy | None) -> None:
    assert findings(raw) == []
    found = ResourcePolicy.from_json(raw)
    assert found == (expected or ResourcePolicy(strategy="COST_OPTIMIZED", max_concurrent_tokens=1))
    assert ResourcePolicy.from_json(parse_json(canonical_bytes(found.to_json()))) == found


def test_no_policy_is_right() -> None:
    assert findings(None) == []


def test_defaults() -> None:
    assert ResourcePolicy().to_json() == {}
    assert ResourcePolicy(max_concurrent_branches=3).to_json() == {"max_concurrent_branches": 3}
    policy = ResourcePolicy()
    assert (policy.max_concurrent_memory_mb, policy.max_concurrent_tokens) == (3072, 100_000)
    assert (policy.strategy, policy.max_concurrent_branches) == ("RESOURCE_OPTIMIZED", 10)


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("strategy", "FASTEST", "FIELD_VALUE"),
        ("strategy", "speed_optimized", "FIELD_VALUE"),
        ("strategy", "", "FIELD_VALUE"),
        ("strategy", 1, "FIELD_TYPE"),
        ("max_concurrent_memory_mb", 0, "FIELD_VALUE"),
        ("max_concurrent_tokens", -1, "FIELD_VALUE"),
        ("max_concurrent_branches", "10", "FIELD_TYPE"),
        ("max_concurrent_branches", True, "FIELD_TYPE"),
        ("max_concurrent_branches", 1.5, "FIELD_TYPE"),
        ("max_parallel_branches", 4, "FIELD_UNKNOWN"),
    ],
)
def test_what_is_wrong(member: str, value: Any, code: str) -> None:
    assert findings({member: value}) == [(f"$.nodes[0].resource_policy.{member}", code)]


@pytest.mark.parametrize("raw", [[], "SPEED_OPTIMIZED", 3, True])
def test_what_is_no_object(raw: Any) -> None:
    assert findings(raw) == [("$.nodes[0].resource_policy", "FIELD_TYPE")]


def test_an_unknown_strategy_is_told_which_there_are() -> None:
    (problem,) = check_resource_policy({"strategy": "FASTEST"}, "$")
    assert all(name in problem.message for name in ("SPEED_OPTIMIZED", "RESOURCE_OPTIMIZED", "COST_OPTIMIZED"))


def test_all_problems_are_told_at_once() -> None:
    raw = {"strategy": "X", "max_concurrent_memory_mb": 0, "max_concurrent_tokens": "1", "isolation": True}
    assert [code for _, code in findings(raw)] == ["FIELD_VALUE", "FIELD_VALUE", "FIELD_TYPE", "FIELD_UNKNOWN"]
