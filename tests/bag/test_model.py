import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from statebag.bag import BagEngine, Place, Step, read_all
from statebag.blobs import BlobStore, LocalBackend
from statebag.errors import BagConflict
from statebag.nodes import builtin_registry

NAMES = st.sampled_from(["a", "b", "c", "$ptr", "messages", "x_items"])
VALUES = st.sampled_from([None, 0, "", "text", [1, None], {"k": {"$lit": 1}}, "x" * 3_000, ["y"] * 2_000, 2**80])
CHANGES = st.dictionaries(NAMES, VALUES, max_size=4)
DOCUMENT: dict[str, Any] = {
    "nodes": [{"id": f"n{index}", "type": "start"} for index in range(4)],
    "edges": [{"source": f"n{i}", "target": f"n{i + 1}", "type": "hitp", "metadata": {}} for i in range(3)],
}


class EngineAgainstModel(RuleBasedStateMachine):
    """Random actions on an engine, compared with a dict, a list and a few numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._store = BlobStore(LocalBackend(Path(self._folder.name)))
        self._engine = BagEngine(self._store, builtin_registry())
        self._snapshots: dict[str, tuple[dict[str, Any], list[int], int, int]] = {}
        self._sent = 0

    def teardown(self) -> None:
        self._folder.cleanup()

    @initialize(state=CHANGES)
    def init(self, state: dict[str, Any]) -> None:
        self._step = self._engine.init({"workflow_config": DOCUMENT, "initial_state": state}, "run")
        self._user, self._history = dict(state), list[int]()
        self._version, self._loops, self._segment = 1, 0, 0

    @rule(changes=CHANGES, unset=st.sets(NAMES, max_size=2), following=st.integers(0, 2), logs=st.integers(0, 12))
    def sync(self, changes: dict[str, Any], unset: set[str], following: int, logs: int) -> None:
        numbers = self._log(logs)
        delta = {"set": changes, "unset": sorted(unset)}
        result = {
            "status": "CONTINUE",
            "next_segment_to_run": following,
            "state_delta": delta,
            "new_history_logs": numbers,
        }
        self._act("sync", {"execution_result": result}, "CONTINUE")
        self._user = {name: value for name, value in (self._user | changes).items() if name not in unset}
        self._loops, self._segment = self._loops + 1, following

    @rule(state=CHANGES, following=st.integers(0, 2))
    def replace(self, state: dict[str, Any], following: int) -> None:
        result = {"status": "PAUSED_FOR_HITP", "next_segment_to_run": following, "final_state": state}
        self._act("sync", {"execution_result": result}, "PAUSED_FOR_HITP")
        self._user = dict(state)
        self._loops, self._segment = self._loops + 1, following

    @rule(value=VALUES)
    def respond(self, value: Any) -> None:
        answer = {"decision": "ANSWER", "token_id": "t", "user_response": value}
        self._act("merge_callback", {"callback_result": answer}, "CONTINUE")
        messages = self._user.get("messages", [])
        if isinstance(value, str) and value and isinstance(messages, list):
            self._user["messages"] = [*messages, {"role": "user", "content": value}]
        self._user["last_hitp_response"] = {"decision": "ANSWER", "token_id": "t", "value": value}

    @rule(states=st.lists(CHANGES, min_size=1, max_size=3), failed=st.integers(0, 1), logs=st.integers(0, 3))
    def join(self, states: list[dict[str, Any]], failed: int, logs: int) -> None:
        branches = [{"branch_id": str(index)} for index in range(len(states) + failed)]
        fork = {"status": "PARALLEL_GROUP", "branches": branches, "next_segment_to_run": 2}
        self._act("sync", {"execution_result": fork}, "PARALLEL_GROUP")
        results: list[dict[str, Any]] = [
            {"branch_index": index, "status": "COMPLETE", "final_state": state, "new_history_logs": self._log(logs)}
            for index, state in enumerate(states)
        ] + [{"branch_index": len(states), "status": "FAILED"}] * failed
        self._act("aggregate_branches", {"parallel_results": results[::-1]}, "CONTINUE")
        base = dict(self._user)
        added: list[Any] = []
        pure = isinstance(base.get("x_items"), list | None)
        for state in states:
            for name, value in state.items():
                if name not in base or _differs(base[name], value):
                    self._user[name] = value
            if "x_items" in state and _differs(state["x_items"], base.get("x_items", state)):
                start = base.get("x_items") or []
                pure = pure and isinstance(state["x_items"], list) and state["x_items"][: len(start)] == start
                added += state["x_items"][len(start) :] if pure else []
        if pure and added:
            self._user["x_items"] = (base.get("x_items") or []) + added
        self._loops, self._segment = self._loops + 1, 2

    @rule()
    def snapshot(self) -> None:
        step = self._act("create_snapshot", {"snapshot_type": "manual"}, "CONTINUE")
        kept = (dict(self._user), list(self._history), self._loops, self._segment)
        self._snapshots[step.extra["snapshot_id"]] = kept

    @precondition(lambda self: self._snapshots)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self._snapshots)))
        self._act("restore_snapshot", {"snapshot_id": name}, "CONTINUE")
        user, history, self._loops, self._segment = self._snapshots[name]
        self._user, self._history = dict(user), list(history)

    @rule()
    def another_worker(self) -> None:
        self._store = BlobStore(self._store.backend)
        self._engine = BagEngine(self._store, builtin_registry())

    @invariant()
    def engine_and_model_agree(self) -> None:
        bag = self._engine.read_bag(self._place)
        assert bag.user.whole() == dict(sorted(self._user.items()))
        assert {name: bag.user[name] for name in self._user} == self._user
        control = bag.control
        assert (control.bag_version, control.loop_counter, control.segment_to_run) == (
            self._version,
            self._loops,
            self._segment,
        )
        blobs = self._store.execution("", "", "run")
        assert [entry["n"] for entry in read_all(bag.kernel.state_history, blobs)] == self._history
        assert self._step.version == self._version

    def _act(self, action: str, payload: dict[str, Any], expected: str) -> Step:
        place = self._place
        self._step = self._engine.act(action, place, payload)
        assert self._engine.act(action, place, payload) == self._step
        try:
            self._engine.act(action, place, payload, result_id="another")
        except BagConflict:
            pass
        else:
            raise AssertionError("a version was made twice")
        assert self._step.next_action == expected
        self._version += 1
        return self._step

    def _log(self, count: int) -> list[dict[str, Any]]:
        numbers = range(self._sent, self._sent + count)
        self._sent += count
        self._history += numbers
        return [{"n": number} for number in numbers]

    @property
    def _place(self) -> Place:
        return Place(owner_id="", workflow_id="", execution_id="run", version=self._step.version, root=self._step.root)


def _differs(one: Any, other: Any) -> bool:
    return (type(one), one) != (type(other), other)


TestEngineAgainstModel = EngineAgainstModel.TestCase
TestEngineAgainstModel.settings = settings(deadline=None, max_examples=40, stateful_step_count=25)
