"""``statebag plan``: what a document is cut into, as a table, as JSON and as a chart."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statebag.app.command import run_command
from statebag.app.flowchart import draw_plan
from statebag.app.plan import show_plan
from statebag.config import Node, PauseSpec, load_document
from statebag.nodes import load_registry
from statebag.plan import BranchNeeds, BranchPlan, ListNeed, Plan, Segment, Strategy, plan_document
from tests.app.shell import Ended
from tests.mapping import document_of, mapping
from tests.rig import asks, chain, llm, sets

ShowPlan = Callable[..., Ended]

REPLY = chain(
    sets("a", x=1),
    llm("draft", "Answer: {{question}}"),
    sets("send", y=2),
    edges=[{"source": "a", "target": "draft"}, asks("draft", "send", prompt="Send\nthis?", on_reject="a")],
    workflow_name="Reply",
)
DIAMOND = {
    "nodes": [sets(name, x=1) for name in ("p", "x", "y", "m")],
    "edges": [{"source": one, "target": to} for one, to in (("p", "x"), ("p", "y"), ("x", "m"), ("y", "m"))],
}


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> ShowPlan:
    """``show(document, "--json")``, where no server answers."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("STATEBAG_STORE", (tmp_path / "store").as_uri())

    def run(document: Any, *options: str) -> Ended:
        file = tmp_path / "d.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["statebag", "plan", str(file), *options])
            status = run_command()
        shown = capfd.readouterr()
        assert not (tmp_path / "store").exists()
        return Ended(status=status, out=shown.out, err=shown.err)

    return run


def planned(document: Any) -> Plan:
    registry = load_registry()
    return plan_document(load_document(document, registry).document, registry)


def cells(text: str) -> list[list[str]]:
    """The rows of a table below its title, by where the heads begin; indents are kept."""
    head, *rows = text.splitlines()[2:]
    starts = [found.start() for found in re.finditer(r"(?<!\S)\S+(?: \S+)*", head)]
    ends = [*starts[1:], None]
    return [[row[start:end].rstrip() for start, end in zip(starts, ends, strict=True)] for row in (head, *rows)]


def test_the_table_has_a_line_for_each_segment(show: ShowPlan) -> None:
    ended = show(REPLY)
    assert (ended.status, ended.err) == (0, "")
    limit = planned(REPLY).max_loop_iterations
    title = f"Reply: 3 segments, 1 model call, 1 pause; a run executes at most {limit} segments"
    assert ended.out.splitlines()[0] == title
    assert cells(ended.out) == [
        ["id", "type", "nodes", "pause", "next", "depends on", "outside"],
        ["0", "normal", "a", "", "1", "", ""],
        ["1", "llm", "draft", "", "2", "0", "yes"],
        ["2", "normal", "send", "Send this? (rejected: 0)", "end", "1", ""],
    ]


def test_branches_stand_below_their_group(show: ShowPlan) -> None:
    ended = show(DIAMOND)
    assert ended.out.startswith("4 segments and 2 inside of branches, 0 model calls, 0 pauses; ")
    assert [row[:3] for row in cells(ended.out)[1:]] == [
        ["0", "normal", "p"],
        ["1", "parallel_group", "p"],
        ["  B0", "branch", "60 MB"],
        ["    1/B0/0", "normal", "x"],
        ["  B1", "branch", "60 MB"],
        ["    1/B1/0", "normal", "y"],
        ["2", "aggregator", ""],
        ["3", "normal", "m"],
    ]


@pytest.mark.parametrize("document", [REPLY, DIAMOND])
def test_json_is_the_plan(show: ShowPlan, document: dict[str, Any]) -> None:
    ended = show(document, "--json")
    assert (ended.status, ended.err) == (0, "")
    assert ended.body == planned(document).to_json()
    assert Plan.from_json(ended.body) == planned(document)


def test_the_chart_of_a_chain(show: ShowPlan) -> None:
    ended = show(REPLY, "--mermaid")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "flowchart TD",
        '    begin(["start"])',
        '    s0["0: a"]',
        '    s1(["1: draft"])',
        '    s2["2: send"]',
        '    finish(["end"])',
        "    begin --> s0",
        "    s0 --> s1",
        '    s1 -->|"Send this?"| s2',
        '    s1 -.->|"rejected"| s0',
        "    s2 --> finish",
    ]


def test_the_chart_of_a_fork(show: ShowPlan) -> None:
    assert show(DIAMOND, "--mermaid").out.splitlines() == [
        "flowchart TD",
        '    begin(["start"])',
        '    s0["0: p"]',
        '    subgraph s1 ["1: p"]',
        '        subgraph s1b0 ["B0"]',
        '            s2["1/B0/0: x"]',
        "        end",
        '        subgraph s1b1 ["B1"]',
        '            s3["1/B1/0: y"]',
        "        end",
        "    end",
        '    s4(("2: aggregator"))',
        '    s5["3: m"]',
        '    finish(["end"])',
        "    begin --> s0",
        "    s0 --> s1",
        "    s1 --> s4",
        "    s4 --> s5",
        "    s5 --> finish",
    ]


