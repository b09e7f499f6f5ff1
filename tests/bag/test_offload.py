from collections.abc import Callable
from typing import Any

import pytest

from statebag.bag import STEP_FUNCTIONS, TEMPORAL, Bag, UserFields
from statebag.blobs import ExecutionBlobs, Pointer, is_pointer
from statebag.canonical import canonical_bytes, size_of
from statebag.errors import BagTooLarge

KIB = 1024


def text_of(size: int) -> str:
    """A text whose JSON has that many bytes."""
    return "x" * (size - 2)


def test_a_field_of_exactly_the_limit_stays_and_one_byte_more_leaves(run: Any) -> None:
    run.init({"at": text_of(30 * KIB), "over": text_of(30 * KIB + 1)})
    stored = run.state["current_state"]
    assert stored["at"] == text_of(30 * KIB)
    pointer = Pointer.from_json(stored["over"])
    assert (pointer.kind, pointer.size_bytes) == ("field", 30 * KIB + 1)
    assert run.user == {"at": text_of(30 * KIB), "over": text_of(30 * KIB + 1)}


@pytest.mark.parametrize("extra", [0, 1])
def test_the_user_namespace_may_have_exactly_its_limit(extra: int, run: Any) -> None:
    state = {name: text_of(25 * KIB) for name in "abc"}
    state["d"] = text_of(100 * KIB + extra - size_of(state) - len(',"d":'))
    assert size_of(state) == 100 * KIB + extra
    run.init(state)
    moved = [name for name, entry in run.state["current_state"].items() if is_pointer(entry)]
    assert moved == (["a"] if extra else [])
    assert run.user == state


def test_the_largest_fields_leave_first(run: Any) -> None:
    state = {"a": text_of(20 * KIB), "b": text_of(29 * KIB), "c": text_of(28 * KIB), "d": text_of(29 * KIB)}
    run.init(state)
    assert [n for n, entry in run.state["current_state"].items() if is_pointer(entry)] == ["b"]
    run.sync(following=1, state_delta={"set": {"e": text_of(29 * KIB), "f": text_of(29 * KIB)}})
    assert [n for n, entry in run.state["current_state"].items() if is_pointer(entry)] == ["b", "d", "e"]


def test_thousands_of_small_fields_leave_together(run: Any) -> None:
    state: dict[str, Any] = {f"field_{index:05}": "small value" for index in range(5_000)}
    run.init(state)
    assert run.state["current_state"]["kind"] == "fields"
    assert size_of(run.state) < 10 * KIB
    run.sync(following=1, state_delta={"set": {"field_00003": 1, "new": 2}, "unset": ["field_00004"]})
    expected = state | {"field_00003": 1, "new": 2}
    del expected["field_00004"]
    assert run.user == expected
    run.sync(following=2, final_state={"few": 1})
    assert run.state["current_state"] == {"few": 1}
    assert "state_s3_path" not in run.state


def test_a_bag_that_is_nearly_too_large_says_so(run: Any) -> None:
    run.init(segments=5)
    snapshots = {f"s{index}": "x" * 1_000 for index in range(156)}
    run.state = run.state | {"snapshots": snapshots}
    answer = run.sync(following=1)
    assert [warning["code"] for warning in answer["warnings"]] == ["BAG_NEAR_LIMIT"]


def test_a_bag_that_can_t_get_smaller_is_refused_with_what_is_large(run: Any) -> None:
    run.init({"a": 1}, segments=5)
    run.state = run.state | {"snapshots": {"s": "x" * 250 * KIB}, "branch_policy": {"x": "y" * 3_000}}
    before = canonical_bytes(run.state)
    with pytest.raises(BagTooLarge) as refused:
        run.sync(following=1, state_delta={"set": {"a": 2}})
    assert refused.value.code == "BAG_TOO_LARGE"
    assert refused.value.details["size_bytes"] > 250 * KIB
    largest = refused.value.details["largest_fields"]
    assert [entry["field"] for entry in largest[:2]] == ["snapshots", "branch_policy"]
    assert canonical_bytes(run.state) == before


def test_a_long_error_leaves_its_beginning(run: Any) -> None:
    run.init(segments=5)
    error = {"code": "NODE_FAILED", "message": "cause: " + "ä" * 30_000, "details": [1, None]}
    run.sync("FAILED", error_info=error)
    kept = run.state["error"]
    assert (kept["code"], kept["message"][:12]) == ("NODE_FAILED", "cause: äääää")
    assert run.blobs.get(Pointer.from_json(kept["stored"])) == error
    run.act("create_snapshot")
    assert run.state["error"] == kept


