"""How errors become failures that Temporal repeats or not: the code is the type, always."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError, CancelledError, FailureError
from temporalio.testing import ActivityEnvironment

from activities._errors import TRIES_OF_UNKNOWN, as_failures
from statebag.errors import InputRefused, Problem, ProviderUnavailable, StateBagError, StoreUnavailable


def leaves(base: type[StateBagError] = StateBagError) -> list[type[StateBagError]]:
    return [leaf for one in base.__subclasses__() for leaf in (one, *leaves(one))]


def raise_in_attempt(error: BaseException, attempt: int = 1, *, max_retries: int | None = None) -> ApplicationError:
    """What an activity ends with that raises ``error`` in that attempt."""

    def work() -> None:
        with as_failures(max_retries=max_retries):
            raise error

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt, activity_type="sync")
    with pytest.raises(ApplicationError) as failed:
        environment.run(work)
    assert failed.value.__cause__ is error
    return failed.value


def make(leaf: type[StateBagError]) -> StateBagError:
    if leaf is InputRefused:
        return InputRefused([Problem(path="$.a", code="FIELD_TYPE", message="must be a text")])
    return leaf("what, where, what to do", details={"where": "here"})


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.__name__)
@pytest.mark.parametrize("attempt", [1, 100])
def test_an_error_of_ours_is_repeated_exactly_if_it_says_so(leaf: type[StateBagError], attempt: int) -> None:
    error = make(leaf)
    failure = raise_in_attempt(error, attempt)
    assert (failure.type, failure.message) == (error.code, error.message)
    assert failure.non_retryable is not leaf.retryable
    assert failure.details == (error.to_json(),)
    assert failure.next_retry_delay is None


def test_the_errors_that_are_repeated_are_these() -> None:
    assert {leaf.__name__ for leaf in leaves() if leaf.retryable} == {
        "OffloadFailed",
        "StoreUnavailable",
        "ProviderUnavailable",
    }


@pytest.mark.parametrize("code", ["STORE_DENIED", "SNAPSHOT_NOT_FOUND", "ACTION_UNKNOWN"])
def test_a_code_of_its_own_is_the_type(code: str) -> None:
    failure = raise_in_attempt(StateBagError("text", code=code))
    assert (failure.type, failure.non_retryable) == (code, True)


def test_all_problems_of_an_input_arrive() -> None:
    problems = [Problem(path=f"$.{name}", code="FIELD_TYPE", message="wrong") for name in "abc"]
    failure = raise_in_attempt(InputRefused(problems))
    assert [problem["path"] for problem in failure.details[0]["details"]["problems"]] == ["$.a", "$.b", "$.c"]


@pytest.mark.parametrize(
    ("max_retries", "attempt", "final"),
    [
        (None, 1, False),
        (None, 50, False),
        (0, 1, True),
        (1, 1, False),
        (1, 2, True),
        (3, 3, False),
        (3, 4, True),
        (3, 9, True),
    ],
)
def test_a_provider_that_refuses_is_asked_as_often_as_its_node_says(
    max_retries: int | None, attempt: int, final: bool
) -> None:
    busy = ProviderUnavailable("429", details={"retry_after_seconds": 7.5})
    failure = raise_in_attempt(busy, attempt, max_retries=max_retries)
    assert failure.type == "LLM_UNAVAILABLE"
    assert failure.non_retryable is final
    assert failure.next_retry_delay == (None if final else timedelta(seconds=7.5))
    assert failure.details[0]["details"] == {"retry_after_seconds": 7.5}


def test_a_node_that_takes_too_long_counts_as_a_provider_that_refuses() -> None:
    late = ProviderUnavailable("5 s", code="NODE_TIMEOUT")
    assert [raise_in_attempt(late, attempt, max_retries=1).non_retryable for attempt in (1, 2)] == [False, True]
    assert raise_in_attempt(late).type == "NODE_TIMEOUT"


def test_a_store_that_is_away_is_waited_for_however_few_retries_a_node_grants() -> None:
    assert raise_in_attempt(StoreUnavailable("away"), 30, max_retries=0).non_retryable is False


@pytest.mark.parametrize("given", [0, 3, 2.5])
def test_a_provider_is_left_alone_as_long_as_it_asks_for(given: float) -> None:
    failure = raise_in_attempt(ProviderUnavailable("429", details={"retry_after_seconds": given}), max_retries=3)
    assert failure.next_retry_delay == timedelta(seconds=given)


@pytest.mark.parametrize(("attempt", "final"), [(1, False), (2, False), (3, True), (4, True)])
@pytest.mark.parametrize("max_retries", [None, 9])
def test_whatever_else_is_raised_is_tried_three_times(attempt: int, final: bool, max_retries: int | None) -> None:
    failure = raise_in_attempt(TypeError("'int' object is not iterable"), attempt, max_retries=max_retries)
    assert failure.type == "RUN_FAILED"
    assert failure.message == "sync: TypeError: 'int' object is not iterable"
    assert failure.non_retryable is final
    assert failure.details[0]["code"] == "RUN_FAILED"
    assert TRIES_OF_UNKNOWN == 3


@pytest.mark.parametrize(
    "error", [CancelledError("canceled"), ApplicationError("x", type="MINE"), asyncio.CancelledError()], ids=type
)
def test_what_temporal_knows_already_passes_as_it_is(error: BaseException) -> None:
    def work() -> None:
        with as_failures(max_retries=0):
            raise error

    with pytest.raises((FailureError, asyncio.CancelledError)) as passed:
        ActivityEnvironment().run(work)
    assert passed.value is error


def test_a_block_that_raises_nothing_gives_its_value() -> None:
    def work() -> Any:
        with as_failures():
            return {"a": 1}

    assert ActivityEnvironment().run(work) == {"a": 1}
