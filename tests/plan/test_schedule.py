"""Which branches run beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import ResourcePolicy
from statebag.plan import BranchNeeds, ListNeed, Schedule, schedule_branches

Batches = list[list[int]]


def schedule(
    needs: Sequence[BranchNeeds], policy: ResourcePolicy | None = None, lengths: Mapping[str, int] | None = None
) -> Schedule:
    return schedule_branches(needs, policy, lambda path: (lengths or {}).get(path, 0))


def batches(needs: Sequence[BranchNeeds], policy: ResourcePolicy | None = None) -> Batches:
    return [list(batch) for batch in schedule(needs, policy).batches]


def branch(memory_mb: int = 60, tokens: int = 0, *, shared: bool = False) -> BranchNeeds:
    return BranchNeeds(memory_mb=memory_mb, tokens=tokens, shared=shared)


def limits(memory_mb: int = 3072, tokens: int = 100_000, branches: int = 10, strategy: str = "") -> ResourcePolicy:
    return ResourcePolicy(
        strategy=strategy or "RESOURCE_OPTIMIZED",
        max_concurrent_memory_mb=memory_mb,
        max_concurrent_tokens=tokens,
        max_concurrent_branches=branches,
    )


def test_without_a_policy_all_run_at_once() -> None:
    found = schedule([branch(9000, 10**6), branch(9000, shared=True), branch()])
    assert (found.strategy, found.batches, found.max_concurrency) == ("DEFAULT", ((0, 1, 2),), 100)
    assert (found.total_memory_mb, found.total_tokens, found.guardrail_applied) == (18060, 10**6, False)


def test_without_a_policy_many_stay_in_one_batch_of_which_a_hundred_run() -> None:
    found = schedule([branch()] * 101)
    assert (len(found.batches), found.max_concurrency, found.guardrail_applied) == (1, 100, True)


def test_a_hundred_and_twenty_for_speed_are_two_batches() -> None:
    found = schedule([branch(60)] * 120, ResourcePolicy(strategy="SPEED_OPTIMIZED"))
    assert found.batches == (tuple(range(100)), tuple(range(100, 120)))
    assert (found.strategy, found.total_memory_mb, found.total_tokens) == ("SPEED_OPTIMIZED", 7200, 0)
    assert found.guardrail_applied


def test_up_to_a_hundred_for_speed_are_one_batch_whatever_they_need() -> None:
    found = schedule([branch(9000, 10**6, shared=True)] * 100, ResourcePolicy(strategy="SPEED_OPTIMIZED"))
    assert found.batches == (tuple(range(100)),)
    assert not found.guardrail_applied


def test_many_for_speed_are_held_to_ten_gigabytes_a_batch() -> None:
    found = schedule([branch(1024)] * 101, ResourcePolicy(strategy="SPEED_OPTIMIZED"))
    assert [len(batch) for batch in found.batches] == [10] * 10 + [1]


def test_cost_puts_the_dearest_first_and_alone_where_it_is_over_the_limit() -> None:
    needs = [
        branch(110, 507),
        BranchNeeds(memory_mb=60, lists=(ListNeed(path="docs", tokens_per_item=5000),)),
        branch(60),
    ]
    found = schedule(needs, limits(2048, 10_000, 5, "COST_OPTIMIZED"), {"docs": 20})
    assert found.batches == ((1,), (0, 2))
    assert (found.total_memory_mb, found.total_tokens) == (330, 100_507)


def test_one_over_the_tokens_is_alone_and_a_writer_is_last_and_alone() -> None:
    needs = [
        branch(120, 520),
        branch(120, 530, shared=True),
        BranchNeeds(memory_mb=60, lists=(ListNeed(path="products", tokens_per_item=5000),)),
        branch(60),
        branch(110, 517),
    ]
    found = schedule(needs, limits(1024, 50_000, 3), {"products": 50})
    assert found.batches == ((2,), (0, 3, 4), (1,))
    assert (found.total_memory_mb, found.total_tokens) == (720, 251_567)


def test_writers_run_alone_though_all_would_fit() -> None:
    needs = [branch(shared=True), branch(), branch(shared=True), branch(), branch(shared=True)]
    for strategy in ("RESOURCE_OPTIMIZED", "COST_OPTIMIZED"):
        assert batches(needs, limits(strategy=strategy)) == [[1, 3], [0], [2], [4]]
    assert batches([branch(shared=True), branch()], limits()) == [[1], [0]]
    assert batches([branch(shared=True)], limits()) == [[0]]


def test_the_number_of_branches_is_a_limit_though_all_would_fit() -> None:
    assert batches([branch(1)] * 7, limits(branches=3)) == [[0, 1, 2], [3, 4, 5], [6]]
    found = schedule([branch(1)] * 7, limits(branches=3))
    assert found.max_concurrency == 3


def test_no_policy_runs_more_than_a_hundred_at_once() -> None:
    found = schedule([branch(1)] * 120, limits(branches=500))
    assert [len(batch) for batch in found.batches] == [100, 20]
    assert (found.max_concurrency, found.guardrail_applied) == (100, True)
    assert not schedule([branch(1)] * 120, limits(branches=100)).guardrail_applied


def test_first_fit_goes_by_memory_or_by_tokens() -> None:
    needs = [branch(100, 900), branch(600, 100), branch(500, 500), branch(400, 600)]
    assert batches(needs, limits(1000, 1000)) == [[1, 3], [2], [0]]
    assert batches(needs, limits(1000, 1000, strategy="COST_OPTIMIZED")) == [[0, 1], [3], [2]]


def test_sums_that_are_equal_to_the_limits_fit() -> None:
    assert batches([branch(500, 50), branch(500, 50)], limits(1000, 100, 2)) == [[0, 1]]
    assert batches([branch(500, 50), branch(501, 50)], limits(1000, 100, 2)) == [[1], [0]]
    assert batches([branch(500, 50), branch(500, 51)], limits(1000, 100, 2)) == [[0], [1]]


def test_a_group_without_branches_has_no_batches() -> None:
    for policy in (None, ResourcePolicy(strategy="SPEED_OPTIMIZED"), limits()):
        assert schedule([], policy).batches == ()


def test_a_list_is_counted_once_though_many_branches_go_over_it() -> None:
    asked: list[str] = []

    def count(path: str) -> int:
        asked.append(path)
        return 4

    one = BranchNeeds(memory_mb=60, lists=(ListNeed(path="docs"), ListNeed(path="pages", memory_mb_per_item=7)))
    assert schedule_branches([one] * 3, None, count).total_memory_mb == 3 * (60 + 4 * 5 + 4 * 7)
    assert asked == ["docs", "pages"]


def test_a_schedule_is_stored_as_json() -> None:
    found = schedule([branch(shared=True), branch()], limits())
    assert found.to_json() == {
        "strategy": "RESOURCE_OPTIMIZED",
        "batches": [[1], [0]],
        "max_concurrency": 10,
        "total_memory_mb": 120,
        "total_tokens": 0,
        "guardrail_applied": False,
        "reason": found.reason,
    }
    assert Schedule.from_json(parse_json(canonical_bytes(found.to_json()))) == found


loads = st.builds(BranchNeeds, memory_mb=st.integers(0, 400), tokens=st.integers(0, 400), shared=st.booleans())
groups = st.lists(loads, max_size=40)
policies = st.builds(
    ResourcePolicy,
    strategy=st.sampled_from(["RESOURCE_OPTIMIZED", "COST_OPTIMIZED"]),
    max_concurrent_memory_mb=st.integers(1, 1000),
    max_concurrent_tokens=st.integers(1, 1000),
    max_concurrent_branches=st.integers(1, 12),
)
any_policy = st.one_of(st.none(), policies, policies.map(lambda one: replace(one, strategy="SPEED_OPTIMIZED")))


@given(groups, any_policy)
def test_every_branch_is_in_one_batch_and_batches_are_in_order_inside(
    needs: list[BranchNeeds], policy: ResourcePolicy | None
) -> None:
    found = batches(needs, policy)
    assert sorted(index for batch in found for index in batch) == list(range(len(needs)))
    assert all(batch and batch == sorted(batch) for batch in found)
    assert found == batches(list(needs), policy)


@given(groups, policies)
def test_no_batch_of_several_is_over_a_limit(needs: list[BranchNeeds], policy: ResourcePolicy) -> None:
    found = schedule(needs, policy)
    for batch in found.batches:
        assert len(batch) <= found.max_concurrency == policy.max_concurrent_branches
        if len(batch) > 1:
            assert sum(needs[index].memory_mb for index in batch) <= policy.max_concurrent_memory_mb
            assert sum(needs[index].tokens for index in batch) <= policy.max_concurrent_tokens


@given(groups, policies)
def test_writers_are_alone_at_the_end_in_the_groups_order(needs: list[BranchNeeds], policy: ResourcePolicy) -> None:
    found = batches(needs, policy)
    writers = [[index] for index, need in enumerate(needs) if need.shared]
    assert found[len(found) - len(writers) :] == writers


@given(groups, policies)
def test_first_fit_wastes_no_batch(needs: list[BranchNeeds], policy: ResourcePolicy) -> None:
    """No two batches of it would fit into one."""
    found = [batch for batch in batches(needs, policy) if not needs[batch[0]].shared]
    for place, first in enumerate(found):
        for second in found[place + 1 :]:
            both = [needs[index] for index in first + second]
            assert (
                len(both) > policy.max_concurrent_branches
                or sum(need.memory_mb for need in both) > policy.max_concurrent_memory_mb
                or sum(need.tokens for need in both) > policy.max_concurrent_tokens
            )


@given(st.data(), groups, policies)
def test_the_order_of_the_branches_changes_no_batch_in_kind(
    data: st.DataObject, needs: list[BranchNeeds], policy: ResourcePolicy
) -> None:
    """Where the order decides only between branches that need the same, batches need the same."""
    policy = replace(policy, strategy="RESOURCE_OPTIMIZED")
    needs = [replace(need, tokens=need.memory_mb) for need in needs]
    order = data.draw(st.permutations(range(len(needs))))
    moved = [needs[index] for index in order]

    def kinds(given_needs: Sequence[BranchNeeds]) -> Counter[tuple[tuple[int, bool], ...]]:
        return Counter(
            tuple(sorted((given_needs[index].memory_mb, given_needs[index].shared) for index in batch))
            for batch in batches(given_needs, policy)
        )

    assert kinds(moved) == kinds(needs)


@pytest.mark.parametrize("strategy", ["SPEED_OPTIMIZED", "RESOURCE_OPTIMIZED", "COST_OPTIMIZED"])
def test_five_hundred_branches_are_scheduled_at_once(strategy: str) -> None:
    needs = [branch(60 + index * 7919 % 1500, index * 104729 % 90_000) for index in range(500)]
    found = schedule(needs, ResourcePolicy(strategy=strategy))
    assert sum(len(batch) for batch in found.batches) == 500
    assert found.total_memory_mb == sum(need.memory_mb for need in needs)
