"""Plans of documents that fork, choose and repeat."""

from typing import Any

import pytest

from statebag.canonical import canonical_bytes, parse_json
from statebag.config import Body, Document, Node, ResourcePolicy, load_document
from statebag.errors import InputRefused
from statebag.nodes import NodeRegistry
from statebag.plan import Plan, plan_document
from tests.drawn import document, show_plan


def planned(raw: dict[str, Any] | str, registry: NodeRegistry, **more: Any) -> Plan:
    raw = document(raw, **more) if isinstance(raw, str) else raw
    plan = plan_document(load_document(raw, registry).document, registry)
    assert Plan.from_json(parse_json(canonical_bytes(plan.to_json()))) == plan
    return plan


PLANS = {
    "a b c": "[a,b,c]",
    "a b L c": "[a,b] [L] [c]",
    "a ?b c": "[a] ?[b,c]",
    "a;b;L;c": "[a,b] [L] [c]",
    # Forks.
    "p x m z;p y m": "[p] {B0 [x]|B1 [y]} + [m,z]",
    "a p x m;p y m": "[a,p] {B0 [x]|B1 [y]} + [m]",
    "p x;p y": "[p] {B0 [x]|B1 [y]} +",
    "L x m;L y m": "[L] {B0 [x]|B1 [y]} + [m]",
    "p a L b m;p W m": "[p] {B0 [a] [L] [b]|B1 [W]} + [m]",
    "p q n m;q y n;p r m": "[p] {B0 [q,y,n]|B1 [r]} + [m]",
    "p q x n m;q y n;p r m": "[p] {B0 [q] {B0 [x]|B1 [y]} + [n]|B1 [r]} + [m]",
    "p x q m;q m;p y q2 u m;q2 v m;q w m": "[p] {B0 [x,q,w]|B1 [y,q2] {B0 [u]|B1 [v]} +} + [m]",
    "p x m z;p m": "[p,x,m,z]",
    "p a;p b;a x;b x;b y;p c": "[p] {B0 [a,b,x,y]|B2 [c]} +",
    "p a m;p b m;a x m;b x": "[p] {B0 [a]|B1 [b]} + [x,m]",
    "p a x m;p b y m;a y;b x": "[p] {B0 [a,b,x,y]} + [m]",
    # Pauses in branches.
    "p ?x m;p y m": "[p] {B0 ?[x]|B1 [y]} + [m]",
    "p x ?m;p y m": "[p] {B0 [x] ?[]|B1 [y]} + [m]",
    "p x m z;p ?m": "[p] {B0 [x]|B1 ?[]} + [m,z]",
    "p x ?k m;p y ?m": "[p] {B0 [x] ?[k]|B1 [y] ?[]} + [m]",
    "p x m;p y ?^m": "[p] {B0 [x]|B1 [y]} + ?[m]",
    # A single branch runs in the line of its group, and begins with a segment.
    "p a x m;p ?b y m;a y;b x": "[p] {B0 [a] ?[b,x,y]} + [m]",
    "p ?a x m;p b y m;a y;b x": "[p] {B0 [] ?[a,b,x,y]} + [m]",
    "p x m;p ?m": "[p] {B0 [x]|B1 ?[]} + [m]",
    # Choices.
    "R a m;R b m z": "[R]{a:1,b:2} [a]→3 [b] [m,z]",
    "a R b m;R m": "[a,R]{b:1,m:2} [b] [m]",
    "R a;R b": "[R]{a:1,b:2} [a]→. [b]",
    "R ?a m;R b m": "[R]{a:1,b:2} ?[a]→3 [b] [m]",
    "R a ?m;R b m": "[R]{a:1,b:3} [a] ?[]→4 [b] [m]",
    "p R a m;R m;p y m": "[p] {B0 [R]{a:1/B0/1,m:.} [a]|B1 [y]} + [m]",
    "R p x m;p y m;R z m": "[R]{p:1,z:4} [p] {B0 [x]|B1 [y]} +→5 [z] [m]",
    "R p x m;p y m;R x": "[R]{p:1,x:4} [p] {B0 [x]|B1 [y]} +→5 [x] [m]",
    # Loops.
    "s T R A T;R E": "[s] [T,R]{A:2,E:3} [A]→1 [E]",
    "s R R;R e": "[s] [R]{R:1,e:2} [e]",
    "T a R T;R b": "[T,a,R]{T:0,b:1} [b]",
    "^T a R T;R b": "[] ?[T,a,R]{T:1,b:2} [b]",
    "s R p x R;p y R;R e": "[s] [R]{p:2,e:5} [p] {B0 [x]|B1 [y]} +→1 [e]",
    # Answers.
    "a b ?c!b~e d e": "[a] [b] ?[c,d] [e]",
    "a ?b!no c;no x;no y": "[a] ?[b,c]→. [no] {B0 [x]|B1 [y]} +",
    "p x ?k!x m;p y m": "[p] {B0 [x] ?[k]|B1 [y]} + [m]",
}