def test_a_pause_that_has_a_place_of_its_own_is_named_so(show: ShowPlan) -> None:
    document = {**DIAMOND, "edges": [*DIAMOND["edges"][:3], asks("y", "m", prompt="Sure?")]}
    lines = [line.strip() for line in show(document, "--mermaid").out.splitlines()]
    assert [line for line in lines if "B1/" in line] == ['s3["1/B1/0: y"]', 's4["1/B1/1: pause"]']
    assert 's3 -->|"Sure?"| s4' in lines


def operators(*names: str) -> tuple[Node, ...]:
    return tuple(Node(id=name, type="operator") for name in names)


INNER = Segment(
    id="1/B0/1",
    index=1,
    type="parallel_group",
    label="inner",
    next="1/B0/2",
    branches=(
        BranchPlan(
            id="only",
            segments=(
                Segment(
                    id="1/B0/1/B0/0",
                    index=0,
                    nodes=operators("k"),
                    routes={"m": "1/B0/1/B0/1", "n": "1/B0/1/B0/1", "o": None},
                ),
                Segment(id="1/B0/1/B0/1", index=1, nodes=operators("m")),
            ),
            needs=BranchNeeds(
                memory_mb=170,
                tokens=510,
                lists=(ListNeed(path="docs", tokens_per_item=5000), ListNeed(path="pages")),
                shared=True,
            ),
        ),
    ),
)
NESTED = Plan(
    segments=(
        Segment(id="0", index=0, nodes=operators("choose"), routes={"left": "1", "right": None}),
        Segment(
            id="1",
            index=1,
            type="parallel_group",
            label="outer",
            next="2",
            branches=(
                BranchPlan(
                    id="first",
                    segments=(
                        Segment(id="1/B0/0", index=0, nodes=operators("x"), next="1/B0/1"),
                        INNER,
                        Segment(id="1/B0/2", index=2, type="aggregator", dependencies=("1/B0/1",)),
                    ),
                ),
                BranchPlan(
                    id="second",
                    segments=(
                        Segment(
                            id="1/B1/0",
                            index=0,
                            type="react",
                            nodes=operators("agent"),
                            outside=True,
                            pause=PauseSpec(timeout_seconds=5),
                            on_timeout="1/B1/1",
                        ),
                        Segment(id="1/B1/1", index=1, nodes=operators("late")),
                    ),
                ),
            ),
            pause=PauseSpec(prompt="Fan out?"),
        ),
        Segment(id="2", index=2, type="aggregator"),
    ),
    max_loop_iterations=1,
    max_branch_iterations=1,
    strategy=Strategy(name="SAFE", max_concurrency=1, batch_size=1),
)


def test_choices_questions_and_branches_inside_of_branches_in_the_chart() -> None:
    assert draw_plan(NESTED).splitlines() == [
        "flowchart TD",
        '    begin(["start"])',
        '    s0["0: choose"]',
        '    subgraph s1 ["1: outer"]',
        '        subgraph s1b0 ["first"]',
        '            s2["1/B0/0: x"]',
        '            subgraph s3 ["1/B0/1: inner"]',
        '                subgraph s3b0 ["only"]',
        '                    s4["1/B0/1/B0/0: k"]',
        '                    s5["1/B0/1/B0/1: m"]',
        "                end",
        "            end",
        '            s6(("1/B0/2: aggregator"))',
        "        end",
        '        subgraph s1b1 ["second"]',
        '            s1b1in((" "))',
        '            s7{{"1/B1/0: agent"}}',
        '            s8["1/B1/1: late"]',
        "        end",
        "    end",
        '    s9(("2: aggregator"))',
        '    finish(["end"])',
        "    begin --> s0",
        '    s0 -.->|"left: Fan out?"| s1',
        '    s0 -.->|"right"| finish',
        "    s2 --> s3",
        '    s4 -.->|"m or n"| s5',
        '    s4 -.->|"o"| s6',
        "    s3 --> s6",
        '    s1b1in -->|"asks a person"| s7',
        '    s1b1in -.->|"no answer"| s8',
        "    s1 --> s9",
        "    s9 --> finish",
    ]


def test_the_same_in_the_table(capfd: pytest.CaptureFixture[str]) -> None:
    show_plan(NESTED, "")
    out = capfd.readouterr().out
    assert out.splitlines()[0] == (
        "3 segments and 7 inside of branches, 0 model calls, 2 pauses; a run executes at most 1 segment"
    )
    needs = "170 MB, 510 tokens, 5 MB and 5000 tokens for each of docs, 5 MB for each of pages, writes shared resources"
    assert cells(out)[1:] == [
        ["0", "normal", "choose", "", "left: 1, right: end", "", ""],
        ["1", "parallel_group", "outer", "Fan out?", "2", "", ""],
        ["  first", "branch", "256 MB", "", "", "", ""],
        ["    1/B0/0", "normal", "x", "", "1/B0/1", "", ""],
        ["    1/B0/1", "parallel_group", "inner", "", "1/B0/2", "", ""],
        ["      only", "branch", needs, "", "", "", ""],
        ["        1/B0/1/B0/0", "normal", "k", "", "m or n: 1/B0/1/B0/1, o: join", "", ""],
        ["        1/B0/1/B0/1", "normal", "m", "", "join", "", ""],
        ["    1/B0/2", "aggregator", "", "", "join", "1/B0/1", ""],
        ["  second", "branch", "256 MB", "", "", "", ""],
        ["    1/B1/0", "react", "agent", "asks a person (no answer: 1/B1/1)", "join", "", "yes"],
        ["    1/B1/1", "normal", "late", "", "join", "", ""],
        ["2", "aggregator", "", "", "end", "", ""],
    ]


