"""``statebag codec``: let the UI and the command line of Temporal read payloads."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import re
import socket

import click

from statebag.app.logs import set_up_logging
from statebag.app.output import print_note
from statebag.app.run import stop_signals
from statebag.app.settings import Settings
from statebag.blobs import open_store
from statebag.errors import StateBagError

__all__ = ["codec"]

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d+)?")
_MIB = 1024 * 1024


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8081, show_default=True, help="0 is any free one.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="A web page that may ask, such as the UI's http://127.0.0.1:8233. Repeat it for several.  [default: none]",
)
@click.option("--max-body", type=click.IntRange(1, 1024), default=16, show_default=True, help="MiB of a request.")
@click.option(
    "--max-decoded", type=click.IntRange(1, 256), default=64, show_default=True, help="MiB of what it decodes to."
)
def codec(*, host: str, port: int, origins: tuple[str, ...], max_body: int, max_decoded: int) -> int:
    """Serve Temporal's remote codec protocol, until Ctrl-C.

    With it, the UI and `temporal workflow show --detailed --codec-endpoint URL` show payloads that are compressed, or in the store
    that STATEBAG_STORE names. Where STATEBAG_CODEC_TOKEN is set, each request must bear it; beyond this machine, it
    must be set.
    """
    # Only this command needs a web server; others would start later for it.
    from statebag.app.codec_server import CodecOptions, make_app, serve_app  # noqa: PLC0415

    settings = Settings.from_environment()
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise click.UsageError(f"--allow-origin {origin}: no origin: give http(s)://host or http(s)://host:port.")
    family, address = _resolve(host, port)
    exposed = not ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
    if exposed and not settings.codec_token:
        raise StateBagError(
            f"STATEBAG_CODEC_TOKEN is not set, and others reach {host}: whoever asks could read all payloads. Set it to "
            "a long secret, or listen at 127.0.0.1.",
            code="SETTING_INVALID",
        )
    set_up_logging(logging.getLevelNamesMapping()[settings.log_level])
    store = open_store(settings.store, cache_bytes=settings.cache_mb * _MIB)
    options = CodecOptions(
        token=settings.codec_token,
        origins=origins,
        body_bytes=max_body * _MIB,
        decoded_bytes=max_decoded * _MIB,
    )

    async def serve() -> None:
        async with stop_signals() as stop:
            with _listen(family, address) as listening:
                url = _url_of(listening)
                print_note(f"codec     {url}")
                print_note(f"store     {store.backend.location()}")
                if exposed:
                    print_note("it speaks plain HTTP: put a proxy with TLS before it")
                auth = ' --codec-auth "Bearer $STATEBAG_CODEC_TOKEN"' if settings.codec_token else ""
                print_note(f"temporal workflow show --detailed --workflow-id ID --codec-endpoint {url}{auth}")
                print_note("Ctrl-C stops it.")
                await serve_app(make_app(store, options), listening, stop)

    asyncio.run(serve())
    print_note("stopped")
    return 0


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as cause:
        raise click.UsageError(f"--host {host}: no address: {cause}.") from cause
    family, *_, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _listen(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    host, port = address
    try:
        listening = socket.create_server(address, family=family)
        # Connections have it from here: else each answer on one that is kept waits 40 ms for the other side.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as cause:
        if cause.errno == errno.EADDRINUSE:
            text = f"port {port}: another program listens there. Stop it, or choose another port with --port."
            raise StateBagError(text, code="PORT_TAKEN") from cause
        raise click.UsageError(f"{host}, port {port}: can't listen there: {cause.strerror}.") from cause
    return listening


def _url_of(listening: socket.socket) -> str:
    host, port, *_ = listening.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
