from statebag.config import PauseSpec
from statebag.plan import Segment, Strategy, choose_strategy


def segments(count: int, *, llm: int = 0, dependent: int = 0, pauses: int = 0) -> list[Segment]:
    return [
        Segment(
            id=str(index),
            index=index,
            type="llm" if index < llm else "normal",
            dependencies=("0",) if index < dependent else (),
            pause=PauseSpec() if index < pauses else None,
        )
        for index in range(count)
    ]


def strategy(name: str, max_concurrency: int, batch_size: int) -> Strategy:
    return Strategy(name=name, max_concurrency=max_concurrency, batch_size=batch_size)


def test_a_pause_makes_it_safe() -> None:
    assert choose_strategy(segments(500, llm=500, pauses=1)) == strategy("SAFE", 1, 1)


def test_few_segments_are_safe() -> None:
    assert [choose_strategy(segments(n)).max_concurrency for n in (1, 3, 5, 10)] == [1, 3, 5, 5]
    assert {choose_strategy(segments(n)).name for n in range(1, 11)} == {"SAFE"}


def test_many_independent_segments_go_in_parallel() -> None:
    assert choose_strategy(segments(101, llm=31)) == strategy("MAP_REDUCE", 100, 25)
    assert choose_strategy(segments(101, llm=30)) == strategy("BATCHED", 20, 20)
    assert choose_strategy(segments(100, llm=51)) == strategy("BATCHED", 10, 10)
    assert choose_strategy(segments(100, llm=50)) == strategy("BATCHED", 20, 20)
    assert choose_strategy(segments(11)) == strategy("BATCHED", 20, 20)


def test_segments_that_depend_on_each_other_never_do() -> None:
    assert choose_strategy(segments(200, llm=200, dependent=100)) == strategy("SAFE", 2, 1)
    assert choose_strategy(segments(200, llm=200, dependent=99)).name == "MAP_REDUCE"


def test_the_stored_form_loses_nothing() -> None:
    for count in (1, 11, 101):
        chosen = choose_strategy(segments(count, llm=count))
        assert Strategy.from_json(chosen.to_json()) == chosen
