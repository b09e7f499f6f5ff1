"""The waves of a window: counted in their short form as they would be written out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.maps import expand
from workflows._window_plan import WindowPlan

RUNS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=6)


def plan_of(*waves: tuple[int, int]) -> WindowPlan:
    return WindowPlan(prefix="run/3/", waves=waves, limit=10)


@given(RUNS)
def test_the_short_form_counts_as_the_long_one(runs: list[tuple[int, int]]) -> None:
    plan, sizes = plan_of(*runs), expand(runs)
    assert plan.units == sum(sizes)
    wave_of = [wave for wave, size in enumerate(sizes) for _ in range(size)]
    for done, wave in enumerate(wave_of):
        assert plan.end_of_wave(done) == sum(sizes[: wave + 1])
    assert plan.end_of_wave(plan.units) == plan.units


@pytest.mark.parametrize(
    ("done", "end"), [(0, 1), (1, 2), (999_999, 1_000_000), (1_000_000, 1_000_003), (1_000_002, 1_000_003)]
)
def test_a_chain_of_a_million_waves_is_not_written_out(done: int, end: int) -> None:
    plan = plan_of((1, 1_000_000), (3, 1))
    assert (plan.units, plan.end_of_wave(done)) == (1_000_003, end)
