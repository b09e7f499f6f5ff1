"""The options of a distributed map: their defaults, and everything that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.config import MapSpec, check_map_options, is_distributed

PATH = "$.nodes[0].config"
READER = {"format": "CSV", "file": "a.csv"}


def findings(**config: Any) -> list[tuple[str, str]]:
    return [(problem.path.removeprefix(f"{PATH}."), problem.code) for problem in check_map_options(config, PATH)]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("strategy", ["MAP_REDUCE", "BATCHED", "SAFE"], ["batched", "FAST", 1]),
        ("chunk_size", [1, 10_000], [0, 10_001, 1.5, "5", True]),
        ("item_concurrency", [1, 100], [0, 101, "1"]),
        ("windows", [1, 20], [0, 21, False]),
        ("tolerated_failure_percentage", [0, 9.99, 100], [-0.1, 100.1, "10", True]),
        ("tolerated_failure_count", [0, 10**9], [-1, 0.5]),
        ("minimum_successes", [0, 5], [-1, "all"]),
        ("fail_fast", [True, False], [1, "yes"]),
        ("depends_on", ["after"], ["", 1, ["a"]]),
        ("id_key", ["sku"], ["", 1]),
        ("chunk_timeout_seconds", [0.1, 31_536_000], [0, -1, 31_536_001, "5"]),
    ],
)
def test_the_values_of_an_option(name: str, good: list[Any], bad: list[Any]) -> None:
    for value in [*good, None]:
        assert findings(distributed=True, **{name: value}) == []
    for value in bad:
        ((path, code),) = findings(distributed=True, **{name: value})
        assert (path, code in ("FIELD_TYPE", "FIELD_VALUE")) == (name, True)
    ((path, code),) = findings(**{name: good[0]})
    assert (path, code) == (name, "FIELD_VALUE")


def test_all_wrong_options_are_told_at_once() -> None:
    found = findings(distributed="yes", chunk_size=0, windows=2)
    assert found == [
        ("distributed", "FIELD_TYPE"),
        ("chunk_size", "FIELD_VALUE"),
        ("chunk_size", "FIELD_VALUE"),
        ("windows", "FIELD_VALUE"),
    ]


@pytest.mark.parametrize(
    ("config", "distributed", "found"),
    [
        ({}, False, []),
        ({"distributed": False}, False, []),
        ({"distributed": None}, False, []),
        ({"distributed": True}, True, []),
        ({"item_reader": READER}, True, []),
        ({"item_reader": READER, "distributed": None, "chunk_size": 5}, True, []),
        ({"item_reader": READER, "distributed": True}, True, []),
        ({"item_reader": READER, "distributed": False}, True, [("distributed", "FIELD_VALUE")]),
        ({"distributed": False, "chunk_size": 5}, False, [("chunk_size", "FIELD_VALUE")]),
    ],
)
def test_what_makes_a_map_distributed(config: dict[str, Any], found: list[Any], *, distributed: bool) -> None:
    assert is_distributed(config) is distributed
    assert findings(**config) == found


def test_the_defaults() -> None:
    spec = MapSpec.from_json({"distributed": True, "items_path": "xs", "chunk_size": None, "windows": None})
    assert spec == MapSpec()
    assert spec.to_json() == {}
    assert (spec.strategy, spec.chunk_size, spec.item_concurrency, spec.windows) == ("MAP_REDUCE", None, 8, 1)
    assert (spec.percentage, spec.concurrency, spec.fail_fast, spec.id_key) == (10.0, 100, True, "id")


@pytest.mark.parametrize(
    ("config", "percentage"),
    [
        ({}, 10.0),
        ({"tolerated_failure_percentage": 0}, 0),
        ({"tolerated_failure_count": 3}, 100.0),
        ({"tolerated_failure_count": 3, "tolerated_failure_percentage": 2.5}, 2.5),
        ({"minimum_successes": 3}, 10.0),
        ({"on_error": "continue"}, 100.0),
        ({"on_error": "fail"}, 0.0),
        ({"on_error": "fail", "tolerated_failure_percentage": 5}, 5),
        ({"on_error": "fail", "tolerated_failure_count": 3}, 0.0),
    ],
)
def test_the_percentage_that_holds(config: dict[str, Any], percentage: float) -> None:
    assert MapSpec.from_json(config).percentage == percentage


@pytest.mark.parametrize(
    ("strategy", "given", "concurrency"),
    [
        ("MAP_REDUCE", None, 100),
        ("BATCHED", None, 10),
        ("SAFE", None, 1),
        ("MAP_REDUCE", 7, 7),
        ("BATCHED", 7, 7),
        ("SAFE", 7, 1),
    ],
)
def test_chunks_at_the_same_time(strategy: str, given: int | None, concurrency: int) -> None:
    assert MapSpec(strategy=strategy, max_concurrency=given).concurrency == concurrency


def test_the_stored_form_loses_nothing() -> None:
    spec = MapSpec(
        strategy="BATCHED",
        chunk_size=5,
        max_concurrency=3,
        item_concurrency=2,
        windows=4,
        tolerated_failure_percentage=0.5,
        tolerated_failure_count=0,
        minimum_successes=9,
        fail_fast=False,
        depends_on="after",
        id_key="sku",
        chunk_timeout_seconds=1.5,
    )
    assert MapSpec.from_json(spec.to_json()) == spec
    assert len(spec.to_json()) == 12
