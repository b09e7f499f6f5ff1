"""Temporal activities: thin, one call into the domain each."""

from activities._async_llm import AsyncDispatcher, AsyncLLMActivities, AsyncRequest
from activities._claims import ClaimActivities
from activities._events import EventActivities
from activities._maps import MapActivities
from activities._state import StateActivities

__all__ = [
    "AsyncDispatcher",
    "AsyncLLMActivities",
    "AsyncRequest",
    "ClaimActivities",
    "EventActivities",
    "MapActivities",
    "StateActivities",
]
