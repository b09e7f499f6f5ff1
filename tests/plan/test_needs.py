"""What a branch is expected to use, from its nodes."""

from __future__ import annotations

from typing import Any

import pytest

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import Body, Node
from statebag.plan import BranchNeeds, ListNeed, needs_of


def node(kind: str = "operator", /, *inside: Node, **config: Any) -> Node:
    """A node of a type; others inside of it are its one body."""
    return Node(id="n", type=kind, config=config, bodies=(Body(nodes=inside),) if inside else ())


def needs(*nodes: Node) -> tuple[int, int]:
    found = needs_of(nodes)
    return found.memory_mb, found.tokens


def test_a_branch_without_nodes_counts_as_much_as_an_unknown_one() -> None:
    assert needs_of([]) == BranchNeeds(memory_mb=256, tokens=0)


def test_nodes_and_model_calls_add_up() -> None:
    assert needs(node()) == (60, 0)
    assert needs(node(), node()) == (70, 0)
    assert needs(node("llm_chat", prompt="x" * 40)) == (110, 510)
    assert needs(node("llm_chat", prompt="x" * 40), node(), node("vision")) == (180, 1010)
    assert needs(node("react", prompt="x" * 8)) == (110, 502)


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({}, 500),
        ({"prompt": "x" * 39}, 509),
        ({"prompt": "", "system_prompt": "x" * 8, "prompt_template": "x" * 400}, 502),
        ({"prompt": "x" * 4, "system_prompt": "x" * 400}, 501),
        ({"prompt_template": "x" * 12}, 503),
        ({"prompt_content": "x" * 16}, 504),
        ({"user_prompt_template": "x" * 20}, 505),
        ({"prompt": 7, "system_prompt": None, "prompt_content": "x" * 24}, 506),
    ],
)
def test_the_first_prompt_that_is_not_empty_counts(config: dict[str, Any], tokens: int) -> None:
    assert needs_of([node("llm_chat", **config)]).tokens == tokens


def test_a_list_counts_by_the_item() -> None:
    each = node("for_each", node(), node(), input_list_key="order.lines")
    assert needs_of([each]) == BranchNeeds(memory_mb=60, lists=(ListNeed(path="order.lines", memory_mb_per_item=5),))
    asked = node("for_each", node(), node("loop", node("llm_chat", prompt="x" * 400)), items_path="docs")
    assert needs_of([asked]) == BranchNeeds(memory_mb=60, lists=(ListNeed(path="docs", tokens_per_item=5000),))


def test_a_list_may_be_a_template_or_written_out() -> None:
    asked = node("llm_chat")
    assert [need.path for need in needs_of([node("for_each", asked, items="{{ order.lines }}")]).lists] == [
        "$.order.lines"
    ]
    assert needs_of([node("for_each", asked, items=["a", "{{b}}", "c"])]) == BranchNeeds(memory_mb=75, tokens=15_000)
    assert needs_of([node("for_each", asked, items="{{ a }}{{ b }}")]) == BranchNeeds(memory_mb=60)
    assert needs_of([node("for_each", asked)]) == BranchNeeds(memory_mb=60)


def test_lists_are_found_at_any_depth_but_not_inside_of_each_other() -> None:
    inner = node("for_each", node("llm_chat"), input_list_key="item.pages")
    assert [need.path for need in needs_of([node("loop", inner)]).lists] == ["item.pages"]
    outer = needs_of([node("for_each", inner, input_list_key="docs")])
    assert outer == BranchNeeds(memory_mb=60, lists=(ListNeed(path="docs", tokens_per_item=5000),))


def test_nodes_inside_of_others_count_like_the_branchs_own() -> None:
    loop = node("loop", node(), node("llm_chat", prompt="x" * 4))
    assert needs(loop) == (50 + 30 + 50, 501)
    group = Node(
        id="g",
        type="parallel_group",
        bodies=(Body(name="a", nodes=(node(),)), Body(name="b", nodes=(node("llm_chat"),))),
    )
    assert needs(group, node()) == (50 + 40 + 50, 500)


@pytest.mark.parametrize(
    "writer",
    [
        node("db_write"),
        node("s3_write"),
        node("api_call", method="GET"),
        node(write_to_db=True),
        node("llm_chat", write_to_s3="true"),
        node("db_query"),
        node("db_query", query="UPDATE stock SET n = 1"),
        node("db_query", query="-- SELECT\ninsert into t values (1)"),
        node("db_query", query="SELECT * INTO copy FROM t"),
        node("db_query", query="WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone"),
        node("db_query", query="SELECT 1; DROP TABLE t"),
        node("db_query", query="{{ verb }} t"),
    ],
)
def test_writers_are_found_at_any_depth(writer: Node) -> None:
    assert needs_of([writer]).shared
    assert needs_of([node(), node("for_each", node("loop", writer), input_list_key="x")]).shared


@pytest.mark.parametrize(
    "reader",
    [
        node(),
        node(write_to_db=False, write_to_s3="false"),
        node("db_query", query="SELECT updated_at FROM t WHERE id = :id"),
        node("db_query", query="/* delete nothing */ with a as (select 1) select * from a"),
        node("db_query", query="(select 1) union (select 2) -- into the list"),
    ],
)
def test_readers_share_nothing(reader: Node) -> None:
    assert not needs_of([reader]).shared


@pytest.mark.parametrize(
    "value",
    [
        BranchNeeds(),
        BranchNeeds(memory_mb=60),
        BranchNeeds(
            memory_mb=300, tokens=7, shared=True, lists=(ListNeed(path="a"), ListNeed(path="b", tokens_per_item=5000))
        ),
    ],
)
def test_what_is_stored_is_read_back(value: BranchNeeds) -> None:
    assert BranchNeeds.from_json(parse_json(canonical_bytes(value.to_json()))) == value


def test_defaults_are_not_stored() -> None:
    assert BranchNeeds().to_json() == {}
    assert BranchNeeds(memory_mb=60, lists=(ListNeed(path="a"),)).to_json() == {
        "memory_mb": 60,
        "lists": [{"path": "a"}],
    }
