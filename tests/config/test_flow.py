"""What runs after what: documents as lines of text against the flow of their nodes."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from statebag.config import Flow, LoadedDocument, flow_of, load_document
from statebag.nodes import NodeRegistry
from tests.drawn import document, show_flow


def flow(loaded: LoadedDocument) -> str:
    found = loaded.document
    return show_flow(flow_of(found.nodes, found.edges, found.start_node))


FLOWS = {
    # Chains.
    "a": "a",
    "b c;a b": "a b c",
    "a L b W": "a L b W",
    # Forks and joins.
    "p x m z;p y m": "p[x|y] m z",
    "p x m;p y m;p w m": "p[x|y|w] m",
    "p x;p y": "p[x|y]",
    "p x k;p y": "p[x k|y]",
    "p x a m;p y m;a b;b m": "p[x a b|y] m",
    "p q n m z;p r m;q x n;q y n": "p[q[x|y] n|r] m z",
    "p q;p r m;q x m;q y m": "p[q[x|y]|r] m",
    "p q n;p r;q x n;q y n;n m;r m": "p[q[x|y] n|r] m",
    "s n1;s t n2;t u": "s[n1|t[n2|u]]",
    # An edge to what follows anyway says nothing.
    "p x m z;p m": "p x m z",
    "p m;p x m z": "p x m z",
    "a b c d;a c;a d;b d": "a b c d",
    "p x m;p y m e;p m;p e": "p[x|y] m e",
    "x z;p x m e;p y m;y z m": "p[x|y] z m e",
    # Branches that share nodes are one.
    "p a x;p b x y;p c": "p[a b x y|c]",
    "p a m;p b m;a x m;b x": "p[a|b] x m",
    "p a x m;p b y m;a y;b x;p c m": "p[a b x y|c] m",
    "p f m;p u m;f u;f v m": "p[f[u|v]] m",
    "p a x;p b x;a c;x m;c m": "p[a c b x] m",
    # Choices, with all edges drawn.
    "R a m z;R b m": "R{a:a,b:b} a→m b m z",
    "R a;R b": "R{a:a,b:b} a→. b",
    "R a m;R m": "R{a:a,m:m} a m",
    "R a": "R{a:a} a",
    "R1 R2 x m;R2 y;R1 y m": "R1{R2:R2,y:y} R2{x:x,y:y} x→m y m",
    "R1 p x m;p y m;R1 z m": "R1{p:p,z:z} p[x|y]→m z m",
    # Nodes that alternatives fork to may be there twice.
    "R p x m;p y m;R x": "R{p:p,x:x} p[x|y]→m x m",
    # Loops.
    "T R A T;R E": "T R{A:A,E:E} A→T E",
    "A T;T R A;R E": "A T R{A:A,E:E} E",
    "a R a;R b": "a R{a:a,b:b} b",
    "s R R;R e": "s R{R:R,e:e} e",
    "R x m R;R e": "R{x:x,e:e} x m→R e",
    "s t R t;R e": "s t R{t:t,e:e} e",
    "s t R t;R s;R e": "s t R{t:t,s:s,e:e} e",
    # A loop around a fork, whether its branches join before or where it begins.
    "R p x m R;p y m;R e": "R{p:p,e:e} p[x|y] m→R e",
    "R p x R;p y R;R e": "R{p:p,e:e} p[x|y]→R e",
    "R1 R2 p x m R2;p y m;R2 k R1;R1 e": "R1{R2:R2,e:e} R2{p:p,k:k} p[x|y] m→R2 k→R1 e",
    # Choices inside of branches.
    "p R a m;R b m;p y m": "p[R{a:a,b:b} a→. b|y] m",
    "p R a m;R m;p y m": "p[R{a:a,m:.} a|y] m",
    "s p x R m e;R x;p y m": "s p[x R{m:.,x:x}|y] m e",
    "p R a;R b;p y": "p[R{a:a,b:b} a→. b|y]",
    "p R a m;R b m;p a2 k;R2 m;k R2;m e;R2 k": "p[R{a:a,b:b} a→. b|a2 k R2{m:.,k:k}] m e",
}


@pytest.mark.parametrize(("text", "expected"), FLOWS.items())
def test_what_follows_what(text: str, expected: str, registry: NodeRegistry) -> None:
    loaded = load_document(document(text), registry)
    assert loaded.warnings == ()
    assert flow(loaded) == expected


@pytest.mark.parametrize("text", [text for text in FLOWS if "R" in text])
def test_what_is_chosen_need_not_be_drawn(text: str, registry: NodeRegistry) -> None:
    whole = document(text)
    undrawn = [edge for edge in whole["edges"] if edge["source"][0] != "R"]
    assert flow(load_document(whole | {"edges": undrawn}, registry)) == FLOWS[text]


PAUSES = {
    "a ?b ?c": "a ?b ?c",
    "^a b": "?a b",
    "a ^b c": "a ?b c",
    "a ?^b c": "a ?b c",
    # Into a branch, into the join, past a branch.
    "p ?x m;p ?y m": "p[?x|?y] m",
    "p x ?m z;p y m": "p[x ?x>m|y] m z",
    "p x ?m;p y ?m": "p[x ?x>m|y ?y>m] m",
    "p x m z;p ?m": "p[x|?p>m] m z",
    "p ?m;p x m z": "p[?p>m|x] m z",
    "p x k;p ?k": "p[x|?p>k] k",
    "p a x m;p ?x": "p[a|?p>x] x m",
    "p a x m;p ?x;a y;p y m": "p[a ?p>x x y] m",
    "p f m;p ?u m;f u;f v m": "p[f ?p>u u v] m",
    "p q n;p r m;n ?m;q x n;q y ?n": "p[q[x|y ?y>n] n ?n>m|r] m",
    # `hitp` on a node and one pause that leads to it are one question, before it.
    "p x ?^m;p y m": "p[x|y] ?m",
    "p x ^m;p y m": "p[x|y] ?m",
    "p x ?^m;p y ?m": "p[x ?x>m|y ?y>m] m",
    "R ?a m;R ?^a2 m;a2 m": "R{a:a,a2:a2} ?a→m ?a2 m",
    "R a ?^m;R b ?m;R c m": "R{a:a,b:b,c:c} a ?a>m→m b ?b>m→m c ?m",
    # On the way of a choice.
    "R ?a m;R b m": "R{a:a,b:b} ?a→m b m",
    "R a ?m;R b m": "R{a:a,b:b} a ?a>m→m b m",
    "R ?m;R b m": "R{m:R>m,b:b} ?R>m→m b m",
    "p R ?m;R a m;p y m": "p[R{m:R>m,a:a} ?R>m→. a|y] m",
    "a R ?a;R b": "a R{a:R>a,b:b} ?R>a→a b",
    "T R A ?T;R E": "T R{A:A,E:E} A ?A>T→T E",
    # Where several ways run one behind another.
    "p a ?x m;p b ?x;p c m": "p[a b ?a>x ?b>x x|c] m",
    "p a ?x m;p b y m;a y;b x": "p[a b ?a>x x y] m",
    "p a x;p b x;a y;b ?y;x m;y ?m;p c ?m": "p[a b x ?b>y y ?y>m|c ?c>m] m",
}


@pytest.mark.parametrize(("text", "expected"), PAUSES.items())
def test_where_pauses_are(text: str, expected: str, registry: NodeRegistry) -> None:
    assert flow(load_document(document(text), registry)) == expected


ANSWERS = {
    "a b ?c!b": "a b ?c",
    "a ?b!a": "a ?b",
    "a b ?c!a~d d": "a b ?c d",
    "a ?b!b": "a ?b",
    # Chains that only an answer leads to.
    "a ?b!no c;no bye": "a ?b c→. no bye",
    "no bye;a ?b!no": "a ?b→. no bye",
    "a ?b!no~late;no;late bye": "a ?b→. no→. late bye",
    "a ?b!no c;no c": "a ?b c→. no→c",
    "s a ?b!no;no a": "s a ?b→. no→a",
    "a ?b!no;no ?n2!off;off": "a ?b→. no ?n2→. off",
    "a ?b!no;no x;no y": "a ?b→. no[x|y]",
    "R a ?b!no m;R c m;no m": "R{a:a,c:c} a ?b→m c m→. no→m",
    # In branches they stay there.
    "p x ?k!x m;p y m": "p[x ?k|y] m",
    "p x ?m!x;p y m": "p[x ?x>m|y] m",
    "p ?x!no m;p y m;no m": "p[?x→. no|y] m",
    "p ?x!no m;p y m;no": "p[?x→. no|y] m",
    "p x ?k!no m;p y m;no x": "p[x ?k→. no→x|y] m",
    "p ?m!no;p x m;no": "p[?p>m→. no|x] m",
    # Each branch has its own.
    "p ?x!no m;p ?y!no m;no": "p[?x→. no|?y→. no] m",
    "a ?p!no;p ?x!no;p y;no": "a ?p[?x→. no|y]→. no",
}


@pytest.mark.parametrize(("text", "expected"), ANSWERS.items())
def test_where_answers_lead(text: str, expected: str, registry: NodeRegistry) -> None:
    loaded = load_document(document(text), registry)
    assert loaded.warnings == ()
    assert flow(loaded) == expected


STARTS = {
    "a;b;c": ("a b c", []),
    "a b;c d": ("a b c d", ["$.nodes[2]"]),
    "a ?b;c ?d": ("a ?b c ?d", ["$.nodes[2]"]),
    "^a b;^c d": ("?a b ?c d", ["$.nodes[2]"]),
    "a b;x b;y b": ("a x y b", ["$.nodes[2]", "$.nodes[3]"]),
    "a b;x ?b": ("a x ?x>b b", ["$.nodes[2]"]),
    "p x m;p y m;q r": ("p[x|y] m q r", ["$.nodes[4]"]),
    "p x m;p y m;q y": ("p x q y m", ["$.nodes[4]"]),
    "R a;R b;c": ("R{a:a,b:b} a→c b c", ["$.nodes[3]"]),
    "a R a;R b;c d": ("a R{a:a,b:b} b c d", ["$.nodes[3]"]),
    "x y;a b ?c!a": ("x y a b ?c", ["$.nodes[2]"]),
}


@pytest.mark.parametrize(("text", "expected", "apart"), [(text, *found) for text, found in STARTS.items()])
def test_several_starts_run_one_behind_another(
    text: str, expected: str, apart: list[str], registry: NodeRegistry
) -> None:
    loaded = load_document(document(text), registry)
    assert flow(loaded) == expected
    assert [(warning.path, warning.code) for warning in loaded.warnings] == [(path, "NODE_APART") for path in apart]


def test_the_start_node_is_the_first(registry: NodeRegistry) -> None:
    loaded = load_document(document("a b;c d", start_node="c"), registry)
    assert flow(loaded) == "c d a b"
    assert [warning.path for warning in loaded.warnings] == ["$.nodes[0]"]
    assert flow_of(loaded.document.nodes, loaded.document.edges, "c").items[0] == "c"
    assert flow_of(loaded.document.nodes, loaded.document.edges).items[0] == "a"


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("R a;a R;R b", "a", "a R{a:a,b:b} b"),
        ("R a;a R;R b", "R", "R{a:a,b:b} a→R b"),
        ("a ?b!no;no a", "a", "a ?b→. no→a"),
        ("a ?b!no;no a", "no", "no a ?b"),
        ("no a;a ?b!no", None, "no a ?b"),
    ],
)
def test_where_a_circle_begins(text: str, start: str | None, expected: str, registry: NodeRegistry) -> None:
    assert flow(load_document(document(text, start_node=start), registry)) == expected


def ways(flow: Flow) -> Any:
    forks = {name: [ways(branch) for branch in fork.branches] for name, fork in flow.forks.items()}
    return flow.items[0], flow.links, flow.routes, flow.pauses, forks


@pytest.mark.parametrize(
    "text", ["a T R A T;R E", "s p x R m;R x;p y m e", "s R1 R2 p x m R2;p y m;R2 k R1;R1 e", "a b ?c!a~d d"]
)
def test_the_order_of_nodes_says_nothing(text: str, registry: NodeRegistry) -> None:
    whole = document(text)

    def read(nodes: Sequence[Any]) -> Any:
        found = load_document(whole | {"nodes": list(nodes)}, registry).document
        return ways(flow_of(found.nodes, found.edges))

    orders = itertools.islice(itertools.permutations(whole["nodes"][1:]), 0, None, 97)
    expected = read(whole["nodes"])
    assert all(read([whole["nodes"][0], *nodes]) == expected for nodes in orders)
