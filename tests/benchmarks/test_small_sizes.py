from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import median
from typing import Any

import pytest
from click.testing import CliRunner

import statebag.app.bench as command
from benchmarks import BENCHMARKS, Figure, Report, Size, run_benchmarks
from benchmarks._documents import calling_document, pure_document, state_of
from benchmarks._figures import figure_of
from benchmarks._graphs import GRAPHS
from statebag.canonical import size_of
from statebag.config import load_document
from statebag.nodes import builtin_registry
from statebag.plan import plan_document

SMALL = Size(
    segments=12,
    branches=12,
    turns=1,
    large_bytes=400_000,
    small_bytes=2_000,
    items=500,
    few_items=300,
    many_items=1000,
)


@pytest.fixture(scope="module")
async def report() -> Report:
    return await run_benchmarks(list(BENCHMARKS), SMALL, servers=["responsive"])


@pytest.fixture
def figures(report: Report) -> dict[str, Figure]:
    return {figure.name: figure for figure in report.figures}


def test_every_benchmark_gives_its_figures(figures: dict[str, Figure]) -> None:
    assert list(figures) == [
        "segment.history_bytes",
        "segment.history_events",
        "segment.store_bytes_written",
        "segment.store_reads_warm",
        "segment.time",
        "segment.cpu",
        "pure.history_events",
        "pure.history_bytes",
        "pure.time",
        "pure.cpu",
        "branches.time",
        "branches.cpu",
        "branches.history_events",
        "branches.history_bytes",
        "map.time",
        "map.cpu",
        "map.flat.time",
        "map.parent_events",
        "map.parent_bytes",
        "map.worker_rss",
    ]


def test_history_does_not_grow_with_the_bag(figures: dict[str, Figure]) -> None:
    written, events = figures["segment.history_bytes"], figures["segment.history_events"]
    assert written.ratio == pytest.approx(1, abs=0.1)
    # A short run carries its own start and end: some 13 events and 5 KB.
    assert written.value < 3_000
    assert 6 <= events.value < 8
    assert events.compared_with == events.value


def test_a_segment_writes_what_it_changes_and_reads_nothing(figures: dict[str, Figure]) -> None:
    assert 1_000 < figures["segment.store_bytes_written"].value < 64 * 1024
    assert figures["segment.store_reads_warm"].value == 0


def test_a_pure_segment_costs_one_event_where_two_activities_cost_twelve(figures: dict[str, Figure]) -> None:
    events = figures["pure.history_events"]
    assert 1 <= events.value <= 2
    assert events.compared_with == pytest.approx(12, abs=1)


def test_times_are_compared_in_the_same_run(figures: dict[str, Figure]) -> None:
    for name in ("segment.time", "segment.cpu", "pure.time", "pure.cpu"):
        figure = figures[name]
        assert figure.value > 0
        assert figure.compared_with is not None
        assert figure.ratio == pytest.approx(figure.value / figure.compared_with, rel=0.01)


def test_the_command_prints_one_object(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], list[str]]] = []

    async def measured(names: list[str], *, servers: Sequence[str]) -> Report:
        asked.append((names, list(servers)))
        return report

    monkeypatch.setattr(command, "run_benchmarks", measured)
    result = CliRunner().invoke(command.bench, ["pure", "--json"])
    body: dict[str, Any] = json.loads(result.stdout)
    assert asked == [(["pure"], ["stock", "responsive"])]
    assert [set(figure) for figure in body["figures"]] == [
        {"name", "value", "unit", "compared_with", "ratio"} for _ in report.figures
    ]
    table = CliRunner().invoke(command.bench, ["segment"]).stdout
    assert all(figure.name in table for figure in report.figures)


def test_a_figure_is_a_median_and_its_ratio() -> None:
    assert figure_of("a", [3, 1, 2], "ms", against=[8, 4, 4]).to_json() == {
        "name": "a",
        "value": median([3, 1, 2]),
        "unit": "ms",
        "compared_with": 4,
        "ratio": 0.5,
    }
    assert figure_of("a", [0], "reads").to_json()["ratio"] is None


async def test_planning_needs_no_server() -> None:
    report = await run_benchmarks(["plan"], Size(nodes=500, turns=1))
    assert "server" not in report.environment
    figures = {figure.name: figure for figure in report.figures}
    each = [f"plan.{name}.time" for name in GRAPHS]
    assert list(figures) == ["plan.time", "plan.checked.time", *each]
    assert figures["plan.checked.time"].value == max(figures[name].value for name in each)
    for figure in figures.values():
        assert figure.compared_with is not None
        assert figure.ratio == pytest.approx(figure.value / figure.compared_with, rel=0.01)
    # A slip into something quadratic takes longer than any slow machine does.
    assert figures["plan.time"].value < 500


@pytest.mark.parametrize("count", [60, 500])
@pytest.mark.parametrize(
    ("name", "segments"), [("chain", 1), ("diamonds", None), ("fork", None), ("routes", None)], ids=list(GRAPHS)
)
def test_graphs_have_as_many_nodes_as_asked_for(name: str, segments: int | None, count: int) -> None:
    registry = builtin_registry()
    loaded = load_document(GRAPHS[name](count), registry)
    plan = plan_document(loaded.document, registry)
    assert (len(loaded.document.nodes), loaded.warnings) == (count, ())
    assert sum(len(segment.nodes) for segment in plan.all_segments()) == count
    branches = [len(segment.branches) for segment in plan.all_segments() if segment.branches]
    assert segments in (None, plan.total_segments)
    assert (max(branches, default=0), bool(branches)) == {
        "chain": (0, False),
        "diamonds": (2, True),
        "fork": (count - 10, True),
        "routes": (0, False),
    }[name]


@pytest.mark.parametrize(("make", "outside"), [(calling_document, True), (pure_document, False)])
def test_documents_have_as_many_segments_as_asked_for(make: Any, outside: bool) -> None:
    registry = builtin_registry()
    plan = plan_document(load_document(make(7), registry).document, registry)
    planned = [segment for segment in plan.segments if segment.nodes]
    assert [(len(segment.nodes), segment.outside) for segment in planned] == [(1, outside)] * 7


@pytest.mark.parametrize("total", [2_000, 20_000_000])
def test_a_state_has_the_size_and_the_fields_that_were_asked_for(total: int) -> None:
    state = state_of(total, fields=200, answers=100)
    assert len(state) == 200
    assert sum(map(len, state.values())) == pytest.approx(total, rel=0.05)
    assert size_of(state) < total * 1.1 + 200 * 30
