"""Choice states and their rules."""

from __future__ import annotations

from collections.abc import Iterator

from asl_compat.model._choice import ChoiceRule
from asl_compat.model._parts import has_placeholder, is_jsonata, is_timestamp
from asl_compat.model._place import at
from asl_compat.model._states import Choice
from asl_compat.model._walking import StatePlace
from statebag.errors import Problem

__all__ = ["check_choice"]


def check_choice(found: StatePlace) -> Iterator[Problem]:
    """That a Choice has rules, and that each of them decides something."""
    if not isinstance(found.state, Choice):
        return
    path = at(found.path, "Choices")
    if not found.state.choices:
        yield Problem(path=path, code="ASL_FIELD_MISSING", message="This Choice has no rule in `Choices`. Add one.")
    for index, rule in enumerate(found.state.choices or ()):
        where = at(path, index)
        if rule.next is None and not rule.has("next"):
            message = "This rule has no `Next`. Say where it leads."
            yield Problem(path=where, code="ASL_FIELD_MISSING", message=message)
        if found.language == "JSONata":
            yield from _check_condition(where, rule)
        else:
            yield from _check_rule(where, rule, nested=False)


def _check_condition(path: str, rule: ChoiceRule) -> Iterator[Problem]:
    if not rule.has("condition"):
        if not rule.comparisons and not rule.rules:
            yield Problem(path=path, code="ASL_CHOICE_RULE", message="This rule has no `Condition`. Add one.")
    elif isinstance(rule.condition, str) and not is_jsonata(rule.condition) and not has_placeholder(rule.condition):
        message = f"`Condition` is {rule.condition!r}. Make it true, false, or an expression in {{% … %}}."
        yield Problem(path=at(path, "Condition"), code="ASL_CHOICE_RULE", message=message)


def _check_rule(path: str, rule: ChoiceRule, *, nested: bool) -> Iterator[Problem]:
    combined = [rule.name_of(name) for name in ("and_", "or_", "not_") if rule.has(name)]
    operators = [*combined, *rule.comparisons]
    if not operators and not rule.has("condition"):
        message = "This rule compares nothing. Add one comparison, such as `StringEquals`, or `And`, `Or` or `Not`."
        yield Problem(path=path, code="ASL_CHOICE_RULE", message=message)
    elif len(operators) > 1:
        given = ", ".join(f"`{name}`" for name in operators)
        message = f"This rule has {given}. Keep one of them; join several with `And`."
        yield Problem(path=path, code="ASL_CHOICE_RULE", message=message)
    if rule.comparisons and not rule.has("variable"):
        message = f"This rule has `{next(iter(rule.comparisons))}` and no `Variable`. Add the path of what is compared."
        yield Problem(path=path, code="ASL_CHOICE_RULE", message=message)
    elif combined and rule.has("variable") and not rule.comparisons:
        message = f"`Variable` has no effect beside `{combined[0]}`. Move it into the rules there."
        yield Problem(path=at(path, "Variable"), code="ASL_CHOICE_RULE", message=message)
    if nested:
        yield from _check_nested(path, rule)
    yield from _check_times(path, rule)
    for name in ("and_", "or_"):
        inside: list[ChoiceRule] | None = getattr(rule, name)
        where = at(path, rule.name_of(name))
        if rule.has(name) and not inside:
            message = f"`{rule.name_of(name)}` has no rules. Add some, or remove it."
            yield Problem(path=where, code="ASL_CHOICE_RULE", message=message)
        for index, member in enumerate(inside or ()):
            yield from _check_rule(at(where, index), member, nested=True)
    if rule.not_ is not None:
        yield from _check_rule(at(path, "Not"), rule.not_, nested=True)


def _check_nested(path: str, rule: ChoiceRule) -> Iterator[Problem]:
    for name in ("next", "assign", "output"):
        if rule.has(name):
            message = f"`{rule.name_of(name)}` belongs to the rule in `Choices`, not to one inside of it. Move it."
            yield Problem(path=at(path, rule.name_of(name)), code="ASL_CHOICE_RULE", message=message)


def _check_times(path: str, rule: ChoiceRule) -> Iterator[Problem]:
    for name, operand in rule.comparisons.items():
        if not name.startswith("Timestamp") or name.endswith("Path") or has_placeholder(operand):
            continue
        if isinstance(operand, str) and not is_timestamp(operand):
            message = f"`{name}` is {operand!r}, which is no time such as 2030-01-31T12:00:00Z. Correct it."
            yield Problem(path=at(path, name), code="ASL_CHOICE_RULE", message=message)
