from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statebag.config import templates
from statebag.config.templates import (
    TemplateError,
    check_templates,
    parse_template,
    render,
    render_text,
    template_fields,
    text_of,
)
from statebag.errors import NodeFailed

STATE = {
    "name": "세계",
    "count": 2,
    "total": 150.5,
    "yes": True,
    "nothing": None,
    "empty": "",
    "xs": [1, "b", {"k": "가"}],
    "user": {"first-name": " Ann ", "a": {"b": "deep"}},
    "rows": [{"t": "x", "n": [1, 2]}, {"t": "y", "n": []}],
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{name}}", "세계"),
        ("{{ count }}", 2),
        ("{{yes}}", True),
        ("{{nothing}}", None),
        ("{{missing}}", None),
        ("{{missing.deeper}}", None),
        ("{{xs}}", [1, "b", {"k": "가"}]),
        ("{{ xs[2].k }}", "가"),
        ("{{xs.0}}", 1),
        ("{{ xs[-1] }}", {"k": "가"}),
        ("{{user.first-name}}", " Ann "),
        ("{{ $.user.a.b }}", "deep"),
        ("{{ $['user']['a'] }}", {"b": "deep"}),
        ("{{ name.__class__ }}", None),
        (" {{count}}", " 2"),
        ("{{count}}{{count}}", "22"),
        ("a{{missing}}b{{nothing}}c", "abc"),
        ("x={{xs}}", 'x=[1,"b",{"k":"가"}]'),
        ("{{yes}}/{{total}}/{{count}}", "true/150.5/2"),
        ("Total: ${{total}}", "Total: $150.5"),
        ("{{ '{{' }} and {{ '{%' }}", "{{ and {%"),
        ("{{ 5 }}", 5),
        ("lone }} and %} and {name} and { {", "lone }} and %} and {name} and { {"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("{{ name | tojson }}", '"세계"'),
        ("{{ user.first-name | trim | upper }}", "ANN"),
        ("{{ name | default('x') }}", "세계"),
        ("{{ missing | default('}}') }}", "}}"),
        ("{{ nothing | default(0) }}", 0),
        ("{{ missing | default([1, 'a']) }}", [1, "a"]),
        ("{{ empty | default('x') }}", ""),
        ("{{ missing | upper }}", ""),
        ("{{ count | lower }}", "2"),
        ("{{ xs | length }}", 3),
        ("{{ missing | length }}", 0),
        ("{{ name | length }}", 2),
        ("{% if yes %}a{% endif %}", "a"),
        ("{% if nothing %}a{% endif %}", ""),
        ("{% if count == 3 %}a{% elif count == 2 %}b{% else %}c{% endif %}", "b"),
        ("{% if count > 5 %}a{%else%}c{%endif%}", "c"),
        ("{% if $.count in [2] and not missing %}a{% endif %}", "a"),
        ("{% if missing > 0 %}a{% else %}b{% endif %}", "b"),
        ("{% if name is defined %}a{% endif %}", "a"),
        ("{% if nothing is defined %}a{% endif %}", "a"),
        ("{% if missing is undefined %}a{% endif %}", "a"),
        ("{% if user.z is not defined %}a{% endif %}", "a"),
        ("{% if yes %}{% if nothing %}1{% else %}2{% endif %}3{% endif %}", "23"),
        ("{% for x in xs %}<{{x}}>{% endfor %}", '<1><b><{"k":"가"}>'),
        ("{% for x in missing %}x{% endfor %}", ""),
        ("{% for r in rows %}{{r.t}}{% for n in r.n %}{{n}}{{loop.index}}{% endfor %};{% endfor %}", "x1122;y;"),
        ("{% for x in xs %}{{loop.index0}}{% if not loop.last %}, {% endif %}{% endfor %}", "0, 1, 2"),
        ("{% for count in xs %}{% endfor %}{{count}}", "2"),
    ],
)
def test_templates_render(template: str, expected: Any) -> None:
    rendered = render(template, STATE)
    assert rendered == expected
    assert type(rendered) is type(expected)


@pytest.mark.parametrize(
    ("template", "remedy"),
    [
        ("{{", "Add `}}`"),
        ("{{ name", "Add `}}`"),
        ("{{ 'open }}", "Add `}}`"),
        ("{% if yes %}", "Add `{% endif %}`"),
        ("{% if yes %}a{% else %}", "Add `{% endif %}`"),
        ("{% for x in xs %}", "Add `{% endfor %}`"),
        ("{% for x in xs %}{% endif %}", "Remove it"),
        ("{% endif %}", "Remove it"),
        ("{% if yes %}{% else %}{% else %}{% endif %}", "Remove it"),
        ("{% if yes %}{% else %}{% elif yes %}{% endif %}", "Remove it"),
        ("{% set x = 1 %}", "Known are if, elif"),
        ("{% if %}a{% endif %}", "write a path"),
        ("{% if yes %}a{% endif yes %}", "unexpected text"),
        ("{% for x of xs %}{% endfor %}", "for item in path"),
        ("{% for x in [1] %}{% endfor %}", "for item in path"),
        ("{{}}", "write a path"),
        ("{{ count == 1 }}", "only a path or a literal"),
        ("{{ count + 1 }}", "no arithmetic"),
        ("{{ name | nope }}", "known are default, tojson"),
        ("{{ name | default }}", "default('text')"),
        ("{{ name | default(count) }}", "must be a literal"),
        ('{{"a": 1}}', "unknown text"),
        ("{{ " + ".".join("a" * 21) + " }}", "20 parts"),
        ("{% if yes %}" * 40 + "{% endif %}" * 40, "Flatten them"),
    ],
)
def test_malformed_templates_are_refused_with_a_remedy(template: str, remedy: str) -> None:
    with pytest.raises(TemplateError) as refusal:
        parse_template(template)
    assert refusal.value.code == "TEMPLATE_SYNTAX"
    assert remedy in refusal.value.message