@pytest.mark.parametrize(("text", "expected"), PLANS.items())
def test_where_documents_are_cut(text: str, expected: str, registry: NodeRegistry) -> None:
    assert show_plan(planned(text, registry).segments) == expected


def test_a_diamond_in_full(registry: NodeRegistry) -> None:
    plan = planned("p x L m z;p ?y m", registry)
    first, group, join, last = plan.segments
    assert [segment.type for segment in plan.segments] == ["normal", "parallel_group", "aggregator", "normal"]
    assert [segment.id for segment in plan.segments] == ["0", "1", "2", "3"]
    assert [segment.index for segment in plan.segments] == [0, 1, 2, 3]
    assert [segment.next for segment in plan.segments] == ["1", "2", "3", None]
    assert [segment.dependencies for segment in plan.segments] == [(), ("0",), ("1",), ("2",)]
    assert (first.label, group.label, group.nodes, join.nodes, last.branches) == ("", "p", (), (), ())
    assert [branch.id for branch in group.branches] == ["B0", "B1"]
    one, other = (branch.segments for branch in group.branches)
    assert [segment.id for segment in one] == ["1/B0/0", "1/B0/1"]
    assert [segment.next for segment in one] == ["1/B0/1", None]
    assert [segment.dependencies for segment in one] == [(), ("1/B0/0",)]
    assert [(segment.type, segment.outside) for segment in one] == [("normal", False), ("llm", True)]
    assert [(segment.id, segment.index, segment.next) for segment in other] == [("1/B1/0", 0, None)]
    assert other[0].pause is not None
    assert other[0].pause.prompt == "p>y"
    assert group.branches[0].needs.tokens > 0
    assert plan.node_to_segment == {"p": "0", "x": "1/B0/0", "L": "1/B0/1", "y": "1/B1/0", "m": "3", "z": "3"}
    assert plan.segment("1/B0/1") is one[1]
    assert (plan.total_segments, plan.llm_segments, plan.hitp_segments) == (4, 1, 1)
    assert len(list(plan.all_segments())) == 7


def test_the_segments_of_an_inner_fork_have_longer_paths(registry: NodeRegistry) -> None:
    plan = planned("p r m;p q x n m;q y n", registry)
    assert [segment.id for segment in plan.all_segments()] == [
        *("0", "1", "1/B0/0", "1/B1/0"),
        *("1/B1/1", "1/B1/1/B0/0", "1/B1/1/B1/0", "1/B1/2", "1/B1/3", "2", "3"),
    ]
    assert plan.node_to_segment["y"] == "1/B1/1/B1/0"


def test_what_is_chosen_depends_on_the_choice_and_the_join_on_each_way(registry: NodeRegistry) -> None:
    plan = planned("R a m;R b m z", registry)
    assert [segment.dependencies for segment in plan.segments] == [(), ("0",), ("0",), ("1", "2")]
    assert plan.segments[0].routes == {"a": "1", "b": "2"}
    assert [segment.next for segment in plan.segments] == [None, "3", "3", None]
    # What leads back is no dependency.
    plan = planned("T R A T;R E", registry)
    assert [segment.dependencies for segment in plan.segments] == [(), ("0",), ("0",)]
    # What only an answer leads to depends on what the pause is behind.
    plan = planned("a ?b!no c;no", registry)
    assert [segment.dependencies for segment in plan.segments] == [(), ("0",), ("0",)]
    assert plan.segments[1].on_reject == "2"


