"""Code that means harm, or runs wild, fails with its code, and the next code runs as if nothing had been."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from statebag.config import Node
from statebag.errors import NodeFailed, Problem
from statebag.nodes import NodeContext, run_nodes
from statebag.nodes._scopes import Fixed
from statebag.nodes.code import CodeLimits
from statebag.nodes.operator import Operator

LIMITS = CodeLimits(
    seconds=0.6,
    memory_bytes=8 * 1024 * 1024,
    recursion_depth=200,
    host_calls=50,
    output_bytes=10_000,
    printed_bytes=2_000,
    code_bytes=5_000,
)
OPERATOR = Operator(LIMITS)
CONTEXT = NodeContext(execution_id="run", segment_id="s0")

IMPORTS = [
    *("os", "sys", "subprocess", "socket", "ctypes", "builtins", "importlib", "pickle", "asyncio", "threading"),
    *("multiprocessing", "signal", "pathlib", "io", "gc", "inspect", "code", "statebag", "_statebag", "os.path"),
    *("collections.abc", "http.client", "urllib.request", "requests", "pydantic_monty", "__main__", "typing"),
]

ATTACKS: dict[str, tuple[str, str]] = {
    **{f"import {name}": (f"import {name}", "CODE_IMPORT_REFUSED") for name in IMPORTS},
    "import from": ("from os import system", "CODE_IMPORT_REFUSED"),
    "import among others": ("import json, os as json2", "CODE_IMPORT_REFUSED"),
    "import relative": ("from . import secrets", "CODE_IMPORT_REFUSED"),
    "import inside": ("def f():\n    if False:\n        import os\nf()", "CODE_IMPORT_REFUSED"),
    "import caught": ("try:\n    import os\nexcept ImportError:\n    pass", "CODE_IMPORT_REFUSED"),
    "import by builtin": ("__import__('os').system('id')", "CODE_FAILED"),
    "import in text": ("exec('import os')", "CODE_FAILED"),
    "module behind module": ("import json\njson.codecs.sys.modules", "CODE_FAILED"),
    "module behind random": ("import random\nrandom._os.system('id')", "CODE_FAILED"),
    "replace in module": ("import math\nmath.sqrt = print", "CODE_FAILED"),
    "open": ("open('/etc/passwd').read()", "CODE_FAILED"),
    "open to write": ("with open('/tmp/x', 'w') as f:\n    f.write('x')", "CODE_FAILED"),
    "eval": ("eval('1 + 1')", "CODE_FAILED"),
    "compile": ("compile('1', '', 'eval')", "CODE_FAILED"),
    "input": ("input()", "CODE_FAILED"),
    "globals": ("globals()['state']", "CODE_FAILED"),
    "builtins": ("__builtins__['open']", "CODE_FAILED"),
    "subclasses": ("().__class__.__bases__[0].__subclasses__()", "CODE_FAILED"),
    "mro": ("type([]).__mro__[-1].__subclasses__()", "CODE_FAILED"),
    "function globals": ("def f(): pass\nf.__globals__", "CODE_FAILED"),
    "function code": ("(lambda: 0).__code__.co_consts", "CODE_FAILED"),
    "builtin self": ("print.__self__", "CODE_FAILED"),
    "bound globals": ("import uuid\nuuid.uuid4.__globals__", "CODE_FAILED"),
    "traceback frames": (
        "try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__.tb_frame.f_back",
        "CODE_FAILED",
    ),
    "generator frame": ("(i for i in [1]).gi_frame.f_globals", "CODE_FAILED"),
    "getattr": ("getattr((), '__cla' + 'ss__')", "CODE_FAILED"),
    "format attributes": ("'{0.__class__.__init__.__globals__}'.format(state)", "CODE_FAILED"),
    "format map": ("'{a.__class__}'.format_map({'a': 1})", "CODE_FAILED"),
    "type by three": ("type('X', (object,), {})().__class__.__bases__", "CODE_FAILED"),
    "set on a type": ("setattr(dict, 'get', print)", "CODE_FAILED"),
    "endless loop": ("while True:\n    pass", "CODE_TIME_LIMIT"),
    "endless loop, caught": (
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        "CODE_TIME_LIMIT",
    ),
    "endless loop at last": (
        "try:\n    while True: pass\nfinally:\n    while True: pass",
        "CODE_TIME_LIMIT",
    ),
    "endless sum": ("sum(range(10**15))", "CODE_TIME_LIMIT"),
    "endless any": ("any(i < 0 for i in range(10**12))", "CODE_MEMORY_LIMIT"),
    "one endless operation": ("x = 7\nwhile True:\n    x = x * x % (3 ** 500000)", "CODE_TIME_LIMIT"),
    "pattern that explodes": ("import re\nre.search(r'(?=(x+x+)+y)z', 'x' * 50000)", "CODE_TIME_LIMIT"),
    "pattern that backtracks": ("import re\nre.search(r'(x+x+)+\\1y', 'x' * 5000)", "CODE_FAILED"),
    "pattern that is huge": ("import re\nre.compile('(a{1000}){1000}')", "CODE_MEMORY_LIMIT"),
    "sleep for an hour": ("import time\ntime.sleep(3600)", "CODE_TIME_LIMIT"),
    "sleep, caught": ("import time\ntry:\n    time.sleep(9**9)\nexcept:\n    pass\nstate['a'] = 1", "CODE_TIME_LIMIT"),
    "sleep in bits": ("import time\nwhile True:\n    time.sleep(0.04)", "CODE_TIME_LIMIT"),
    "ask for the time for ever": ("import time\nwhile True:\n    time.time()", "CODE_CALL_LIMIT"),
    "ask for the time, caught": (
        "import time\nwhile True:\n    try:\n        time.time()\n    except BaseException:\n        pass",
        "CODE_CALL_LIMIT",
    ),
    "named ids for ever": (
        "import uuid\nwhile True:\n    uuid.uuid5(uuid.NAMESPACE_DNS, 'x')",
        "CODE_CALL_LIMIT",
    ),
    "recursion": ("def f():\n    return f()\nf()", "CODE_RECURSION_LIMIT"),
    "recursion of lambdas": ("f = lambda n: [f(n - 1) for _ in range(1)]\nf(9**9)", "CODE_RECURSION_LIMIT"),
    "growing list": ("x = []\nwhile True:\n    x.append('a' * 1000)", "CODE_MEMORY_LIMIT"),
    "growing list, caught": (
        "x = []\nwhile True:\n    try:\n        x.append('a' * 1000)\n    except BaseException:\n        pass",
        "CODE_MEMORY_LIMIT",
    ),
    "growing dict": ("x = {}\nwhile True:\n    x[len(x)] = [0] * 100", "CODE_MEMORY_LIMIT"),
    "growing state": ("i = 0\nwhile True:\n    i += 1\n    state[f'k{i}'] = 'x' * 1000", "CODE_MEMORY_LIMIT"),
    "doubling": ("x = [1]\nwhile True:\n    x = x + x", "CODE_MEMORY_LIMIT"),
    "long text": ("x = 'a' * 10**10", "CODE_MEMORY_LIMIT"),
    "long text by join": ("','.join(['a' * 1000] * 100000)", "CODE_MEMORY_LIMIT"),
    "long text by format": ("f'{1:1000000000d}'", "CODE_MEMORY_LIMIT"),
    "long text by replace": ("x = 'a' * 10000\nx.replace('a', x)", "CODE_MEMORY_LIMIT"),
    "long tuple": ("(1,) * 10**10", "CODE_MEMORY_LIMIT"),
    "long range": ("list(range(10**9))", "CODE_MEMORY_LIMIT"),
    "great number": ("10 ** 10 ** 8", "CODE_MEMORY_LIMIT"),
    "great pow": ("pow(2, 2 ** 40)", "CODE_MEMORY_LIMIT"),
    "great shift": ("1 << 10**11", "CODE_MEMORY_LIMIT"),
    "great number as text": ("str(10 ** 5000)", "CODE_FAILED"),
    "random bytes": ("import random\nrandom.randbytes(10**10)", "CODE_MEMORY_LIMIT"),
    "counter bomb": ("from collections import Counter\nlist(Counter(a=10**10).elements())", "CODE_MEMORY_LIMIT"),
    "json bomb": (
        "import json\nx = ['a' * 10]\nfor _ in range(30):\n    x = [x, x]\njson.dumps(x)",
        "CODE_MEMORY_LIMIT",
    ),
    "json of brackets": ("import json\njson.loads('[' * 100000)", "CODE_FAILED"),
    "shared values in the state": (
        "x = ['a' * 10]\nfor _ in range(30):\n    x = [x, x]\nstate['x'] = x",
        "CODE_MEMORY_LIMIT",
    ),
    "nested result": ("x = []\nfor _ in range(5000):\n    x = [x]\nresult = x", "UNSERIALISABLE_FIELD"),
    "nested state": ("x = {}\nfor _ in range(250):\n    x = {'x': x}\nstate['x'] = x", "UNSERIALISABLE_FIELD"),
    "state in itself": ("state['self'] = state", "UNSERIALISABLE_FIELD"),
    "great number in the state": ("state['x'] = 10 ** 5000", "UNSERIALISABLE_FIELD"),
    "printing for ever": ("while True:\n    print('x' * 100)", "CODE_OUTPUT_LIMIT"),
    "printing for ever, caught": (
        "while True:\n    try:\n        print('x' * 100)\n    except BaseException:\n        pass",
        "CODE_OUTPUT_LIMIT",
    ),
    "printing much at once": ("print('x' * 1000000)", "CODE_OUTPUT_LIMIT"),
    "much in the state": ("state['x'] = 'x' * 20000", "CODE_OUTPUT_LIMIT"),
    "much in the result": ("result = list(range(5000))", "CODE_OUTPUT_LIMIT"),
    "state is no dict": ("state = [1]", "CODE_FAILED"),
    "state is a kind of dict": ("from collections import defaultdict\nstate = defaultdict(int)", "CODE_FAILED"),
    "state by magic": (
        "class S:\n    def __iter__(self):\n        return iter(['a'])\nstate = S()",
        "CODE_FAILED",
    ),
    "the way out is replaced": ("_statebag_close = lambda *args: ['{}', '']", "CODE_FAILED"),
    "the way out gives a bomb": ("def _statebag_close(*args):\n    return [print]", "CODE_FAILED"),
    "the way out lies": (
        "_statebag_close = lambda *args: ['{\"changed\": [\"a\"], \"gone\": []}', '{}', 'NaN']",
        "CODE_FAILED",
    ),
    "the way out nests": (
        "_statebag_close = lambda *args: ['{\"changed\": [], \"gone\": []}', '[' * 4000 + ']' * 4000]",
        "CODE_FAILED",
    ),
    "a limit's error by hand": ("raise MemoryError('mine')", "CODE_FAILED"),
    "exit": ("exit(1)", "CODE_FAILED"),
    "system exit": ("raise SystemExit", "CODE_FAILED"),
    "keyboard interrupt": ("raise KeyboardInterrupt", "CODE_FAILED"),
}


def run(code: Any, state: dict[str, Any] | None = None) -> Any:
    node = Node(id="n", type="operator", config={"code": code})
    return OPERATOR.run(node, Fixed(state or {"n": 1}), CONTEXT).changes


@pytest.mark.parametrize(("code", "expected"), ATTACKS.values(), ids=ATTACKS)
def test_an_attack_fails_the_node_and_nothing_else(code: str, expected: str) -> None:
    started = time.monotonic()
    with pytest.raises(NodeFailed) as failed:
        run(code)
    assert failed.value.code == expected, failed.value.message
    assert "node `n`" in failed.value.message
    assert not failed.value.retryable
    assert len(json.dumps(failed.value.to_json())) < 5000
    assert time.monotonic() - started < 10
    assert run("state['a'] = sum(range(4)) + state['n']") == {"a": 7}


def test_what_is_left_behind_is_not_there_for_the_next() -> None:
    run("kept = 1\nlen = None\n_statebag_remove = None\ndef sorted(*a): return 'mine'")
    assert run("state['a'] = sorted([len('ab')])\ndel state['n']") == {"a": [2]}
    with pytest.raises(NodeFailed, match="name 'kept' is not defined"):
        run("kept")


def test_a_caught_recursion_is_as_in_python() -> None:
    assert run("def f(): return f()\ntry:\n    f()\nexcept RecursionError:\n    state['a'] = 1") == {"a": 1}


def test_a_state_that_is_too_large_or_too_deep_is_refused() -> None:
    with pytest.raises(NodeFailed) as large:
        run("state['a'] = len(state['big'])", {"big": ["x" * 100] * 100_000})
    assert large.value.code == "CODE_MEMORY_LIMIT"
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(NodeFailed) as nested:
        run("state['a'] = len(state['deep'])", {"deep": deep})
    assert nested.value.code == "CODE_RECURSION_LIMIT"
    assert run("state['a'] = 1", {"deep": deep}) == {"a": 1}


def test_reserved_fields_are_dropped_with_a_warning() -> None:
    code = "state['status'] = 'DONE'\nresult = {'loop_counter': 0, 'a': 1}\nstate.pop('workflow_id', None)"
    node = Node(id="n", type="operator", config={"code": code})
    ran = run_nodes([node], Fixed({"workflow_id": "w"}), CONTEXT, {"operator": OPERATOR})
    assert (dict(ran.changes), ran.unset, ran.error) == ({"a": 1}, (), None)
    assert [warning.code for warning in ran.warnings] == ["RESERVED_KEY"] * 3


def test_a_nodes_own_time_counts_and_ends_before_its_segments() -> None:
    node = Node(id="n", type="operator", config={"code": "while True: pass", "timeout_seconds": 0.1})
    started = time.monotonic()
    with pytest.raises(NodeFailed, match=r"longer than its 0\.09 s") as failed:
        OPERATOR.run(node, Fixed({}), CONTEXT)
    assert failed.value.code == "CODE_TIME_LIMIT"
    assert time.monotonic() - started < 5
    assert [
        CodeLimits().seconds_of(Node(id="n", type="operator", config=c)) for c in ({}, {"timeout_seconds": 60})
    ] == [
        10.0,
        59.5,
    ]


def test_computing_and_sleeping_count_together() -> None:
    slow = "import time\ntime.sleep(0.12)\nfor i in range(10**9):\n    pass"
    with pytest.raises(NodeFailed) as failed:
        run(slow)
    assert failed.value.code == "CODE_TIME_LIMIT"


@pytest.mark.parametrize(
    ("code", "expected", "text"),
    [
        ("x = 1\ny = = 2", "CODE_SYNTAX", "line 2: invalid syntax"),
        ("if True:\nx = 1", "CODE_SYNTAX", "line 2: expected an indented block"),
        ("x = 'open", "CODE_SYNTAX", "line 1: unterminated string literal"),
        ("x\0", "CODE_SYNTAX", "null bytes"),
        ("def f():\n\n    yield 1", "CODE_SYNTAX", "line 3: the sandbox does not support yield expressions"),
        ("class E(Exception):\n    pass", "CODE_SYNTAX", "line 1: the sandbox does not support class inheritance"),
        ("x = 1\ndel x", "CODE_SYNTAX", "line 2: the sandbox does not support the 'del' statement"),
        ("from json import *", "CODE_SYNTAX", "line 1: Wildcard imports"),
        ("-" * 4000 + "1", "CODE_SYNTAX", "nested too deep"),
        ("(" * 1000, "CODE_SYNTAX", "line 1: too many nested parentheses"),
        ("x = " + "+".join("1" * 2000), "CODE_SYNTAX", "too deep"),
        ("#" * 5001, "FIELD_VALUE", "is longer than 5,000 bytes"),
        (["x = 1"], "FIELD_TYPE", "must be text"),
        ({"python": "x"}, "FIELD_TYPE", "must be text"),
    ],
)
def test_code_that_can_not_run_is_found_before_it_does(code: Any, expected: str, text: str) -> None:
    (problem,) = OPERATOR.check(Node(id="n", type="operator", config={"code": code}), "$.nodes[3]")
    assert (problem.path, problem.code) == ("$.nodes[3].config.code", expected)
    assert text in problem.message


@pytest.mark.parametrize("code", ["x = = 1", "def f():\n    yield 1", 5])
def test_unchecked_code_that_can_not_run_fails_the_node(code: Any) -> None:
    with pytest.raises(NodeFailed) as failed:
        run(code)
    assert failed.value.code == "CODE_SYNTAX"


def test_a_check_runs_nothing() -> None:
    for code in ("while True: pass", "import os", "x = 'a' * 10**10", "1 / 0"):
        assert list(OPERATOR.check(Node(id="n", type="operator", config={"code": code}), "$")) == []


def test_an_output_key_is_told_to_have_no_effect() -> None:
    node = Node(id="n", type="operator", config={"code": "result = 1", "output_key": "x"})
    (problem,) = OPERATOR.check(node, "$")
    assert (problem.path, problem.code) == ("$.config.output_key", "FIELD_UNKNOWN")
    assert isinstance(problem, Problem)
    assert OPERATOR.run(node, Fixed({}), CONTEXT).changes == {"n_result": 1}
