"""Run a worker until a signal says to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker, WorkerDeploymentConfig

from statebag.app.connect import connect, load_profile
from statebag.app.deployment import read_deployment
from statebag.app.plugin import StateBagPlugin
from statebag.app.settings import Settings
from statebag.errors import StateBagError

__all__ = ["main", "make_worker", "serve"]

STICKY_TIMEOUT = timedelta(seconds=3)
"""After it, another worker takes over a run whose own worker does not: the wait after a crash, at the price of a replay
when a worker was only busy."""

HEARTBEAT_THROTTLE = timedelta(seconds=3)
"""Longest time between two heartbeats that are sent: with one, a node learns that its run was canceled."""

LEAVE_SECONDS = 3
"""Beyond the time that running activities have to finish: then the process leaves, whatever a node still does."""

_log = logging.getLogger("statebag.worker")


def make_worker(client: Client, settings: Settings, *, deployment: WorkerDeploymentConfig | None = None) -> Worker:
    """A worker with the settings' slots; the client's plugin has what it serves.

    Args:
        client: With our plugin.
        settings: Slots, task queue, time to stop.
        deployment: The version that the worker is; without one, it takes what has no version.
    """
    return Worker(
        client,
        task_queue=settings.task_queue,
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_local_activities,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_cached_workflows=settings.max_cached_workflows,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        deployment_config=deployment,
    )


async def serve(settings: Settings, *, deployment: WorkerDeploymentConfig | None = None) -> None:
    """Connect, register, run; on SIGINT or SIGTERM take no new work and let what runs finish."""
    plugin = StateBagPlugin(settings)
    profile = load_profile()
    client = await connect(plugin, profile=profile)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    where = plugin.store.backend.location()
    async with make_worker(client, settings, deployment=deployment):
        _log.info(
            "worker ready: server %s, namespace %s, task queue %s, store %s%s",
            client.service_client.config.target_host,
            client.namespace,
            settings.task_queue,
            where,
            _describe(deployment),
        )
        await stop.wait()
        _log.info("stopping: running activities have %d s to finish", settings.graceful_shutdown_seconds)
        _leave_after(settings.graceful_shutdown_seconds + LEAVE_SECONDS)
    _log.info("stopped")


def _describe(deployment: WorkerDeploymentConfig | None) -> str:
    if deployment is None:
        return ""
    return f", deployment {deployment.version.deployment_name}, build {deployment.version.build_id}"


def _leave_after(seconds: float) -> None:
    """End the process by then. A thread can't be stopped, and Python waits for its threads before it ends."""

    def leave() -> None:
        _log.warning("a node still runs after %g s: leaving it; another worker does its segment again", seconds)
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def main() -> int:
    """Entry of ``python worker.py``: 0 after a stop by signal, 1 where the worker could not start."""
    try:
        settings, deployment = Settings.from_environment(), read_deployment()
        logging.basicConfig(
            level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
        )
        asyncio.run(serve(settings, deployment=deployment))
    except StateBagError as error:
        logging.basicConfig(stream=sys.stderr)
        _log.error("%s: %s", error.code, error.message)
        for problem in error.details.get("problems", ()):
            _log.error("  %s", problem["message"])
        return 1
    return 0
