"""The emitted machines: the states of the catalogues, valid, and built from the facts that the workflows run by."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asl_compat.machines import (
    CATALOGUES,
    DISTRIBUTED,
    LEGACY_DISTRIBUTED,
    LEGACY_STANDARD,
    STANDARD,
    definitions,
)
from asl_compat.model import count_states, parse_definition, validate_definition, walk_states
from statebag.bag import NextAction
from statebag.events import EventType
from statebag.machine import (
    DISTRIBUTED_ROUTES,
    EVENT_FIELDS,
    ROUTES,
    State,
)


@pytest.mark.parametrize(
    ("file", "nested", "top"),
    [(STANDARD, 43, 33), (DISTRIBUTED, 46, 33), (LEGACY_STANDARD, 63, 51), (LEGACY_DISTRIBUTED, 46, 36)],
)
def test_the_states_are_those_of_the_catalogue(file: str, nested: int, top: int) -> None:
    definition = parse_definition(definitions()[file])
    assert count_states(definition) == (nested, top)
    assert {place.name for place in walk_states(definition)} == set(map(str, CATALOGUES[file]))


@pytest.mark.parametrize("file", CATALOGUES)
def test_nothing_is_wrong_with_them(file: str) -> None:
    assert validate_definition(parse_definition(definitions()[file])) == []


@pytest.mark.parametrize(("file", "routes"), [(STANDARD, ROUTES), (DISTRIBUTED, DISTRIBUTED_ROUTES)])
def test_the_router_goes_where_the_workflows_go(file: str, routes: dict[NextAction, State]) -> None:
    router = definitions()[file]["States"]["EvaluateNextAction"]
    for action in NextAction:
        document = {"next_action": str(action), "next": {"strategy": ""}, "state_data": {"distributed_mode": False}}
        assert follow(router, document) == routes.get(action, State.NOTIFY_AND_FAIL)
    unknown = {"next_action": "NO_SUCH", "next": {"strategy": ""}, "state_data": {"distributed_mode": False}}
    assert follow(router, unknown) == State.NOTIFY_AND_FAIL


def follow(choice: dict[str, Any], document: dict[str, Any]) -> str:
    """Where a choice of text and truth comparisons leads."""
    return next((rule["Next"] for rule in choice["Choices"] if holds(rule, document)), choice["Default"])


def holds(rule: dict[str, Any], document: dict[str, Any]) -> bool:
    if "Or" in rule:
        return any(holds(one, document) for one in rule["Or"])
    if "And" in rule:
        return all(holds(one, document) for one in rule["And"])
    value: Any = document
    for name in rule["Variable"].removeprefix("$.").split("."):
        value = value[name]
    return value == rule.get("StringEquals", rule.get("BooleanEquals"))


@pytest.mark.parametrize("file", CATALOGUES)
def test_every_notice_can_fail_without_the_run(file: str) -> None:
    notices = [
        place.state for place in walk_states(parse_definition(definitions()[file])) if "putEvents" in str(place.state)
    ]
    assert len(notices) >= 4
    for state in notices:
        (catcher,) = getattr(state, "catch", None) or ()
        assert catcher.error_equals == ["States.ALL"]


def test_events_have_the_fields_that_are_told_on_both_engines() -> None:
    told = {}
    for state in [one for each in definitions().values() for one in each["States"].values()]:
        for entry in state.get("Parameters", {}).get("Entries", ()):
            fields = {name.removesuffix(".$") for name in entry["Detail"]}
            told[entry["Detail"]["event_type"]] = told.get(entry["Detail"]["event_type"], fields) & fields
    assert set(told) == {str(event) for event in EVENT_FIELDS}
    for event, fields in EVENT_FIELDS.items():
        assert set(fields) <= told[str(EventType(event))]


def test_they_are_the_same_each_time() -> None:
    assert json.dumps(definitions()) == json.dumps(definitions())
