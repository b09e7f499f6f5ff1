"""A map fails by exceeding what it tolerates: the number and the words agree for every number of items."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from statebag.config import MapSpec
from statebag.maps import explain_failure, tolerated_failures

LAW = settings(deadline=None, max_examples=300)

PERCENTAGES = st.one_of(
    st.none(),
    st.sampled_from([0.0, 0.1, 9.99, 10.0, 12.5, 33.3, 33.33333333, 50.0, 99.9, 100.0]),
    st.integers(0, 100),
    st.integers(0, 10_000).map(lambda hundredths: hundredths / 100),
)


def spec_of(percentage: float | None = None, count: int | None = None, least: int | None = None) -> MapSpec:
    return MapSpec(tolerated_failure_percentage=percentage, tolerated_failure_count=count, minimum_successes=least)


@LAW
@given(
    percentage=PERCENTAGES,
    count=st.none() | st.integers(0, 2_100),
    least=st.none() | st.integers(0, 2_100),
    total=st.integers(0, 2_000),
)
@example(percentage=9.99, count=None, least=None, total=1_000)
@example(percentage=33.3, count=None, least=None, total=1_000)
@example(percentage=None, count=0, least=None, total=0)
def test_what_is_tolerated_is_the_most_that_is_not_explained(
    percentage: float | None, count: int | None, least: int | None, total: int
) -> None:
    spec = spec_of(percentage, count, least)
    most = tolerated_failures(spec, total)
    fails = [
        explain_failure(spec, total=total, succeeded=total - failed, failed=failed) is not None
        for failed in range(total + 1)
    ]
    assert -1 <= most <= max(total, count or 0)
    assert fails == [failed > most for failed in range(total + 1)]


@pytest.mark.parametrize(
    ("percentage", "total", "most"),
    [(10, 1_000, 100), (9.99, 1_000, 99), (9.99, 10_000, 999), (33.3, 1_000, 333), (33.3, 10, 3), (0.1, 999, 0)],
)
def test_a_share_is_of_all_items_and_counted_exactly(percentage: float, total: int, most: int) -> None:
    assert tolerated_failures(spec_of(percentage), total) == most
    assert most * 100 <= Fraction(str(percentage)) * total < (most + 1) * 100


@pytest.mark.parametrize(
    ("spec", "counts", "text"),
    [
        (spec_of(), (80, 11), "11 of 100 items failed (11 %), and 10 % are tolerated; 9 were not run any more"),
        (spec_of(9.5), (90, 10), "10 of 100 items failed (10 %), and 9.5 % are tolerated"),
        (spec_of(count=2), (97, 3), "3 of 100 items failed, and 2 are tolerated"),
        (spec_of(100, least=99), (98, 2), "at most 98 of 100 items can succeed, and 99 must"),
        (spec_of(), (95, 5), None),
        (spec_of(), (90, 5), "5 of 100 items never ran"),
        (spec_of(100), (0, 0), "100 of 100 items never ran"),
        (
            spec_of(1, count=2, least=97),
            (97, 3),
            "3 of 100 items failed (3 %), and 1 % are tolerated; 3 of 100 items failed, and 2 are tolerated",
        ),
    ],
)
def test_the_words(spec: MapSpec, counts: tuple[int, int], text: str | None) -> None:
    succeeded, failed = counts
    assert explain_failure(spec, total=100, succeeded=succeeded, failed=failed) == text


def test_no_items_succeed_unless_some_must() -> None:
    counts: dict[str, Any] = {"total": 0, "succeeded": 0, "failed": 0}
    assert explain_failure(spec_of(0), **counts) is None
    assert tolerated_failures(spec_of(least=1), 0) == -1
    assert explain_failure(spec_of(least=1), **counts) == "at most 0 of 0 items can succeed, and 1 must"