def test_answers_lead_to_segments(registry: NodeRegistry) -> None:
    plan = planned("a b ?c!b~late d;late", registry)
    assert show_plan(plan.segments) == "[a] [b] ?[c,d]→. [late]"
    assert (plan.segments[2].on_reject, plan.segments[2].on_timeout) == ("1", "3")
    plan = planned("p x ?k!x~no m;p y m;no x", registry)
    inner = plan.segments[1].branches[0].segments
    assert show_plan(inner) == "[x] ?[k]→. [no]→1/B0/0"
    assert (inner[1].on_reject, inner[1].on_timeout) == ("1/B0/0", "1/B0/2")


def test_a_pause_before_a_fork_is_asked_once(registry: NodeRegistry) -> None:
    plan = planned("a ?p x;p y", registry)
    assert show_plan(plan.segments) == "[a] ?[p] {B0 [x]|B1 [y]} +"
    assert plan.hitp_segments == 1


OPTIONS: dict[str, Any] = {
    "resource_policy": {"strategy": "BALANCED", "max_concurrent_branches": 3},
    "branch_policy": {"failure": "tolerate:20", "append_keys": ["notes"]},
    "max_concurrency": 2,
}


def test_the_forking_node_says_how_its_branches_run(registry: NodeRegistry) -> None:
    raw = document("p x m;p y m")
    raw["nodes"][0] |= {"config": OPTIONS, "label": "Both"}
    group = planned(raw, registry).segments[1]
    assert group.resource_policy == ResourcePolicy(max_concurrent_branches=3)
    assert (group.branch_policy, group.max_concurrency, group.label) == (OPTIONS["branch_policy"], 2, "Both")
    plain = planned("p x m;p y m", registry).segments[1]
    assert (plain.resource_policy, plain.branch_policy, plain.max_concurrency) == (None, {}, None)


def group_of(*branches: Any, **more: Any) -> dict[str, Any]:
    """A ``parallel_group`` with branches beside its config, each a text or an object with members of its own."""
    return {
        "id": "G",
        "type": "parallel_group",
        "branches": [document(branch) if isinstance(branch, str) else branch for branch in branches],
        **more,
    }


def around(group: dict[str, Any], text: str = "a G b") -> dict[str, Any]:
    raw = document(text)
    return raw | {"nodes": [group if node["id"] == "G" else node for node in raw["nodes"]]}


def test_branches_of_a_group_are_cut_like_any_other(registry: NodeRegistry) -> None:
    plan = planned(around(group_of("x L y", "?z ?w", document("R k;R l") | {"branch_id": "choice"})), registry)
    assert show_plan(plan.segments) == (
        "[a] {branch_0 [x] [L] [y]|branch_1 [z] ?[w]|choice [R]{k:1/B2/1,l:1/B2/2} [k]→. [l]} + [b]"
    )
    assert [segment.id for segment in plan.segments[1].branches[1].segments] == ["1/B1/0", "1/B1/1"]
    assert (plan.total_segments, plan.llm_segments, plan.hitp_segments) == (4, 1, 1)
    assert [segment.dependencies for segment in plan.segments] == [(), ("0",), ("1",), ("2",)]


def test_a_group_is_where_a_run_may_begin_and_end(registry: NodeRegistry) -> None:
    assert show_plan(planned({"nodes": [group_of("x", "y")], "edges": []}, registry).segments) == (
        "{branch_0 [x]|branch_1 [y]} +"
    )


def test_groups_inside_of_groups(registry: NodeRegistry) -> None:
    inner = {"nodes": [group_of("u", "?v ?w")], "edges": []}
    plan = planned(around(group_of(inner, "p x;p y", {"nodes": [], "edges": []})), registry)
    assert show_plan(plan.segments) == (
        "[a] {branch_0 {branch_0 [u]|branch_1 [v] ?[w]} +|branch_1 [p] {B0 [x]|B1 [y]} +} + [b]"
    )
    assert plan.node_to_segment["w"] == "1/B0/0/B1/1"
    assert plan.node_to_segment["y"] == "1/B1/1/B1/0"


def test_a_group_may_be_asked_for_chosen_jumped_to_and_fork(registry: NodeRegistry) -> None:
    group = group_of("x", "y", label="Both", config={"max_concurrency": 1})
    plan = planned(around(group, "a ?G b"), registry)
    assert show_plan(plan.segments) == "[a] ?{branch_0 [x]|branch_1 [y]} + [b]"
    assert (plan.segments[1].label, plan.segments[1].max_concurrency) == ("Both", 1)
    assert show_plan(planned(around(group, "R G b;R c b"), registry).segments) == (
        "[R]{G:1,c:3} {branch_0 [x]|branch_1 [y]} +→4 [c] [b]"
    )
    assert show_plan(planned(around(group, "G b ?c!G"), registry).segments) == (
        "{branch_0 [x]|branch_1 [y]} + [b] ?[c]"
    )
    assert show_plan(planned(around(group, "a G u;G v"), registry).segments) == (
        "[a] {branch_0 [x]|branch_1 [y]} + {B0 [u]|B1 [v]} +"
    )


