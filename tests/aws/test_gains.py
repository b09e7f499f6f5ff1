"""What v3 spares against the machines before it, on a few scenarios; `statebag bench legacy` has all of them."""

from __future__ import annotations

import pytest

from benchmarks import Figure, Size
from benchmarks.legacy import measure_legacy

pytestmark = [pytest.mark.aws, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {figure.name: figure for figure in measure_legacy(Size(scenarios=10, legacy_turns=1))}


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("legacy.states", 43 / 63),
        ("legacy.transitions", 1.0),
        ("legacy.s3_gets", 0.7),
        ("legacy.history_bytes", 0.8),
        ("legacy.duplicate_log_entries", 0.0),
    ],
)
def test_less_is_done_than_before(figures: dict[str, Figure], name: str, most: float) -> None:
    figure = figures[name]
    assert figure.compared_with
    assert figure.value / figure.compared_with <= most


def test_nothing_is_measured_against_nothing(figures: dict[str, Figure]) -> None:
    assert all(figure.value > 0 for name, figure in figures.items() if name != "legacy.duplicate_log_entries")