def test_a_60_kb_text_that_is_not_ascii_is_measured_in_bytes(run: Any) -> None:
    text = "漢字🙂é" * 5_500
    assert len(text) < 30 * KIB < len(text.encode())
    run.init({"text": text})
    assert run.state["current_state"]["text"]["size_bytes"] == len(text.encode()) + 2
    assert run.user == {"text": text}


@pytest.mark.parametrize(("kib", "low", "high"), [(255, 255, 260), (257, 256, 260)])
def test_sizes_are_those_of_canonical_json(kib: int, low: int, high: int) -> None:
    assert low <= size_of({"data": "x" * kib * KIB}) / KIB < high
    assert size_of({"b": "é", "a": [1, None]}) == len('{"a":[1,null],"b":"é"}'.encode())


@pytest.mark.parametrize("kib", [500, 750])
def test_large_values_come_back_byte_for_byte(kib: int, run: Any, cold: Callable[[], ExecutionBlobs]) -> None:
    value = {"rows": [{"id": index, "text": "ü" * 90, "none": None} for index in range(kib * 5)]}
    assert size_of(value) > kib * KIB
    run.init({"value": value})
    read = Bag.from_json(run.state, cold()).user["value"]
    assert canonical_bytes(read) == canonical_bytes(value)


def test_repetitive_values_shrink_in_the_store(run: Any) -> None:
    before = run.store.stats().bytes_written
    run.init({"tool_result": "same line\n" * 50_000})
    assert run.store.stats().bytes_written - before < 20_000
    assert size_of(run.state) < 262_144


def test_many_hundreds_of_kilobytes_stay_readable_by_later_segments(run: Any) -> None:
    sizes = {"a": 100_000, "b": 200_000, "c": 150_000, "d": 240_000}
    run.init(segments=5)
    for index, (name, size) in enumerate(sizes.items()):
        run.sync(following=index, state_delta={"set": {name: name * size}})
        assert size_of(run.state) <= 200 * KIB
    assert run.user == {name: name * size for name, size in sizes.items()}


def test_a_changed_field_writes_itself_and_not_the_bag(engine: Any, chain: Any) -> None:
    state = {f"field_{index}": f"{index}" * 20_000 for index in range(50)}
    engine.init(state, document=chain(*[{"set": {"field_7": "y" * 1_000 + str(i)}} for i in range(6)]))
    engine.execute()
    written, reads = engine.engine.store.stats().bytes_written, engine.engine.store.stats().reads
    for _ in range(4):
        engine.execute()
    stats = engine.engine.store.stats()
    assert (stats.bytes_written - written) / 4 < 4_000
    # The bag is warm, and a first attempt does not look for its commit record.
    assert stats.reads == reads


def test_a_step_does_not_grow_with_the_bag(engine: Any, chain: Any) -> None:
    sizes: list[int] = []
    for count in (1, 1_000):
        engine.init({f"f{i}": "x" * 3_000 for i in range(count)}, document=chain({}, {}), MOCK_MODE="true")
        sizes.append(size_of(engine.execute().to_json()))
        engine.engine = type(engine.engine)(
            type(engine.engine.store)(_Elsewhere(engine.engine.store.backend)), engine.engine.registry
        )
    assert abs(sizes[0] - sizes[1]) < 20
    assert sizes[1] < 700


class _Elsewhere:
    """The same backend below another prefix, so that the second run does not meet the first."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.parallel = False

    def read(self, key: str, *, max_bytes: int | None = None) -> bytes:
        return self._inner.read(f"x/{key}", max_bytes=max_bytes)

    def write_if_absent(self, key: str, data: bytes) -> bool:
        return self._inner.write_if_absent(f"x/{key}", data)


def test_the_policies_are_those_of_the_two_doors() -> None:
    assert (STEP_FUNCTIONS.field_limit, STEP_FUNCTIONS.user_limit) == (30 * KIB, 100 * KIB)
    assert (STEP_FUNCTIONS.warn, STEP_FUNCTIONS.refuse) == (150 * KIB, 200 * KIB)
    assert TEMPORAL.field_limit < STEP_FUNCTIONS.field_limit


def test_a_page_holds_so_much_and_no_more(blobs: ExecutionBlobs) -> None:
    fields = UserFields.of({}, blobs)
    for index in range(300):
        fields = fields.change({f"f{index}": "x" * 50}).settle(field_limit=1_000, paged=True)
        whole = size_of(fields.whole())
        assert ("p" in fields.node) == (whole - 1 > 8 * KIB)
    pages = [blobs.get_bytes(Pointer.from_json(page)) for page in fields.node["p"].values()]
    assert max(map(len, pages)) <= 8 * KIB + 8
    assert fields.node["n"] == size_of(fields.whole()) - 1
