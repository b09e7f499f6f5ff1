"""In what the interpreters still differ from the service: to know when a result is theirs and not the definition's.

Each is shown by a definition, so that a gap which a new version closes is noticed. What the service does is what its
documentation says. Differences that the launchers mend are not here: percentages without a point and tolerated failures
(moto); names of errors, failing functions of callbacks, heartbeats, events of nested states, result files (MiniStack);
callbacks, names of states, tests for what is absent, distributed Maps (aws-local-stepfunctions).

Nor is what no result shows. MiniStack ignores MaxConcurrencyPath (all items run at once), a time-out of the whole machine,
ToleratedFailurePercentagePath and ItemBatcher; both it and aws-local-stepfunctions ignore TimeoutSecondsPath and
HeartbeatSecondsPath (``IGNORE_TIMES_IN_INPUT``). moto takes a second answer for a token, has 60 seconds for
a callback with a heartbeat and no time-out, lets go on what else runs when an item has failed a Map, and writes no result
files for a Map that fails. Inside of a distributed Map all three have the parent's execution in the context object. None
waits: time-outs are real, times before retries are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.aws.probes import caught, machine, mapped, waiting

__all__ = ["IGNORE_TIMES_IN_INPUT", "KNOWN_GAPS", "Gap"]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One of them."""

    what: str
    service: str
    """What the service does."""
    by: Mapping[str, Any]
    """What each interpreter that has the gap makes of it: an output, or ``{"error": name}``."""
    otherwise: Any
    """What the others make of it, as the service does."""
    definition: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])


MOTO, MINISTACK, LOCAL = "moto", "ministack", "aws-local-stepfunctions"
IGNORE_TIMES_IN_INPUT = frozenset({MINISTACK, LOCAL})
"""They wait on when the time that ``TimeoutSecondsPath`` or ``HeartbeatSecondsPath`` leads to has passed. A test makes it
pass for them by failing the task with States.Timeout, and for them only: moto takes no error of that name from outside."""
ABSENT = {"Variable": "$.absent", "StringEquals": "x", "Next": "Yes"}
ENDS: Mapping[str, Any] = {
    "Yes": {"Type": "Pass", "Parameters": {"chosen": "yes"}, "End": True},
    "No": {"Type": "Pass", "Parameters": {"chosen": "no"}, "End": True},
}
RUNTIME = {"error": "States.Runtime"}

KNOWN_GAPS: tuple[Gap, ...] = (
    Gap(
        what="whether a null is present",
        service="says that it is",
        by={MINISTACK: {"chosen": "no"}},
        otherwise={"chosen": "yes"},
        definition=machine(
            Which={
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "Yes"}],
                "Default": "No",
            },
            **ENDS,
        ),
        given={"a": None},
    ),
    Gap(
        what="a Choice on a value that is not there",
        service="fails with States.Runtime",
        by={MOTO: {"chosen": "no"}, MINISTACK: {"chosen": "no"}},
        otherwise=RUNTIME,
        definition=machine(Which={"Type": "Choice", "Choices": [ABSENT], "Default": "No"}, **ENDS),
    ),
    Gap(
        what="a Choice that nothing matches",
        service="fails with States.NoChoiceMatched",
        by={MOTO: RUNTIME},
        otherwise={"error": "States.NoChoiceMatched"},
        definition=machine(
            Which={"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 2, "Next": "Yes"}]},
            Yes=ENDS["Yes"],
        ),
        given={"a": 1},
    ),
    Gap(
        what="a parameter out of a place that is not there",
        service="fails with States.Runtime",
        by={MINISTACK: {"a": None}},
        otherwise=RUNTIME,
        definition=machine(Take={"Type": "Pass", "Parameters": {"a.$": "$.absent"}, "End": True}),
    ),
    Gap(
        what="a slice or a filter in a path",
        service="takes both",
        by={MINISTACK: {"slice": None, "filter": None}},
        otherwise={"slice": [2, 3], "filter": [3]},
        definition=machine(
            Take={"Type": "Pass", "Parameters": {"slice.$": "$.a[1:3]", "filter.$": "$.b[?(@.n > 2)].n"}, "End": True}
        ),
        given={"a": [1, 2, 3, 4], "b": [{"n": 1}, {"n": 3}]},
    ),
    Gap(
        what="the last element by [-1]",
        service="takes it",
        by={MINISTACK: {"last": None}, LOCAL: RUNTIME},
        otherwise={"last": 3},
        definition=machine(Take={"Type": "Pass", "Parameters": {"last.$": "$.a[-1]"}, "End": True}),
        given={"a": [1, 2, 3]},
    ),
    Gap(
        what="the context object in a ResultSelector",
        service="is there",
        by={MINISTACK: [{"name": None}]},
        otherwise=[{"name": "Each"}],
        definition=machine(
            Each=mapped(
                {"Keep": {"Type": "Pass", "End": True}}, {}, ResultSelector={"name.$": "$$.State.Name"}, Next="List"
            ),
            List={"Type": "Pass", "Parameters": {"all.$": "States.Array($)"}, "OutputPath": "$.all", "End": True},
        ),
        given={"items": [1]},
    ),
    Gap(
        what="the execution's input in the context object, inside of a Map",
        service="is that of the execution",
        by={LOCAL: [{"input": {"value": 7}}]},
        otherwise=[{"input": {"items": [7]}}],
        definition=machine(
            Each=mapped(
                {"Take": {"Type": "Pass", "Parameters": {"input.$": "$$.Execution.Input"}, "End": True}},
                {"value.$": "$$.Map.Item.Value"},
                End=True,
            )
        ),
        given={"items": [7]},
    ),
    Gap(
        what="a Pass whose Result is false, null or 0",
        service="gives it",
        by={LOCAL: {"given": 1}},
        otherwise=False,
        definition=machine(Give={"Type": "Pass", "Result": False, "End": True}),
        given={"given": 1},
    ),
    Gap(
        what="a heartbeat that does not come, caught by its own name",
        service="is States.HeartbeatTimeout",
        by={MOTO: {"error": "States.Timeout"}},
        otherwise={"chosen": "yes"},
        definition=machine(
            Ask=waiting("nothing", {}, HeartbeatSeconds=1, Catch=caught("Yes", "States.HeartbeatTimeout"), End=True),
            Yes=ENDS["Yes"],
        ),
    ),
    Gap(
        what="States.ALL and an error of the runtime",
        service="does not catch States.Runtime",
        # MiniStack sees no error here, and catches the time-out.
        by={MOTO: {"chosen": "yes"}, MINISTACK: {"chosen": "yes"}},
        otherwise=RUNTIME,
        definition=machine(
            Ask=waiting("nothing", {"a.$": "$.absent"}, TimeoutSeconds=1, Catch=caught("Yes"), End=True),
            Yes=ENDS["Yes"],
        ),
    ),
)