def test_a_group_without_branches_beside_its_config_cuts_nothing(registry: NodeRegistry) -> None:
    inner = {"id": "G", "type": "parallel_group", "config": {"branches": [document("x"), document("y")]}}
    assert show_plan(planned(around(inner), registry).segments) == "[a,G,b]"
    calling = {"id": "G", "type": "parallel_group", "config": {"branches": [document("x"), document("W")]}}
    plan = planned(around(calling), registry)
    assert [segment.outside for segment in plan.segments] == [True]


def test_faults_in_branches_are_found_where_they_are(registry: NodeRegistry) -> None:
    with pytest.raises(InputRefused) as refused:
        load_document(around(group_of("x", "p R a m;R b m;p a")), registry)
    assert [(problem.code, problem.path) for problem in refused.value.problems] == [
        ("GRAPH_SHAPE", "$.nodes[1].branches[1].nodes[2]")
    ]


def test_branches_end_somewhere(registry: NodeRegistry) -> None:
    node = Node(id="x", type="operator")
    for _ in range(101):
        node = Node(id="g", type="parallel_group", fork=True, bodies=(Body(nodes=(node,), name="b"),))
    assert plan_document(Document(nodes=node.bodies[0].nodes, edges=()), registry).total_segments == 2
    with pytest.raises(InputRefused) as refused:
        plan_document(Document(nodes=(node,), edges=()), registry)
    assert refused.value.code == "GRAPH_SHAPE"


def counts(plan: Plan) -> tuple[int, int, int, int]:
    """Segments of the run, all of them, model calls, pauses."""
    return plan.total_segments, len(list(plan.all_segments())), plan.llm_segments, plan.hitp_segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b L c", (3, 3, 1, 0)),
        ("a ?b c", (2, 2, 0, 1)),
        ("p x m z;p y m", (4, 6, 0, 0)),
        ("a b L1 p;p x m;p y m;m n L2 z", (8, 10, 2, 0)),
        ("p L1 m;p ?L2 m", (4, 6, 2, 1)),
    ],
)
def test_golden_counts(text: str, expected: tuple[int, int, int, int], registry: NodeRegistry) -> None:
    assert counts(planned(text, registry)) == expected


def for_each(name: str, body: str, count: int) -> dict[str, Any]:
    inner = document(body)
    config = {"items": "{{rows}}", "max_iterations": count, "sub_workflow": inner}
    return {"id": name, "type": "for_each", "config": config}


def with_nodes(text: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    raw = document(text)
    by_id = {node["id"]: node for node in nodes}
    return raw | {"nodes": [by_id.get(node["id"], node) for node in raw["nodes"]]}


def test_golden_limits(registry: NodeRegistry) -> None:
    # A list of 30 items, three nodes for each.
    plan = planned(with_nodes("a b c E d e f", for_each("E", "x y z", 30)), registry)
    assert (plan.total_segments, plan.max_loop_iterations, plan.max_branch_iterations) == (1, 195, 97)
    # Ten branches, and two lists.
    group = group_of(*(f"s{index}" for index in range(10)))
    lists = (for_each("E1", "x", 20), for_each("E2", "x y", 20))
    plan = planned(with_nodes("a E1 G E2 b", group, *lists), registry)
    assert (plan.total_segments, plan.max_loop_iterations, plan.max_branch_iterations) == (4, 145, 72)
    # A loop inside of a list's body.
    each = for_each("E", " ".join(f"x{index}" for index in range(11)) + " loop", 15)
    each["config"]["sub_workflow"]["nodes"][-1] = {"id": "loop", "type": "loop", "config": {"nodes": [LLM]}}
    plan = planned(with_nodes("a E b", each), registry)
    assert (plan.total_segments, plan.max_loop_iterations, plan.max_branch_iterations) == (1, 371, 185)


LLM = {"id": "ask", "type": "llm_chat"}
