"""A connection that goes to a checked address still talks to the host by its name."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from statebag.errors import NodeFailed


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, list[str | None]]]:
    """Port of a server with a certificate for ``api.example.com``, and the names it was asked for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api.example.com")])
    names = [x509.DNSName("api.example.com"), x509.IPAddress(ipaddress.ip_address("93.184.216.35"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    authority, chain = tmp_path / "authority.pem", tmp_path / "chain.pem"
    authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    chain.write_bytes(
        authority.read_bytes()
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    asked: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.headers["Host"].encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients that do not trust the certificate break off."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    yield server.server_port, asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_certificate_is_checked_against_the_name(
    secure: tuple[int, list[str | None]], call: Callable[..., Any], network: Callable[..., Any]
) -> None:
    port, asked = secure
    wired, names, wires = network(["93.184.216.34"], port=port)
    assert call("https://api.example.com/", network=wired).changes["ask_response"] == "api.example.com"
    assert (asked, names.asked, wires.connected) == (
        ["api.example.com"],
        [("api.example.com", 443)],
        [("93.184.216.34", 443)],
    )


@pytest.mark.parametrize("host", ["other.example.com", "93.184.216.34"])
def test_another_host_behind_the_address_is_not_trusted(
    host: str, secure: tuple[int, list[str | None]], call: Callable[..., Any], network: Callable[..., Any]
) -> None:
    wired, _, _ = network(["93.184.216.34"], port=secure[0])
    with pytest.raises(NodeFailed, match="is not trusted") as failed:
        call(f"https://{host}/", network=wired)
    assert failed.value.code == "API_FAILED"


def test_an_authority_that_nobody_named_is_not_trusted(
    secure: tuple[int, list[str | None]],
    call: Callable[..., Any],
    network: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    wired, _, _ = network(["93.184.216.34"], port=secure[0])
    with pytest.raises(NodeFailed, match="is not trusted"):
        call("https://api.example.com/", network=wired)
