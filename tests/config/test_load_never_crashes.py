from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from statebag.config import WARNING_CODES, load_document, parse_execution_input
from statebag.errors import CODES, InputRefused, Problem
from statebag.nodes import NodeRegistry

WORDS = st.sampled_from(["a", "b", "c", "operator", "gpt", "loop", "hitp", "if", "START", "status", "", "$.x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def objects(*keys: str) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(keys), WORDS | VALUES, max_size=len(keys)) | VALUES


PAUSES = objects("prompt", "timeout_seconds", "options", "schema", "output_key", "on_reject", "on_timeout")
NODES = st.lists(objects("id", "type", "label", "hitp", "config", "next"), max_size=4)
EDGES = st.lists(
    st.fixed_dictionaries({"source": WORDS, "target": WORDS}, optional={"type": WORDS, "metadata": PAUSES}) | VALUES,
    max_size=4,
)
DOCUMENTS = st.fixed_dictionaries(
    {"nodes": NODES, "edges": EDGES},
    optional={"start_node": WORDS | VALUES, "initial_state": VALUES, "max_loop_iterations": VALUES},
)
INPUTS = objects("ownerId", "initial_state", "initial_state_s3_path", "workflow_config", "MOCK_MODE", "user_id")


def problems_of(read: Callable[[], object]) -> Sequence[Problem]:
    try:
        read()
    except InputRefused as refused:
        return refused.problems
    return ()


@given(raw=DOCUMENTS | VALUES)
def test_any_json_is_read_or_refused(raw: Any, registry: NodeRegistry) -> None:
    for problem in problems_of(lambda: load_document(raw, registry)):
        assert problem.code in set(CODES) - WARNING_CODES
        assert problem.path.startswith("$")
        assert problem.message.endswith((".", "?"))


@given(raw=INPUTS)
def test_any_input_is_read_or_refused(raw: Any) -> None:
    for problem in problems_of(lambda: parse_execution_input(raw)):
        assert problem.code in set(CODES) - WARNING_CODES
        assert problem.path.startswith("$")
