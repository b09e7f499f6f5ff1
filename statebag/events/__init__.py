"""Lifecycle events and the sinks they go to."""

from statebag.events._event import DETAIL_TYPE, SOURCE, EventType, LifecycleEvent, event_id_of
from statebag.events._sink import LogSink, Sink, deliver

__all__ = ["DETAIL_TYPE", "SOURCE", "EventType", "LifecycleEvent", "LogSink", "Sink", "deliver", "event_id_of"]
