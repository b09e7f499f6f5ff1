"""A worker whose store does not answer as long as a file is there; in another one it notes each refused call."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

from statebag.app import Settings, StateBagPlugin
from statebag.app.connect import connect, load_profile
from statebag.app.serve import make_worker
from statebag.blobs import BlobStore, open_store
from statebag.errors import StoreUnavailable
from statebag.testing import FaultyBackend


async def serve(away: Path, refused: Path) -> None:
    def look(_: float) -> None:
        if away.exists():
            with refused.open("a") as notes:
                notes.write(".")
            raise StoreUnavailable("the store is away. Wait for it.")

    settings = Settings.from_environment()
    backend = FaultyBackend(open_store(settings.store).backend, delay_seconds=1e-9, sleep=look)
    client = await connect(StateBagPlugin(settings, store=BlobStore(backend)), profile=load_profile())
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with make_worker(client, settings):
        logging.getLogger("statebag.worker").warning("worker ready")
        await stop.wait()


if __name__ == "__main__":
    logging.basicConfig()
    asyncio.run(serve(Path(os.environ["STORE_AWAY"]), Path(os.environ["STORE_REFUSED"])))
