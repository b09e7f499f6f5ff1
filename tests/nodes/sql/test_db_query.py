"""Queries of a real SQLite file."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from statebag.config import Node
from statebag.errors import InputRefused, NodeFailed, ProviderUnavailable, Unserialisable
from statebag.nodes.db_query import DbQuery

pytestmark = pytest.mark.usefixtures("database")


def test_rows_become_objects(ask: Callable[..., Any]) -> None:
    output = ask("SELECT id, name AS title, price FROM item ORDER BY id")
    assert output.changes == {
        "ask_result": [
            {"id": 1, "title": "pen", "price": 1.5},
            {"id": 2, "title": "ink", "price": 7.25},
            {"id": 3, "title": "cap", "price": None},
        ]
    }
    assert output.step == "db_query:all"
    assert output.logs == (
        {"type": "tool_usage", "name": "ask", "node_id": "ask", "status": "COMPLETED", "output": {"rows": 3}},
    )


@pytest.mark.parametrize(
    ("query", "fetch", "value"),
    [
        ("SELECT id FROM item WHERE id = 2", "one", {"id": 2}),
        ("SELECT id FROM item WHERE id = 9", "one", None),
        ("SELECT id FROM item WHERE id = 9", "all", []),
        ("SELECT id FROM item", "count", 3),
        ("SELECT count(*) AS n FROM item", "one", {"n": 3}),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a", "one", {"x": 1}),
        ("VALUES (1), (2)", "count", 2),
        ("-- the least\n (SELECT 1) ;", "count", None),
        ("/* all */ SELECT 1 AS a;  ", "one", {"a": 1}),
    ],
)
def test_what_is_fetched(query: str, fetch: str, value: Any, ask: Callable[..., Any]) -> None:
    if value is None and fetch == "count":
        with pytest.raises(NodeFailed) as failed:  # no SQLite, but fine elsewhere
            ask(query, fetch=fetch)
        assert failed.value.code == "DB_FAILED"
    else:
        assert ask(query, fetch=fetch, output_key="got").changes == {"got": value}


def test_values_are_bound_and_never_part_of_the_statement(ask: Callable[..., Any]) -> None:
    state = {"name": "pen' OR 1=1 --", "ids": [1, 2], "empty": [], "null": None, "order": {"id": 2}}

    def ids(where: str, **params: Any) -> list[int]:
        output = ask(f"SELECT id FROM item WHERE {where} ORDER BY id", state, params=params)
        return [row["id"] for row in output.changes["ask_result"]]

    assert ids("name = :name", name="{{name}}") == []
    assert ids("name = :name", name="pen") == [1]
    assert ids("id IN :ids", ids="{{ids}}") == [1, 2]
    assert ids("id IN :ids", ids=[3]) == [3]
    assert ids("id IN :ids", ids="{{empty}}") == []
    assert ids("price IS :null", null="{{null}}") == [3]
    assert ids("id = :id AND :yes", id="{{order.id}}", yes=True) == [2]
    assert ids("name || '\\:x' = :a", a="pen:x") == [1]
    with pytest.raises(NodeFailed) as failed:
        ids("id = :order", order="{{order}}")
    assert failed.value.code == "DB_FAILED"
    with pytest.raises(NodeFailed) as failed:
        ids("id IN :ids", ids=[[1]])
    assert failed.value.code == "DB_FAILED"


def test_more_rows_than_the_limit_are_an_error_and_no_cut(ask: Callable[..., Any]) -> None:
    query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n) SELECT i FROM n"
    assert len(ask(query, params={"n": 10_000}).changes["ask_result"]) == 10_000
    with pytest.raises(NodeFailed) as failed:
        ask(query, params={"n": 10_001})
    assert (failed.value.code, failed.value.details) == ("DB_TOO_MANY_ROWS", {"limit": 10_000})
    assert len(ask(query, params={"n": 7}, max_rows=7).changes["ask_result"]) == 7
    with pytest.raises(NodeFailed, match=r"more than 7 rows\. Narrow the query, or raise `max_rows`"):
        ask(query, params={"n": 8}, max_rows=7)
    with pytest.raises(NodeFailed, match=r"more than 1 row\. Add LIMIT 1"):
        ask(query, params={"n": 2}, fetch="one")
    assert ask(query, params={"n": 20_000}, fetch="count").changes["ask_result"] == 20_000


def test_two_columns_of_one_name_are_refused(ask: Callable[..., Any]) -> None:
    with pytest.raises(NodeFailed, match="two columns of the result are called id") as failed:
        ask("SELECT a.id, b.id FROM item a, item b")
    assert failed.value.code == "DB_FAILED"


def test_binary_values_are_refused(ask: Callable[..., Any]) -> None:
    with pytest.raises(Unserialisable, match="node `ask`: column 'picture' is binary"):
        ask("SELECT picture FROM item WHERE id = 3")
    assert ask("SELECT hex(picture) AS h FROM item WHERE id = 3", fetch="one").changes["ask_result"] == {"h": "78"}


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM item",
        "UPDATE item SET price = 0",
        "INSERT INTO item (id) VALUES (9)",
        "DROP TABLE item",
        "ATTACH DATABASE '/tmp/x' AS x",
        "PRAGMA query_only = OFF",
        "VACUUM INTO '/tmp/x'",
        "/* SELECT */ DELETE FROM item",
        "-- SELECT\nDELETE FROM item",
        "/*!DELETE FROM item */ SELECT 1",
        "SELECT 1 INTO/**/OUTFILE '/tmp/x'",
        "",
        "-- nothing",
    ],
)
def test_what_does_not_plainly_read_is_refused_before_the_run(query: str, check: Callable[..., Any]) -> None:
    code = "DB_READ_ONLY" if query else "FIELD_MISSING"
    assert check(query=query, connection="shop") == [("$.nodes[0].config.query", code)]
    if query:
        assert check(query=query, connection="shop", read_only=False) == []


@pytest.mark.parametrize(
    "query", ["WITH a AS (SELECT 1) DELETE FROM item", "WITH a AS (SELECT 1) UPDATE item SET id = 9"]
)
def test_the_database_itself_refuses_what_writes(
    query: str, ask: Callable[..., Any], rows_of: Callable[..., Any]
) -> None:
    with pytest.raises(NodeFailed) as failed:
        ask(query)
    assert failed.value.code == "DB_READ_ONLY"
    assert rows_of("SELECT id FROM item ORDER BY id") == [(1,), (2,), (3,)]


def test_writing_needs_the_node_and_the_worker(
    ask: Callable[..., Any], rows_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = "INSERT INTO item (name) VALUES (:name)"
    for allowed in ("", "0", "false", "other,another"):
        monkeypatch.setenv("STATEBAG_DB_ALLOW_WRITE", allowed)
        with pytest.raises(NodeFailed) as failed:
            ask(insert, params={"name": "no"}, read_only=False)
        assert failed.value.code == "DB_READ_ONLY"
    for allowed in ("1", "true", "other, SHOP"):
        monkeypatch.setenv("STATEBAG_DB_ALLOW_WRITE", allowed)
        output = ask(insert, params={"name": allowed}, read_only=False, fetch="count")
        assert output.changes == {"ask_result": 1}
    assert rows_of("SELECT name FROM item WHERE id > 3") == [("1",), ("true",), ("other, SHOP",)]
    update = "UPDATE item SET price = 0 WHERE id > 3 RETURNING id"
    assert ask(update, read_only=False).changes == {"ask_result": [{"id": 4}, {"id": 5}, {"id": 6}]}
    assert ask("DELETE FROM item WHERE id > 3", read_only=False).changes == {"ask_result": []}
    assert ask("DELETE FROM item WHERE id > 3", read_only=False, fetch="count").changes == {"ask_result": 0}


def test_a_write_whose_result_can_not_be_kept_is_undone(
    ask: Callable[..., Any], rows_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEBAG_DB_ALLOW_WRITE", "1")
    with pytest.raises(NodeFailed) as failed:
        ask("UPDATE item SET price = 0 RETURNING id", read_only=False, max_rows=2)
    assert failed.value.code == "DB_TOO_MANY_ROWS"
    with pytest.raises(Unserialisable):
        ask("UPDATE item SET price = 0 WHERE id = 3 RETURNING picture", read_only=False)
    assert rows_of("SELECT price FROM item") == [(1.5,), (7.25,), (None,)]


@pytest.mark.parametrize("query", ["SELECT nonsense FROM item", "SELECT FROM", "SELECT 1 WHERE 2 = :big"])
def test_a_wrong_query_is_final(query: str, ask: Callable[..., Any]) -> None:
    with pytest.raises(NodeFailed) as failed:
        ask(query, params={"big": 2**70})
    assert (failed.value.code, failed.value.retryable) == ("DB_FAILED", False)
    assert failed.value.message.startswith("node `ask`: database connection shop: ")


def test_a_broken_rule_of_the_database_is_final(ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEBAG_DB_ALLOW_WRITE", "1")
    query, params = "INSERT INTO item (name, price) VALUES (:name, :price)", {"name": "pen", "price": "secret"}
    with pytest.raises(NodeFailed, match="UNIQUE constraint failed") as failed:
        ask(query, params=params, read_only=False)
    assert failed.value.code == "DB_FAILED"
    assert "secret" not in failed.value.message


def test_a_locked_database_is_repeated(
    database: Path, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEBAG_DB_ALLOW_WRITE", "1")
    monkeypatch.setenv("STATEBAG_DB_SHOP", f"sqlite:///{database}?timeout=0.05")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for continuing in ("fail", "continue"):
            with pytest.raises(ProviderUnavailable) as failed:
                ask("DELETE FROM item", read_only=False, on_error=continuing)
            assert (failed.value.code, failed.value.retryable) == ("DB_UNAVAILABLE", True)


def test_a_database_that_can_not_be_opened_is_repeated(
    tmp_path: Path, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEBAG_DB_SHOP", f"sqlite:///{tmp_path}")
    with pytest.raises(ProviderUnavailable) as failed:
        ask("SELECT 1")
    assert failed.value.code == "DB_UNAVAILABLE"


def test_reading_makes_no_file(tmp_path: Path, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEBAG_DB_SHOP", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(NodeFailed) as failed:
        ask("SELECT 1")
    assert failed.value.code == "DB_NOT_CONFIGURED"
    assert not (tmp_path / "none.db").exists()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0"


def test_a_query_ends_when_time_is_up(ask: Callable[..., Any]) -> None:
    started = time.monotonic()
    with pytest.raises(ProviderUnavailable) as failed:
        ask(ENDLESS, timeout=0.2)
    assert (failed.value.code, failed.value.details) == ("DB_TIMEOUT", {"timeout_seconds": 0.2})
    assert 0.15 < time.monotonic() - started < 30


def test_a_cancellation_arrives_with_the_heartbeat(ask: Callable[..., Any]) -> None:
    class Canceled(Exception):
        pass

    beats: list[object] = []

    def beat(detail: object) -> None:
        beats.append(detail)
        if len(beats) == 3:
            raise Canceled

    started = time.monotonic()
    with pytest.raises(Canceled):
        ask(ENDLESS, timeout=4, heartbeat=beat)
    assert time.monotonic() - started < 3.9
    assert beats[0] == {"connection": "shop", "waited_seconds": 0}


def test_the_run_goes_on_after_a_final_error_where_the_node_says_so(ask: Callable[..., Any]) -> None:
    output = ask("SELECT nonsense", on_error="continue")
    assert set(output.changes) == {"ask_error"}
    assert output.changes["ask_error"]["code"] == "DB_FAILED"
    output = ask("SELECT picture FROM item WHERE id = 3", on_error="continue")
    assert output.changes["ask_error"]["code"] == "UNSERIALISABLE_FIELD"
    output = ask("SELECT 1 AS a", on_error="continue")
    assert (output.changes, output.unset) == ({"ask_result": [{"a": 1}]}, ("ask_error",))


def test_connections_are_the_workers(database: Path, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask("SELECT 1 AS a", connection="Shop", fetch="one").changes["ask_result"] == {"a": 1}
    with pytest.raises(
        NodeFailed, match=r"no database connection 'stock'; it has shop\. Set STATEBAG_DB_STOCK"
    ) as failed:
        ask("SELECT 1", connection="stock")
    assert failed.value.code == "DB_NOT_CONFIGURED"
    url = f"sqlite:///{database}"
    with pytest.raises(NodeFailed, match="takes no `connection_string`") as failed:
        ask("SELECT 1", connection_string=url)
    assert failed.value.code == "DB_NOT_CONFIGURED"
    monkeypatch.setenv("STATEBAG_DB_ALLOW_URLS", "1")
    output = ask("SELECT 1 AS a", {"file": str(database)}, connection_string="sqlite:///{{file}}", fetch="one")
    assert output.changes["ask_result"] == {"a": 1}
    monkeypatch.setenv("STATEBAG_DB_ALLOW_WRITE", "shop")
    with pytest.raises(NodeFailed) as failed:
        ask("DELETE FROM item", connection_string=url, read_only=False)
    assert failed.value.code == "DB_READ_ONLY"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("no url with secret", "DB_NOT_CONFIGURED"),
        ("nosuch://u:secret@h/d", "PACKAGE_MISSING"),
        ("sqlite://u:secret@h:99999999/d", "DB_NOT_CONFIGURED"),
    ],
)
def test_a_url_that_can_not_be_used_is_told_without_its_password(
    url: str, code: str, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEBAG_DB_SHOP", url)
    with pytest.raises(NodeFailed) as failed:
        ask("SELECT 1")
    assert failed.value.code == code
    assert "secret" not in failed.value.message


@pytest.mark.parametrize(("name", "value"), [("ALLOW_URLS", "perhaps"), ("ALLOW_WRITE", "a b"), ("ALLOW_WRITE", ",")])
def test_a_setting_that_can_not_be_read_is_refused(
    name: str, value: str, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"STATEBAG_DB_{name}", value)
    with pytest.raises(InputRefused) as refused:
        ask("SELECT 1")
    assert (refused.value.code, refused.value.problems[0].path) == ("SETTING_INVALID", f"$STATEBAG_DB_{name}")


def test_mock_mode_asks_nobody(ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATEBAG_DB_SHOP")
    assert ask("SELECT 1", mock=True).changes == {"ask_result": []}
    assert ask("SELECT 1", mock=True, fetch="one").changes == {"ask_result": None}
    assert ask("SELECT 1", mock=True, fetch="count").changes == {"ask_result": 0}
    output = ask("SELECT 1", {"n": 1}, mock=True, mock_response=[{"n": "{{n}}"}], output_key="o")
    assert output.changes == {"o": [{"n": 1}]}


def test_what_a_query_reads_is_known_before_it_runs() -> None:
    config = {"query": "SELECT :a", "params": {"a": "{{x.y}}", "b": ["{{z}}"]}, "mock_response": "{{m}}"}
    assert DbQuery().reads(Node(id="ask", type="db_query", config=config)) == {"x", "z", "m"}


def test_without_the_extra_the_node_says_what_to_install(
    ask: Callable[..., Any], check: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statebag.nodes.db_query.find_spec", lambda name: None)
    assert check(query="SELECT 1", connection="shop") == [("$.nodes[0].type", "PACKAGE_MISSING")]
    with pytest.raises(NodeFailed, match=r"statebag\[db\]") as failed:
        ask("SELECT 1")
    assert failed.value.code == "PACKAGE_MISSING"


def test_the_library_is_loaded_by_no_import_of_the_node() -> None:
    import subprocess

    code = "import sys, statebag.nodes.db_query, statebag.nodes.api_call; print({'sqlalchemy', 'httpx'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
