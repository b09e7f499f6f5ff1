from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from statebag.config import Node
from statebag.errors import NodeFailed
from statebag.nodes import NodeContext
from statebag.nodes._scopes import Fixed
from statebag.nodes.code import Workers, workers
from statebag.nodes.operator import Operator

CONTEXT = NodeContext(execution_id="run", segment_id="s0")


def run(number: int) -> int:
    node = Node(id="n", type="operator", config={"code": "state['a'] = sum(range(1000)) + state['n']"})
    return Operator().run(node, Fixed({"n": number}), CONTEXT).changes["a"]


def test_many_threads_share_the_processes() -> None:
    with ThreadPoolExecutor(24) as threads:
        assert list(threads.map(run, range(100))) == [499500 + number for number in range(100)]


def test_all_node_types_share_one_pool_that_starts_again_when_closed() -> None:
    assert workers() is workers()
    before = workers().pool()
    assert workers().pool() is before
    workers().close()
    workers().close()
    assert run(1) == 499501
    assert workers().pool() is not before


def test_a_killed_process_is_replaced() -> None:
    with workers().pool().checkout() as session:
        pid = session.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    assert [run(n) for n in range(4)] == [499500, 499501, 499502, 499503]


FORKING = """
import os, sys
from statebag.errors import NodeFailed
from tests_code import run

def fork(first):
    child = os.fork()
    if child == 0:
        try:
            assert run(2) == 499502 and first
        except NodeFailed as failure:
            assert not first and failure.code == "CODE_SANDBOX_FAILED" and "forked" in failure.message
        sys.exit(0)
    return os.waitpid(child, 0)[1]

assert fork(True) == 0
assert run(1) == 499501
assert fork(False) == 0
assert run(3) == 499503
"""


def test_a_child_that_is_forked_later_says_so_and_all_end_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "tests_code.py").write_text(Path(__file__).read_text())
    command = [sys.executable, "-c", FORKING]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_sandbox_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    with pytest.raises(NodeFailed, match="pydantic-monty") as failed:
        Workers().pool()
    assert failed.value.code == "CODE_SANDBOX_FAILED"
