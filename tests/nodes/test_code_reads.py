from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.config import Node
from statebag.nodes import NodeContext
from statebag.nodes._scopes import Fixed
from statebag.nodes.operator import Operator

OPERATOR = Operator()
CONTEXT = NodeContext(execution_id="run", segment_id="s0")


def node(code: str, sets: dict[str, Any] | None = None) -> Node:
    return Node(id="n", type="operator", config={"code": code, **({"sets": sets} if sets else {})})


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("x = 1", set[str]()),
        ("state['a'] = 1", set[str]()),
        ("state['a'] += 1", {"a"}),
        ("state['a'] = state['b']", {"b"}),
        ("state['a']['b'] = state.get('c', {})['d']", {"a", "c"}),
        ("state.setdefault('a', []).append(state.pop('b', None))", {"a", "b"}),
        ("ok = 'a' in state and 'b' not in state", {"a", "b"}),
        ("del state['a'], state['b'][0]", {"a", "b"}),
        ("def f(x):\n    return state['a'] + x\nf(state.get('b'))", {"a", "b"}),
        ("y = f\"{state['a']} {state.get('b')!r}\"", {"a", "b"}),
        ("z = [state['a'] for i in range(2)]", {"a"}),
        ("dict(state=1)\nobject_state = x_state = 1", set[str]()),
        ("text = 'state'\nother.state = 5\nother.state.items()", set[str]()),
        ("for state['a'] in range(3): pass", set[str]()),
    ],
)
def test_fields_named_one_by_one_are_all_that_is_read(code: str, fields: set[str]) -> None:
    assert OPERATOR.reads(node(code)) == fields


@pytest.mark.parametrize(
    "code",
    [
        "for k in state: pass",
        "len(state)",
        "state.items()",
        "state.update(a=1)",
        "state.clear()",
        "list(state)",
        "f(state)",
        "x = state",
        "result = state",
        "result = {**state}",
        "state['a' + 'b']",
        "k = 'a'\nstate[k]",
        "state.get(k)",
        "state.get(*['a'])",
        "get = state.get\nget('a')",
        "state[0]",
        "state = {}",
        "state, x = {}, 1",
        "(state := {})",
        "def state(): pass",
        "class state: pass",
        "def f(state): return state['a']",
        "f = lambda state: state['a']",
        "def f(*state): pass",
        "def f():\n    global state\n    state['a']",
        "try:\n    pass\nexcept ValueError as state:\n    pass",
        "import json as state",
        "match 1:\n    case state: pass",
        "match {}:\n    case {**state}: pass",
        "[state for state in []]",
        "for state in []: pass",
        "del state",
        "'a' in state in x",
        "state in xs",
        "x == state",
        "f'{state}'",
        "locals()['state']",
        "vars()",
        "eval('state')",
        "state |= {'a': 1}",
        "print(state)",
        "yield state",
        "x = = 1",
    ],
)
def test_any_other_use_reads_all(code: str) -> None:
    assert OPERATOR.reads(node(code)) is None


def test_sets_and_code_read_together() -> None:
    assert OPERATOR.reads(node("state['a'] = state['b'] + state['x']", {"b": "{{c}}", "d": 1})) == {"c", "x"}
    assert OPERATOR.reads(node("state['a'] = 1", {"b": "{{__state_json}}"})) is None
    assert OPERATOR.reads(Node(id="n", type="operator", config={"code": 5})) is None


def test_nothing_else_is_put_into_the_sandbox() -> None:
    class Scope(Fixed):
        def __getitem__(self, name: str) -> Any:
            assert name == "a"
            return super().__getitem__(name)

        def whole(self) -> dict[str, Any]:
            raise AssertionError

    scope = Scope({"a": 1, "b": object(), "c": object()})
    assert OPERATOR.run(node("state['b'] = state['a']\nif 'z' in state: state['b'] = 5"), scope, CONTEXT).changes == {
        "b": 1
    }


STATEMENTS = [
    "state['a'] = 5",
    "state['b'] = state['a'] if 'a' in state else 0",
    "state['c'] = state.get('b', 7)",
    "state.pop('a', None)",
    "state.setdefault('d', []).append(1)",
    "if 'c' in state: del state['c']",
    "state['xs'] = state.get('xs', []) + [1]",
    "result = state.get('a')",
    "result = {'b': state.get('d')}",
]


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.sampled_from(STATEMENTS), max_size=6),
    state=st.dictionaries(st.sampled_from(["a", "b", "c", "d", "xs"]), st.just([2]), max_size=5),
)
def test_the_state_ends_the_same_whether_all_or_some_of_it_is_read(lines: list[str], state: dict[str, Any]) -> None:
    ends: list[dict[str, Any]] = []
    for all_of_it in ("", "len(state)\n"):
        code = node(all_of_it + "\n".join(lines) + "\npass")
        assert (OPERATOR.reads(code) is None) == bool(all_of_it)
        output = OPERATOR.run(code, Fixed(state), CONTEXT)
        end = {**state, **output.changes}
        ends.append({name: value for name, value in end.items() if name not in output.unset and name != "n_status"})
    assert ends[0] == ends[1]
