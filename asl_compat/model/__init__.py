"""The Amazon States Language as types: read it, check it, print it, without losing anything."""

from asl_compat.model._base import AslModel, QueryLanguage
from asl_compat.model._checking import CheckedDefinition, check_definition
from asl_compat.model._choice import OPERATORS, ChoiceRule
from asl_compat.model._errors import Catcher, Retrier
from asl_compat.model._map import ItemBatcher, ItemReader, ProcessorConfig, ReaderConfig, ResultWriter, WriterConfig
from asl_compat.model._parsing import parse_definition
from asl_compat.model._printing import FIELD_ORDER, print_definition, to_json
from asl_compat.model._states import (
    Choice,
    Definition,
    Fail,
    Machine,
    Map,
    Parallel,
    Pass,
    State,
    Succeed,
    Task,
    Wait,
)
from asl_compat.model._walking import MachinePlace, StatePlace, count_states, walk_machines, walk_states
from asl_compat.model.rules import WARNING_CODES, is_warning, validate_definition

__all__ = [
    "FIELD_ORDER",
    "OPERATORS",
    "WARNING_CODES",
    "AslModel",
    "Catcher",
    "CheckedDefinition",
    "Choice",
    "ChoiceRule",
    "Definition",
    "Fail",
    "ItemBatcher",
    "ItemReader",
    "Machine",
    "MachinePlace",
    "Map",
    "Parallel",
    "Pass",
    "ProcessorConfig",
    "QueryLanguage",
    "ReaderConfig",
    "ResultWriter",
    "Retrier",
    "State",
    "StatePlace",
    "Succeed",
    "Task",
    "Wait",
    "WriterConfig",
    "check_definition",
    "count_states",
    "is_warning",
    "parse_definition",
    "print_definition",
    "to_json",
    "validate_definition",
    "walk_machines",
    "walk_states",
]