@given(st.text())
def test_no_text_breaks_the_chart(text: str) -> None:
    lines = draw_plan(NESTED).splitlines()
    first, group, last = NESTED.segments
    changed = replace(
        NESTED,
        segments=(
            replace(first, nodes=operators(text), routes={text: "1"}),
            replace(group, label=text, pause=PauseSpec(prompt=text)),
            last,
        ),
    )
    found = draw_plan(changed).split("\n")
    assert len(found) == len(lines) - 1
    labels = re.compile(r'"[^"]*"')
    assert [labels.sub("", line) for line in found if "s0" not in line] == [
        labels.sub("", line) for line in lines if "s0" not in line
    ]
    assert not any(mark in label for line in found for label in labels.findall(line) for mark in "`<>|\\")


def test_a_refused_document_is_told_with_all_problems(show: ShowPlan) -> None:
    wrong = {"nodes": [{"id": "a", "type": "teleport"}], "edges": [{"source": "a", "target": "z"}]}
    ended = show(wrong)
    assert (ended.status, ended.out) == (2, "")
    assert {line.split(": ")[1] for line in ended.err.splitlines()[1:]} == {"NODE_TYPE_UNKNOWN", "EDGE_DANGLING"}
    told = show(wrong, "--json")
    assert (told.status, told.body["status"], told.body["error"]["code"]) == (2, "REFUSED", "NODE_TYPE_UNKNOWN")
    assert {problem["code"] for problem in told.body["error"]["problems"]} == {"NODE_TYPE_UNKNOWN", "EDGE_DANGLING"}
    assert (show("{", "--mermaid").status, show("{", "--mermaid").out) == (2, "")


def test_warnings_are_told_beside(show: ShowPlan) -> None:
    ended = show({**REPLY, "colour": "red"}, "--json")
    assert (ended.status, ended.body) == (0, planned(REPLY).to_json())
    assert ended.err.startswith("warning: $.colour: FIELD_UNKNOWN: ")


def test_one_form_at_a_time(show: ShowPlan) -> None:
    ended = show(REPLY, "--json", "--mermaid")
    assert (ended.status, ended.body["error"]["code"]) == (2, "USAGE")


def test_a_document_may_come_from_stdin(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["statebag", "plan", "-", "--json"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(REPLY).encode())))
    assert run_command() == 0
    assert json.loads(capfd.readouterr().out) == planned(REPLY).to_json()


def test_a_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["statebag", "plan", "nowhere.json"])
    assert run_command() == 2
    assert capfd.readouterr().err.startswith("FILE_UNREADABLE: ")


def test_a_map_says_what_it_is_over(show: ShowPlan) -> None:
    named = [
        ({}, "m over xs"),
        ({"items_path": "order.lines"}, "m over order.lines"),
        ({"items": "{{ lines }}"}, "m over {{ lines }}"),
        ({"items": ["a", "b"]}, "m over 2 items"),
        ({"item_reader": {"format": "CSV", "file": "prices.csv"}}, "m over prices.csv"),
    ]
    for config, text in named:
        ended = show(chain(mapping(llm("price"), **config)))
        assert cells(ended.out)[1:] == [["0", "map", text, "", "end", "", "yes"]]


def test_what_runs_for_each_item_stands_below_its_map(show: ShowPlan) -> None:
    document = document_of(sets("b", b=1), sets("c", c=1), edges=[asks("b", "c", prompt="Sure?")])
    ended = show(document)
    assert ended.out.startswith("2 segments and 2 inside of items, 0 model calls, 1 pause; ")
    assert [row[:5] for row in cells(ended.out)[1:]] == [
        ["0", "map", "m over xs", "", "1"],
        ["  item", "each item", "", "", ""],
        ["    0/I/0", "normal", "b", "", "0/I/1"],
        ["    0/I/1", "normal", "c", "Sure?", "done"],
        ["1", "normal", "after", "", "end"],
    ]
    assert show(document, "--mermaid").out.splitlines() == [
        "flowchart TD",
        '    begin(["start"])',
        '    subgraph s0 ["0: m over xs"]',
        '        subgraph s0b0 ["each item"]',
        '            s1["0/I/0: b"]',
        '            s2["0/I/1: c"]',
        "        end",
        "    end",
        '    s3["1: after"]',
        '    finish(["end"])',
        "    begin --> s0",
        '    s1 -->|"Sure?"| s2',
        "    s0 --> s3",
        "    s3 --> finish",
    ]
    assert '    s0[["0: m over xs"]]' in show(document_of(llm("price")), "--mermaid").out.splitlines()
