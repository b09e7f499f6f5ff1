from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.canonical import canonical_bytes
from statebag.config import Node
from statebag.errors import NodeFailed
from statebag.nodes import NodeContext, NodeOutput
from statebag.nodes._scopes import Fixed
from statebag.nodes.code import CodeLimits
from statebag.nodes.marker import TriggerMarker
from statebag.nodes.operator import Operator, OperatorCustom

NOW = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
CONTEXT = NodeContext(execution_id="run", segment_id="s0", now=lambda: NOW)
STATE: dict[str, Any] = {"n": 3, "xs": [1, 2], "person": {"name": "김", "tags": ["a"]}, "flag": True, "none": None}


def run(code: str, state: Mapping[str, Any] = STATE, **config: Any) -> NodeOutput:
    context = config.pop("context", CONTEXT)
    operator = Operator(CodeLimits(seconds=2, **config.pop("limits", {})))
    node = Node(id="n1", type="operator", config={"code": code, **config})
    assert list(operator.check(node, "$")) == []
    return operator.run(node, Fixed(state), context)


SCRIPTS: list[tuple[str, dict[str, Any]]] = [
    ("state['a'] = 1", {"a": 1}),
    ("state['n'] += 1", {"n": 4}),
    ("state['xs'] = state.get('xs', []) + ['new']", {"xs": [1, 2, "new"]}),
    ("state['xs'].append({'deep': (1, 2)})", {"xs": [1, 2, {"deep": [1, 2]}]}),
    ("state['person']['tags'][0] = state.get('missing', 'b')", {"person": {"name": "김", "tags": ["b"]}}),
    ("state['n'] = 3; state['flag'] = True; state['fresh'] = None", {"n": 3, "flag": True, "fresh": None}),
    ("state['flag'] = 1 if state['flag'] else 0", {"flag": 1}),
    (
        ("names = ['a', 'b', None]\n"
        "ok = [state.get(name) is not None for name in ('n', 'xs')]\n"
        "state['report'] = {'all': all(ok), 'any': any(ok), 'count': len(names), 'rest': [n for n in names if n]}\n"
        "if state['report']['all']:\n"
        "    state['TEXT'] = f'✅ {len(ok)} checks, {sum(state[\"xs\"]) / 2:.2f}'\n"
        "else:\n"
        "    state['TEXT'] = 'no'"),
        {"report": {"all": True, "any": True, "count": 3, "rest": ["a", "b"]}, "TEXT": "✅ 2 checks, 1.50"},
    ),
    (
        ("def total(items, *, start=0):\n    for item in items:\n        start += item['price'] * item.get('n', 1)\n"
        "    return round(start, 2)\n"
        "state['total'] = total([{'price': 9.99, 'n': 3}, {'price': 1}])"),
        {"total": 30.97},
    ),
    ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    state['error'] = str(e)\nfinally:\n    state['done'] = True",
     {"error": "division by zero", "done": True}),
    ("state['s'] = sorted([{'k': 2}, {'k': 1}], key=lambda d: d['k'], reverse=True)", {"s": [{"k": 2}, {"k": 1}]}),
    (("counts = {'a': 1, 'b': 2}\nstate['s'] = max(counts, key=counts.get), sorted(['b', 'A'], key=str.lower), "
     "list(map(str.upper, 'ab'))"), {"s": ["b", ["A", "b"], ["A", "B"]]}),
    ("for i, (k, v) in enumerate(zip('ab', range(2))):\n    state[f'{k}_{i}'] = v", {"a_0": 0, "b_1": 1}),
    ("import math\nstate['m'] = [math.ceil(1.2), math.sqrt(16), math.pi > 3]", {"m": [2, 4.0, True]}),
    (("import json, re as r\nstate['j'] = json.loads(json.dumps({'가': [1, None]}))\n"
     "state['r'] = [r.sub(r'\\d', lambda m: str(int(m.group()) + 1), 'a1b2'), r.subn('a', 'x', 'aa', count=1), "
     "r.compile('(a)').sub(r'<\\1>', 'a'), r.findall('a', 'Aa', flags=r.I)]"),
     {"j": {"가": [1, None]}, "r": ["a2b3", ["xa", 1], "<a>", ["A", "a"]]}),
    (("from json import (\n    dumps,  # one a line\n    loads as read,\n)\nstate['j'] = dumps({'s': {1}}, default=list), "
     "read('[1]')"), {"j": ['{"s": [1]}', [1]]}),
    (("from collections import Counter, defaultdict, deque, namedtuple, OrderedDict\n"
     "groups = defaultdict(list)\ngroups['x'].append(1)\nP = namedtuple('P', 'a b')\nq = deque([1, 2], maxlen=2)\n"
     "q.append(3)\nstate['c'] = [Counter('aab').most_common(1), groups, P(1, 2).b, list(q), OrderedDict(b=1, a=2)]"),
     {"c": [[["a", 2]], {"x": [1]}, 2, [2, 3], {"b": 1, "a": 2}]}),
    ("import collections\nstate['c'] = collections.Counter(collections.OrderedDict(a=2))", {"c": {"a": 2}}),
    (("import datetime\nfrom datetime import datetime as dt, timedelta, timezone\n"
     "state['d'] = [dt.now().strftime('%Y-%m-%d %H:%M'), dt.utcnow().date().isoformat(), "
     "(dt(2024, 1, 31) + timedelta(days=1)).isoformat(), dt.fromtimestamp(1.5).isoformat(), "
     "datetime.datetime.fromtimestamp(0, timezone.utc).isoformat(), f'{datetime.date.today()}']"),
     {"d": ["2024-02-29 12:30", "2024-02-29", "2024-02-01T00:00:00", "1970-01-01T00:00:01.500000",
            "1970-01-01T00:00:00+00:00", "2024-02-29"]}),
    (("import uuid\na = uuid.uuid4()\nstate['u'] = [len(str(a)), a.version, len(a.hex), uuid.UUID(str(a)) == a, "
     "a != uuid.uuid4(), str(uuid.uuid5(uuid.NAMESPACE_DNS, 'example.org'))]"),
     {"u": [36, 4, 32, True, True, "aad03681-8b63-5304-89e0-8ca8f49461b5"]}),
    (("import random\nxs = [1, 2, 3]\nrandom.shuffle(xs)\n"
     "state['r'] = [sorted(xs), 0 <= random.random() < 1, random.choice(['a']), random.randint(2, 2)]"),
     {"r": [[1, 2, 3], True, "a", 2]}),
    ("import time\nbegin = time.time()\ntime.sleep(0.05)\nstate['took'] = round(time.time() - begin, 3)", {"took": 0.05}),
    ("state['same'] = state['xs']\nstate['same'].append(3)", {"xs": [1, 2, 3], "same": [1, 2, 3]}),
    ("state.update(a=1)\nstate.setdefault('b', []).append(2)", {"a": 1, "b": [2]}),
    ("for key in list(state):\n    if key != 'n':\n        state[key] = 0", {"xs": 0, "person": 0, "flag": 0, "none": 0}),
    ("state = {**state, 'more': 1}", {"more": 1}),
    ("match state['n']:\n    case 3:\n        state['m'] = 'three'", {"m": "three"}),
    ("x = 2 ** 100\nstate['big'] = x", {"big": 2**100}),
    ("class Point:\n    def __init__(self, x):\n        self.x = x\nstate['p'] = Point(4).x", {"p": 4}),
    (("print = len = str = isinstance = repr = KeyError = Exception = 5\ntype = list = dict = int = 6\nstate['own'] = list\n"
     "import re, json, uuid\ndel state['n']\nstate['n'] = [re.sub('a', 'b', 'a'), json.dumps([1], default=0), uuid.UUID(uuid.uuid4().hex).version]"),
     {"own": 6, "n": ["b", "[1]", 4]}),
    ("pass", {"n1_status": "ok"}),
    ("result['a'] = {'b': 1}", {"a": {"b": 1}}),
    ("state['a'] = 1\nresult = {'a': 2, 'c': 3}", {"a": 2, "c": 3}),
    ("result = [1, (2,)]", {"n1_result": [1, [2]]}),
    ("result = 0", {"n1_result": 0}),
    ("result = None", {"n1_status": "ok"}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changes"), SCRIPTS, ids=[code[:40] for code, _ in SCRIPTS])
def test_ordinary_code_changes_the_state(code: str, changes: dict[str, Any]) -> None:
    before = copy.deepcopy(STATE)
    output = run(code)
    assert canonical_bytes(output.changes) == canonical_bytes(changes)
    assert (output.unset, output.logs, output.step) == ((), (), "operator")
    assert before == STATE


@pytest.mark.parametrize(
    ("code", "unset", "changes"),
    [
        ("del state['n']", ("n",), {}),
        ("del state['n'], state['xs'][0]", ("n",), {"xs": [2]}),
        ("del state['xs'][0:1]; state.pop('n')", ("n",), {"xs": [2]}),
        ("if state['flag']: del state['flag']", ("flag",), {}),
        ("state.pop('n'); result['n'] = 1", (), {"n": 1}),
        ("state['n'] = state.pop('n')", (), {"n1_status": "ok"}),
        ("state['new'] = 1; del state['new']", (), {"n1_status": "ok"}),
        ("state.clear()", ("n", "xs", "person", "flag", "none"), {}),
        ("state = {'a': 1}", (), {"a": 1}),
    ],
)
def test_fields_that_code_removes_are_unset(code: str, unset: tuple[str, ...], changes: dict[str, Any]) -> None:
    output = run(code)
    assert set(output.unset) == set(unset)
    assert output.changes == changes


def test_sets_come_first_and_code_sees_them() -> None:
    config = {"sets": {"a": "{{n}}", "gone": 1, "kept": 2}}
    output = run("state['b'] = state['a'] + state['kept']; del state['gone']", **config)
    assert output.changes == {"a": 3, "kept": 2, "b": 5}
    assert output.unset == ()
    assert run("del state['n']", sets={"n": 9}).unset == ("n",)


def test_code_sees_copies_even_of_values_that_are_shared() -> None:
    shared = [1]
    state = {"a": shared, "b": shared, "c": {"x": shared}}
    assert run("state['a'].append(2); state['c']['x'].append(3)", state).changes == {"a": [1, 2], "c": {"x": [1, 3]}}
    assert state == {"a": [1], "b": [1], "c": {"x": [1]}}


def test_what_is_printed_becomes_a_log_entry() -> None:
    output = run("print('a', 1, sep='-')\nfor i in range(2):\n    print(i, end=' ')\nprint('가')")
    assert output.logs == ({"type": "code_output", "node_id": "n1", "text": "a-1\n0 1 가\n"},)
    assert output.changes == {"n1_status": "ok"}


@pytest.mark.parametrize("node_type", [Operator(), OperatorCustom()])
def test_both_names_run_code(node_type: Operator) -> None:
    node = Node(id="n", type=node_type.name, config={"code": "state['a'] = 1"})
    assert node_type.run(node, Fixed({}), CONTEXT) == NodeOutput(changes={"a": 1}, step=node_type.name)


def test_a_trigger_runs_code_too() -> None:
    node = Node(id="n", type="trigger", config={"trigger_type": "schedule", "code": "state['a'] = state['b']"})
    assert TriggerMarker().run(node, Fixed({"b": 1, "c": 2}), CONTEXT).changes == {"a": 1}
    assert TriggerMarker().reads(node) == {"b"}


RANDOM = (
    "import random, uuid, time, datetime\n"
    "state['r'] = [random.random(), random.randint(0, 10**9), random.Random().random(), str(uuid.uuid4()), "
    "str(uuid.uuid1()), time.time(), datetime.datetime.now().isoformat(), time.time_ns(), hash('a')]"
)


def test_a_repeated_try_sees_the_same_time_and_chances() -> None:
    first, again = run(RANDOM).changes["r"], run(RANDOM, context=replace(CONTEXT, attempt=2)).changes["r"]
    assert first == again
    assert first[5] == pytest.approx(NOW.timestamp(), abs=0.01)


@pytest.mark.parametrize("other", [{"visit": 1}, {"segment_id": "s1"}, {"inside": ("loop", "2")}])
def test_chances_differ_everywhere_else(other: dict[str, Any]) -> None:
    here, there = run(RANDOM).changes["r"], run(RANDOM, context=replace(CONTEXT, **other)).changes["r"]
    assert all(a != b for a, b in zip(here[:5], there[:5], strict=True))
    assert here[5] == there[5]


def test_ids_and_the_users_own_seed_do_not_touch_each_other() -> None:
    code = "import random, uuid\nout = []\nfor _ in range(2):\n    random.seed(1)\n    out += [random.random(), str(uuid.uuid4())]\nresult = out"
    numbers = run(code).changes["n1_result"]
    assert numbers[0] == numbers[2]
    assert numbers[1] != numbers[3]


def test_the_clock_moves_by_what_is_slept_and_never_stands_still() -> None:
    code = (
        "import time\na = time.time()\nwhile time.time() - a < 0.2:\n    time.sleep(0.05)\n"
        "b = time.perf_counter()\nstate['ok'] = [0.2 <= time.time() - a < 0.21, time.perf_counter() > b]"
    )
    started = time.monotonic()
    assert run(code).changes == {"ok": [True, True]}
    assert time.monotonic() - started >= 0.2


def test_a_cancelled_run_ends_sleeping_code() -> None:
    def stop(_: object) -> None:
        raise asyncio.CancelledError

    code = "import time\ntry:\n    time.sleep(0.01)\nexcept:\n    pass\nstate['a'] = 1"
    with pytest.raises(asyncio.CancelledError):
        run(code, context=replace(CONTEXT, heartbeat=stop))


@pytest.mark.parametrize(
    ("code", "line", "text"),
    [
        ("x = 1\n\nstate['a'] = state['b']", 3, "KeyError: b"),
        ("def f():\n    raise ValueError('no good')\n\nf()", 2, "ValueError: no good"),
        ("import json\njson.loads('{')", 2, "json.JSONDecodeError: "),
        ("import re\nre.compile('(')", 2, "re.PatternError: "),
        ("assert 1 == 2, 'differs'", 1, "AssertionError: differs"),
        ("del state['zz']", 1, "KeyError: zz"),
        ("from uuid import nothing", 1, "AttributeError: "),
        ("x = undefined", 1, "NameError: name 'undefined' is not defined"),
        ("print('so far')\n1 / 0", 2, "ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_in_code_fails_the_node_with_line_type_and_text(code: str, line: int, text: str) -> None:
    with pytest.raises(NodeFailed) as failed:
        run(code)
    assert failed.value.code == "CODE_FAILED"
    assert failed.value.message.startswith(f"line {line} of the `code` of node `n1`: {text}")
    assert failed.value.details["line"] == line
    assert failed.value.details.get("output_tail") == ("so far\n" if "print" in code else None)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("state['a'] = {'b': [1, {2}]}", "state['a'].b[1]: a set is not JSON"),
        ("state['a'] = b'x'", "state['a']: a bytes is not JSON"),
        ("state['a'] = [float('nan')]", "state['a'][0]: nan has no JSON form"),
        ("state['a'] = float('-inf')", "state['a']: -inf has no JSON form"),
        ("state['a'] = {1: 2}", "state['a']: the key 1 is no text"),
        ("state['a'] = [{'x': {None: 2}}]", "state['a'][0].x: the key None is no text"),
        ("state[5] = 2", "state: the key 5 is no text"),
        ("class A:\n    pass\nstate['a'] = A()", "state['a']: a A is not JSON"),
        ("import uuid\nstate['a'] = uuid.uuid4()", "state['a']: a UUID is not JSON"),
        ("import datetime\nstate['a'] = datetime.datetime.now()", "state['a']: a datetime is not JSON"),
        ("result = {'a': print}", "result.a: a builtin_function_or_method is not JSON"),
        ("result = lambda: 1", "result: a function is not JSON"),
        ("state['a'] = []\nstate['a'].append(state['a'])", "state['a']: it contains itself"),
    ],
)
def test_values_that_are_not_json_are_refused_by_name(code: str, text: str) -> None:
    with pytest.raises(NodeFailed) as failed:
        run(code)
    assert failed.value.code == "UNSERIALISABLE_FIELD"
    assert text in failed.value.message


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**200), max_value=2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(value=JSON)
def test_a_value_goes_in_and_out_as_it_is(value: Any) -> None:
    output = run("state['b'] = [state['a']]\nstate['a'] = state['a']", {"a": value})
    assert canonical_bytes(output.changes) == canonical_bytes({"b": [value]})