def test_the_refusal_names_the_line() -> None:
    with pytest.raises(TemplateError, match=r"template line 3, at '\{% if x"):
        parse_template("one\ntwo\n{% if x %}")


def test_values_are_rendered_recursively_and_left_unchanged() -> None:
    value = {"{{name}}": ["{{count}}", {"x": "n={{count}}"}, 5, None, True, "plain"]}
    assert render(value, STATE) == {"{{name}}": [2, {"x": "n=2"}, 5, None, True, "plain"]}
    assert value == {"{{name}}": ["{{count}}", {"x": "n={{count}}"}, 5, None, True, "plain"]}


def test_state_json_is_everything() -> None:
    assert render("{{__state_json}}", {"b": "가", "a": [1]}) == '{"a":[1],"b":"가"}'
    assert template_fields(["{{__state_json}}"]) is None


def test_a_rendered_value_is_not_rendered_again() -> None:
    assert render("x{{a}}", {"a": "{{b}}", "b": "secret"}) == "x{{b}}"


def test_a_lookup_function_may_raise_or_give_null_for_what_it_has_not() -> None:
    assert render("{{a}}{{b}}!{% if b is defined %}no{% endif %}", {"a": 1}.__getitem__) == "1!"
    assert render("{{a}}{{b}}!{% if b is defined %}no{% endif %}", {"a": 1}.get) == "1!"


def test_text_is_text_even_of_a_lone_placeholder() -> None:
    assert render_text("{{count}}", STATE) == "2"
    assert render_text("{{missing}}", STATE) == ""


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ("plain", set()),
        ("{{a.b}} {{c | default('d')}}", {"a", "c"}),
        ({"k": ["{{a}}", {"x": "{% if b > 1 %}{{c}}{% else %}{{d}}{% endif %}"}]}, {"a", "b", "c", "d"}),
        ("{% for x in xs %}{{x.y}}{{z}}{{loop.index}}{% endfor %}{{x}}", {"xs", "z", "x"}),
        ("{{ $ }}", None),
    ],
)
def test_template_fields_are_the_names_read(value: Any, fields: set[str] | None) -> None:
    assert template_fields(value) == (None if fields is None else frozenset(fields))


def test_every_malformed_template_is_a_problem_at_its_path() -> None:
    value = {"a": ["fine {{x}}", "{{"], "b c": {"d": "{% nope %}"}, "n": 5}
    problems = list(check_templates(value, "$.nodes[3].config"))
    assert [(problem.path, problem.code) for problem in problems] == [
        ("$.nodes[3].config.a[1]", "TEMPLATE_SYNTAX"),
        ("$.nodes[3].config['b c'].d", "TEMPLATE_SYNTAX"),
    ]


def test_loops_need_lists() -> None:
    with pytest.raises(NodeFailed, match="needs a list"):
        render("{% for x in user %}{% endfor %}", STATE)
    with pytest.raises(NodeFailed, match="only texts, lists and objects"):
        render("{{ count | length }}", STATE)


def test_steps_are_bounded() -> None:
    nested = "{% for a in xs %}{% for b in xs %}{% for c in xs %}.{% endfor %}{% endfor %}{% endfor %}"
    assert render(nested, {"xs": [0] * 5}) == "." * 125
    with pytest.raises(NodeFailed) as failure:
        render(nested, {"xs": [0] * 100})
    assert failure.value.code == "EVALUATION_LIMIT"


def test_output_is_bounded() -> None:
    with pytest.raises(NodeFailed, match="more than") as failure:
        render("{% for x in xs %}{{big}}{% endfor %}", {"xs": [0] * 20, "big": "x" * (templates.OUTPUT_LIMIT // 10)})
    assert failure.value.code == "EVALUATION_LIMIT"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(value=json_values)
@settings(deadline=None)
def test_exactly_one_placeholder_gives_the_value_itself(value: Any) -> None:
    assert render("{{ x }}", {"x": value}) is value
    assert render({"k": ["{{x}}"]}, {"x": value})["k"][0] is value


@given(value=st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")))
@settings(deadline=None)
def test_among_text_a_value_is_its_text(value: Any) -> None:
    assert render("<{{x}}>", {"x": value}) == f"<{text_of(value)}>"


@given(text=st.text(max_size=40) | st.text("{}%|ifendorlsx '\"\\", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_rendered_or_refused(text: str) -> None:
    try:
        parsed = parse_template(text)
    except TemplateError:
        return
    assert parsed.text == text
    if "{{" not in text and "{%" not in text:
        assert render(text, {}) == text
