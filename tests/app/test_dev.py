"""``statebag dev``: a server with a memory."""

from __future__ import annotations

import signal
import socket

from tests.app.shell import Shell, wait_for_line
from tests.rig import asks, chain, sets

DOCUMENT = chain(sets("a", a=1), sets("b", b=2), edges=[asks("a", "b")])


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def test_runs_outlive_the_server(shell: Shell) -> None:
    port, ui_port = free_ports()
    arguments = ("dev", "--port", str(port), "--ui-port", str(ui_port), "--db", "runs.db")
    named = {"TEMPORAL_ADDRESS": f"127.0.0.1:{port}"}
    first = shell.start(*arguments)
    assert wait_for_line(first, "server").split() == ["server", f"127.0.0.1:{port}"]
    assert wait_for_line(first, "web page").split() == ["web", "page", f"http://127.0.0.1:{ui_port}"]
    wait_for_line(first, "Ctrl-C stops it")
    with socket.create_connection(("127.0.0.1", ui_port), timeout=10):
        pass
    taken = shell.run("dev", "--port", str(port))
    assert taken.status == 2
    assert f"PORT_TAKEN: port {port}" in taken.err
    shell.write("d.json", DOCUMENT)
    watcher = shell.start("run", "d.json", "--id", "kept", **named)
    wait_for_line(watcher, "answer with: statebag respond kept")
    watcher.send_signal(signal.SIGINT)
    assert shell.finish(watcher).status == 1
    first.send_signal(signal.SIGTERM)
    ended = shell.finish(first)
    assert ended.status == 0
    assert "stopped; runs that are not over go on" in ended.err

    second = shell.start(*arguments)
    wait_for_line(second, "Ctrl-C stops it")
    assert shell.run("respond", "kept", **named).status == 0
    result = shell.run("run", "d.json", "--id", "kept", "--json", **named)
    assert (result.status, result.body["status"]) == (0, "SUCCEEDED")
    assert "no worker polls" not in result.err
    second.send_signal(signal.SIGINT)
    assert shell.finish(second).status == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_database_that_cannot_be_written_is_refused(shell: Shell) -> None:
    port, ui_port = free_ports()
    shell.write("file", "text")
    ended = shell.run("dev", "--port", str(port), "--ui-port", str(ui_port), "--db", "file/runs.db")
    assert ended.status == 2
    assert "FILE_UNREADABLE: " in ended.err
    assert "--db" in ended.err
