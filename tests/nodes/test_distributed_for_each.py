"""A distributed ``for_each`` in documents: where it can be, and where its items can come from."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.config import load_document
from statebag.errors import InputRefused, Problem
from statebag.nodes import builtin_registry
from tests.mapping import mapping
from tests.nodes.bodies import sets
from tests.rig import chain, group

READER = {"format": "CSV", "file": "a.csv"}


def problems(document: Any) -> list[Problem]:
    with pytest.raises(InputRefused) as refused:
        load_document(document, builtin_registry())
    return list(refused.value.problems)


def inner(**config: Any) -> Any:
    return mapping(sets("deep", a=1), name="inner", **config)


def around(kind: str, node: Any) -> Any:
    """A document with ``node`` inside of another one."""
    body = {"nodes": [node]}
    config: dict[str, Any] = {
        "for_each": {"items_path": "ys", **body},
        "loop": {"condition": "true", "max_iterations": 2, **body},
    }[kind]
    return chain({"id": "outer", "type": kind, "config": config})


@pytest.mark.parametrize("kind", ["for_each", "loop"])
@pytest.mark.parametrize(("given", "named"), [({}, "distributed"), ({"item_reader": READER}, "item_reader")])
def test_one_inside_of_a_node_that_runs_in_one_go_is_refused(kind: str, given: dict[str, Any], named: str) -> None:
    (problem,) = problems(around(kind, inner(**given)))
    assert (problem.path, problem.code) == (f"$.nodes[0].config.nodes[0].config.{named}", "FIELD_VALUE")
    assert "inside of another node" in problem.message


@pytest.mark.parametrize("between", [False, True])
def test_one_inside_of_another_one_is_refused(*, between: bool) -> None:
    body = group("g", [inner()], [sets("s", a=1)]) if between else inner()
    (problem,) = problems(chain(mapping(body)))
    assert (problem.path, problem.code) == ("$.nodes[0].config.distributed", "FIELD_VALUE")
    assert problem.message.startswith("`inner` inside of it is distributed, too")


def test_one_in_a_branch_is_none_inside_of_another_node() -> None:
    document = chain(sets("a", a=1), group("g", [inner()], [sets("s", a=1)]))
    load_document(document, builtin_registry())


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"items_path": "xs", "item_reader": READER}, [("item_reader", "INPUT_CONFLICT")]),
        ({"items": [1], "item_reader": READER}, [("item_reader", "INPUT_CONFLICT")]),
        ({"input_list_key": "xs", "item_reader": READER}, [("item_reader", "INPUT_CONFLICT")]),
        ({}, [("input_list_key", "FIELD_MISSING")]),
        ({"item_reader": {"format": "XML", "file": "a"}}, [("item_reader.format", "FIELD_VALUE")]),
        ({"item_reader": READER, "distributed": False}, [("distributed", "FIELD_VALUE")]),
        ({"items_path": "xs", "distributed": False, "windows": 2}, [("windows", "FIELD_VALUE")]),
        ({"items_path": "xs", "max_concurrency": 0}, [("max_concurrency", "FIELD_VALUE")]),
        ({"items_path": "xs", "max_concurrency": "many"}, [("max_concurrency", "FIELD_TYPE")]),
        ({"items_path": "xs", "on_error": "ignore"}, [("on_error", "FIELD_VALUE")]),
    ],
)
def test_what_is_refused(config: dict[str, Any], found: list[tuple[str, str]]) -> None:
    body = {"nodes": [sets("s", a=1)]}
    node = {"id": "m", "type": "for_each", "config": {"distributed": True, **body, **config}}
    told = [(problem.path.removeprefix("$.nodes[0].config."), problem.code) for problem in problems(chain(node))]
    assert told == found


def test_more_chunks_than_threads_may_run_at_the_same_time() -> None:
    load_document(chain(mapping(sets("s", a=1), max_concurrency=1000)), builtin_registry())
    assert [
        problem.path for problem in problems(chain(mapping(sets("s", a=1), distributed=False, max_concurrency=1000)))
    ]
