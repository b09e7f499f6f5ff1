from __future__ import annotations

import logging

import pytest

from statebag.canonical import parse_json
from statebag.events import EventType, LifecycleEvent, LogSink, deliver, event_id_of


def make_event(sequence: int = 0, **detail: object) -> LifecycleEvent:
    return LifecycleEvent(
        event_id=event_id_of("run-1", sequence),
        event_type=EventType.STARTED,
        sequence=sequence,
        execution_id="run-1",
        ownerId="acme",
        workflowId="w",
        timestamp="2026-01-02T03:04:05.678+00:00",
        status="RUNNING",
        detail=detail,
    )


class Broken:
    def send(self, event: LifecycleEvent) -> None:
        raise ConnectionError(f"no way to send {event.sequence}")


class Kept:
    def __init__(self) -> None:
        self.events: list[LifecycleEvent] = []

    def send(self, event: LifecycleEvent) -> None:
        self.events.append(event)


def test_an_event_id_tells_events_and_runs_apart_and_stays_the_same() -> None:
    ids = {event_id_of(run, number) for run in ("run-1", "run-11", "run-2") for number in range(12)}
    assert len(ids) == 36
    assert event_id_of("run-1", 3) == event_id_of("run-1", 3)


def test_the_types_own_fields_never_hide_the_common_ones() -> None:
    body = make_event(total_segments=3, status="something else").to_json()
    assert body["total_segments"] == 3
    assert body["status"] == "RUNNING"


def test_a_broken_sink_keeps_nothing_from_the_others_and_is_reported() -> None:
    kept, event = Kept(), make_event(7)
    failures = deliver(event, [Broken(), kept, Broken()])
    assert kept.events == [event]
    assert [str(failure) for failure in failures] == ["no way to send 7"] * 2


def test_the_log_sink_writes_one_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="statebag.events"):
        LogSink().send(make_event(2, total_segments=5))
    assert [parse_json(record.message) for record in caplog.records] == [make_event(2, total_segments=5).to_json()]
