"""What a run leaves in history does not grow with its data."""

from __future__ import annotations

from tests.rig import Rig, asks, chain, events_of, llm, probe, sets


async def test_history_does_not_grow_with_the_state(rig: Rig) -> None:
    """A state of megabytes costs the same bytes a segment as a small one."""

    async def bytes_of_a_run(size: int) -> int:
        rig.behaviours[f"fill-{size}"] = lambda *_: {f"big_{n}": "x" * size for n in range(10)}
        document = chain(
            probe("fill", f"fill-{size}"), *(sets(f"s{n}", **{f"v{n}": n}) for n in range(4)), llm("l", "hi")
        )
        handle = await rig.start(document)
        await handle.result()
        return sum(event.ByteSize() for event in await events_of(handle))

    small, large = await bytes_of_a_run(10), await bytes_of_a_run(300_000)
    assert abs(large - small) < 300


async def test_a_large_answer_comes_through(rig: Rig) -> None:
    answer = {"lines": [f"line {number} of a long answer" for number in range(5000)]}
    handle = await rig.start(chain(sets("a", x=1), sets("b", y=1), edges=[asks("a", "b", output_key="said")]))
    await rig.pause(handle)
    await rig.respond(handle, {"response": answer})
    assert rig.user_state(await handle.result())["said"] == answer
