"""What all parts of a definition have in common: names, kinds of values, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, Strict, model_validator
from pydantic.alias_generators import to_pascal

__all__ = ["JSON", "AslModel", "Flag", "Names", "Number", "QueryLanguage", "Text", "Whole"]

JSON: TypeAlias = Any
"""A payload: kept as it is, key order included."""
Text: TypeAlias = Annotated[str, Strict()]
Flag: TypeAlias = Annotated[bool, Strict()]
Whole: TypeAlias = Annotated[int, Strict()]
Number: TypeAlias = Annotated[int, Strict()] | Annotated[float, Strict()]
"""1 stays 1 and 1.0 stays 1.0."""
Names: TypeAlias = list[Text]
QueryLanguage: TypeAlias = Literal["JSONPath", "JSONata"]


class AslModel(BaseModel):
    """A JSON object of the language.

    Attributes have the field's name in snake case; fields that the language does not know are in ``unknown``.
    A field that is absent and one that is null both read as None; ``has`` tells them apart.
    """

    model_config = ConfigDict(alias_generator=to_pascal, extra="allow", frozen=True, validate_by_name=False)

    _names: frozenset[str] = PrivateAttr(default=frozenset())

    @model_validator(mode="wrap")
    @classmethod
    def _keep_names(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # ``model_fields_set`` mixes attributes with unknown fields, and `comment` may be both.
        made = handler(raw)
        cls._remember(made, raw)
        return made

    def _remember(self, raw: Any) -> None:
        if isinstance(raw, Mapping):
            self._names = frozenset(cast("Mapping[str, Any]", raw))

    def has(self, attribute: str) -> bool:
        """Whether the field of this attribute was written, if only as null."""
        return self.name_of(attribute) in self._names

    @classmethod
    def name_of(cls, attribute: str) -> str:
        """What the language calls an attribute."""
        return cls.model_fields[attribute].alias or attribute

    @property
    def unknown(self) -> dict[str, Any]:
        """The fields that the language does not know."""
        return self.__pydantic_extra__ or {}

    @property
    def written(self) -> dict[str, Any]:
        """Attributes whose fields were written, with their values."""
        return {name: getattr(self, name) for name in type(self).model_fields if self.has(name)}
