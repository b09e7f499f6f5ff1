"""States and the machines that they form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import Discriminator, Tag

from asl_compat.model._base import JSON, AslModel, Flag, Number, QueryLanguage, Text
from asl_compat.model._choice import ChoiceRule
from asl_compat.model._errors import Catcher, Retrier
from asl_compat.model._map import ItemBatcher, ItemReader, ProcessorConfig, ResultWriter

__all__ = [
    "Choice",
    "Definition",
    "Fail",
    "Machine",
    "Map",
    "Parallel",
    "Pass",
    "State",
    "Succeed",
    "Task",
    "Wait",
]


class _State(AslModel):
    comment: Text | None = None
    query_language: QueryLanguage | None = None
    """Absent: that of what it stands in."""


class _WithData(_State):
    input_path: Text | None = None
    """JSONPath. Null gives an empty object; ``$`` holds where absent, as for ``output_path``."""
    output_path: Text | None = None
    output: JSON = None
    """JSONata. What the state gives; its result, or its input, where absent."""


class _WithNext(_WithData):
    assign: dict[str, JSON] | Text | None = None
    """Variables that it sets."""
    next: Text | None = None
    end: Flag | None = None


class _WithResult(_WithNext):
    parameters: JSON = None
    """JSONPath. Payload template that replaces the input."""
    result_path: Text | None = None
    """JSONPath. Where the result goes in the input; null discards it; ``$`` holds where absent."""


class _Fallible(_WithResult):
    result_selector: JSON = None
    """JSONPath. Payload template that replaces the result."""
    retry: list[Retrier] | None = None
    catch: list[Catcher] | None = None


class Task(_Fallible):
    """Calls something outside."""

    type: Literal["Task"]
    resource: Text | None = None
    arguments: JSON = None
    credentials: JSON = None
    timeout_seconds: Number | Text | None = None
    timeout_seconds_path: Text | None = None
    heartbeat_seconds: Number | Text | None = None
    heartbeat_seconds_path: Text | None = None


class Pass(_WithResult):
    """Gives its input, or a value of its own."""

    type: Literal["Pass"]
    result: JSON = None


class Choice(_WithData):
    """Goes where the first rule that holds leads."""

    type: Literal["Choice"]
    assign: dict[str, JSON] | Text | None = None
    """Variables that it sets where none of the rules holds."""
    choices: list[ChoiceRule] | None = None
    default: Text | None = None


class Wait(_WithNext):
    """Goes on later."""

    type: Literal["Wait"]
    seconds: Number | Text | None = None
    seconds_path: Text | None = None
    timestamp: Text | None = None
    timestamp_path: Text | None = None


class Succeed(_WithData):
    """Ends its machine well."""

    type: Literal["Succeed"]


class Fail(_State):
    """Ends its machine with an error."""

    type: Literal["Fail"]
    error: Text | None = None
    error_path: Text | None = None
    cause: Text | None = None
    cause_path: Text | None = None


class Parallel(_Fallible):
    """Runs machines side by side; its result is the list of theirs."""

    type: Literal["Parallel"]
    arguments: JSON = None
    branches: list[Machine] | None = None


class Map(_Fallible):
    """Runs a machine for each item of a list; its result is the list of theirs."""

    type: Literal["Map"]
    items: JSON = None
    """JSONata. The list, or an expression that gives it."""
    items_path: Text | None = None
    item_reader: ItemReader | None = None
    item_selector: JSON = None
    """What the processor is given for each item; the item where absent. Older definitions have it as Parameters."""
    item_batcher: ItemBatcher | None = None
    max_concurrency: Number | Text | None = None
    max_concurrency_path: Text | None = None
    tolerated_failure_percentage: Number | Text | None = None
    tolerated_failure_percentage_path: Text | None = None
    tolerated_failure_count: Number | Text | None = None
    tolerated_failure_count_path: Text | None = None
    label: Text | None = None
    item_processor: Machine | None = None
    iterator: Machine | None = None
    """What ``item_processor`` was called before."""
    result_writer: ResultWriter | None = None

    @property
    def processor(self) -> Machine | None:
        """The machine that runs for each item, whichever name it was given under."""
        return self.item_processor if self.item_processor is not None else self.iterator

    @property
    def distributed(self) -> bool:
        """Whether each item is an execution of its own."""
        config = self.processor.processor_config if self.processor is not None else None
        return config is not None and config.mode == "DISTRIBUTED"


def _type_of(raw: Any) -> Any:
    return cast("Mapping[str, Any]", raw).get("Type") if isinstance(raw, Mapping) else getattr(raw, "type", None)


State: TypeAlias = Annotated[
    Annotated[Task, Tag("Task")]
    | Annotated[Pass, Tag("Pass")]
    | Annotated[Choice, Tag("Choice")]
    | Annotated[Wait, Tag("Wait")]
    | Annotated[Succeed, Tag("Succeed")]
    | Annotated[Fail, Tag("Fail")]
    | Annotated[Parallel, Tag("Parallel")]
    | Annotated[Map, Tag("Map")],
    Discriminator(_type_of),
]


class Machine(AslModel):
    """States, one of which is the first: a branch, a processor, or a whole definition."""

    comment: Text | None = None
    query_language: QueryLanguage | None = None
    processor_config: ProcessorConfig | None = None
    start_at: Text
    states: dict[str, State]


class Definition(Machine):
    """A whole state machine."""

    version: Text | None = None
    timeout_seconds: Number | None = None


# Their fields name Machine, which did not exist yet.
Parallel.model_rebuild()
Map.model_rebuild()
