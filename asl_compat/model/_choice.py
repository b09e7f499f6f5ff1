"""Rules of Choice states."""

from __future__ import annotations

from pydantic import Field

from asl_compat.model._base import JSON, AslModel, Flag, Number, Text

__all__ = ["OPERATORS", "ChoiceRule"]


class ChoiceRule(AslModel):
    """A comparison, a combination of rules, or a JSONata condition; with Next where it stands in Choices itself."""

    comment: Text | None = None
    variable: Text | None = None

    string_equals: Text | None = None
    string_equals_path: Text | None = None
    string_less_than: Text | None = None
    string_less_than_path: Text | None = None
    string_greater_than: Text | None = None
    string_greater_than_path: Text | None = None
    string_less_than_equals: Text | None = None
    string_less_than_equals_path: Text | None = None
    string_greater_than_equals: Text | None = None
    string_greater_than_equals_path: Text | None = None
    string_matches: Text | None = None
    """``*`` stands for any text, ``\\*`` for a star."""

    numeric_equals: Number | None = None
    numeric_equals_path: Text | None = None
    numeric_less_than: Number | None = None
    numeric_less_than_path: Text | None = None
    numeric_greater_than: Number | None = None
    numeric_greater_than_path: Text | None = None
    numeric_less_than_equals: Number | None = None
    numeric_less_than_equals_path: Text | None = None
    numeric_greater_than_equals: Number | None = None
    numeric_greater_than_equals_path: Text | None = None

    boolean_equals: Flag | None = None
    boolean_equals_path: Text | None = None

    timestamp_equals: Text | None = None
    timestamp_equals_path: Text | None = None
    timestamp_less_than: Text | None = None
    timestamp_less_than_path: Text | None = None
    timestamp_greater_than: Text | None = None
    timestamp_greater_than_path: Text | None = None
    timestamp_less_than_equals: Text | None = None
    timestamp_less_than_equals_path: Text | None = None
    timestamp_greater_than_equals: Text | None = None
    timestamp_greater_than_equals_path: Text | None = None

    is_null: Flag | None = None
    is_present: Flag | None = None
    is_numeric: Flag | None = None
    is_string: Flag | None = None
    is_boolean: Flag | None = None
    is_timestamp: Flag | None = None

    and_: list[ChoiceRule] | None = Field(default=None, alias="And")
    or_: list[ChoiceRule] | None = Field(default=None, alias="Or")
    not_: ChoiceRule | None = Field(default=None, alias="Not")

    condition: Flag | Text | None = None
    assign: dict[str, JSON] | Text | None = None
    output: JSON = None
    next: Text | None = None

    @property
    def comparisons(self) -> dict[str, JSON]:
        """The comparison operators written, with their operands; a sound rule has at most one."""
        return {name: getattr(self, attribute) for attribute, name in OPERATORS.items() if self.has(attribute)}

    @property
    def rules(self) -> list[ChoiceRule]:
        """The rules that this one combines."""
        return [*(self.and_ or ()), *(self.or_ or ()), *((self.not_,) if self.not_ is not None else ())]


_PREFIXES = ("string_", "numeric_", "boolean_", "timestamp_", "is_")
OPERATORS = {
    attribute: field.alias or attribute
    for attribute, field in ChoiceRule.model_fields.items()
    if attribute.startswith(_PREFIXES)
}
"""Attribute to name of the 39 comparison operators."""
