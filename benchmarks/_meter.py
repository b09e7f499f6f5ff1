"""Counts what single segments do to the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temporalio import activity
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from statebag.blobs import BlobStore

__all__ = ["SegmentTraffic", "StoreMeter"]


@dataclass(frozen=True, kw_only=True)
class SegmentTraffic:
    """Calls of the store's backend while one segment ran and was merged."""

    execution_id: str
    bytes_written: int
    """As stored, after compression."""
    reads: int


class StoreMeter(ClientInterceptor, Interceptor):
    """Watches ``execute_segment``. Right only while one segment runs at a time.

    Args:
        store: the worker's store.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._seen: list[SegmentTraffic] = []

    def of(self, execution_id: str) -> list[SegmentTraffic]:
        """The segments of a run, in order."""
        return [traffic for traffic in self._seen if traffic.execution_id == execution_id]

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """See :class:`temporalio.worker.Interceptor`."""
        return _Metered(next, self._store, self._seen)


class _Metered(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, store: BlobStore, seen: list[SegmentTraffic]) -> None:
        super().__init__(inner)
        self._store = store
        self._seen = seen

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        if info.activity_type != "execute_segment":
            return await super().execute_activity(input)
        before = self._store.stats()
        result = await super().execute_activity(input)
        after = self._store.stats()
        self._seen.append(
            SegmentTraffic(
                execution_id=info.workflow_id or "",
                bytes_written=after.bytes_written - before.bytes_written,
                reads=after.reads - before.reads,
            )
        )
        return result
