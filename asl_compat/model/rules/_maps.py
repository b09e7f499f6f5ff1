"""Map and Parallel states."""

from __future__ import annotations

from collections.abc import Iterator

from asl_compat.model._map import ItemBatcher, ItemReader, ReaderConfig, ResultWriter
from asl_compat.model._parts import has_placeholder
from asl_compat.model._place import at
from asl_compat.model._states import Map, Parallel
from asl_compat.model._walking import MachinePlace, StatePlace
from statebag.errors import Problem

__all__ = ["check_map", "check_no_processor", "check_parallel"]

_DISTRIBUTED_ONLY = ("item_reader", "item_batcher", "result_writer", "label")
_NO_EFFECT_INLINE = (
    "tolerated_failure_percentage",
    "tolerated_failure_percentage_path",
    "tolerated_failure_count",
    "tolerated_failure_count_path",
)
_LONGEST_LABEL = 40
_LABEL_FORBIDS = frozenset('?*<>{}[]:;,\\|^~$#%&`"/ \t\n\r')
_READERS = ("s3:getObject", "s3:listObjectsV2")


def check_parallel(found: StatePlace) -> Iterator[Problem]:
    """That a Parallel has something to run."""
    if isinstance(found.state, Parallel) and not found.state.branches:
        message = "This Parallel has no machine in `Branches`. Add one."
        yield Problem(path=at(found.path, "Branches"), code="ASL_FIELD_MISSING", message=message)


def check_map(found: StatePlace) -> Iterator[Problem]:
    """What a Map runs, and what its mode allows."""
    state = found.state
    if not isinstance(state, Map):
        return
    if state.item_processor is not None and state.iterator is not None:
        message = "There are both `ItemProcessor` and `Iterator`, its older name. Keep `ItemProcessor`."
        yield Problem(path=found.path, code="ASL_FIELD_CONFLICT", message=message)
    elif state.processor is None:
        message = "This Map has no `ItemProcessor`. Add the machine that runs for each item."
        yield Problem(path=found.path, code="ASL_FIELD_MISSING", message=message)
    if state.has("item_selector") and state.has("parameters"):
        message = "There are both `ItemSelector` and `Parameters`, its older name. Keep `ItemSelector`."
        yield Problem(path=found.path, code="ASL_FIELD_CONFLICT", message=message)
    yield from _check_mode(found, state)
    yield from _check_label(found, state.label)
    if state.item_reader is not None:
        yield from _check_reader(at(found.path, "ItemReader"), state.item_reader)
    if state.item_batcher is not None:
        yield from _check_batcher(at(found.path, "ItemBatcher"), state.item_batcher)
    if state.result_writer is not None:
        yield from _check_writer(at(found.path, "ResultWriter"), state.result_writer)


def check_no_processor(found: MachinePlace) -> Iterator[Problem]:
    """The configuration of a processor in a machine that is none."""
    if found.machine.has("processor_config"):
        message = "`ProcessorConfig` belongs to the `ItemProcessor` of a Map. Remove it."
        yield Problem(path=at(found.path, "ProcessorConfig"), code="ASL_FIELD_UNKNOWN", message=message)


def _check_mode(found: StatePlace, state: Map) -> Iterator[Problem]:
    if found.express and state.distributed:
        message = "A Map inside of an EXPRESS machine can't be DISTRIBUTED. Make it INLINE, or the machine STANDARD."
        yield Problem(path=found.path, code="ASL_MAP", message=message)
    mode = state.processor.processor_config if state.processor is not None else None
    if state.processor is not None and not state.distributed and not has_placeholder(mode.mode if mode else None):
        for attribute in _DISTRIBUTED_ONLY:
            if state.has(attribute):
                name = state.name_of(attribute)
                message = f"`{name}` needs a Map that is DISTRIBUTED. Set `ProcessorConfig.Mode`, or remove `{name}`."
                yield Problem(path=at(found.path, name), code="ASL_MAP", message=message)
        for attribute in _NO_EFFECT_INLINE:
            if state.has(attribute):
                name = state.name_of(attribute)
                message = f"`{name}` has no effect in a Map that is not DISTRIBUTED. Set `ProcessorConfig.Mode`."
                yield Problem(path=at(found.path, name), code="ASL_SUSPECT", message=message)
        if mode is not None and mode.execution_type is not None:
            message = "`ExecutionType` needs the `Mode` DISTRIBUTED. Set it, or remove `ExecutionType`."
            where = at(found.path, "ItemProcessor" if state.item_processor is not None else "Iterator")
            yield Problem(path=at(where, "ProcessorConfig", "ExecutionType"), code="ASL_MAP", message=message)


def _check_label(found: StatePlace, label: str | None) -> Iterator[Problem]:
    path = at(found.path, "Label")
    if label is None or has_placeholder(label):
        return
    if not 1 <= len(label) <= _LONGEST_LABEL:
        message = f"`Label` has {len(label)} characters; 1 to {_LONGEST_LABEL} are allowed. Shorten it."
        yield Problem(path=path, code="ASL_FIELD_VALUE", message=message)
    elif _LABEL_FORBIDS & set(label):
        message = f"`Label` is {label!r}. Use no spaces, brackets, wildcards or special characters."
        yield Problem(path=path, code="ASL_FIELD_VALUE", message=message)


def _check_reader(path: str, reader: ItemReader) -> Iterator[Problem]:
    if reader.resource is None:
        message = f"`ItemReader` has no `Resource`. Use arn:aws:states:::{' or '.join(_READERS)}."
        yield Problem(path=path, code="ASL_FIELD_MISSING", message=message)
    elif not reader.resource.endswith(_READERS) and not has_placeholder(reader.resource):
        message = f"`Resource` is {reader.resource!r}. Use arn:aws:states:::{' or '.join(_READERS)}."
        yield Problem(path=at(path, "Resource"), code="ASL_RESOURCE", message=message)
    config = reader.reader_config or ReaderConfig()
    where = at(path, "ReaderConfig")
    if reader.resource is not None and reader.resource.endswith("s3:getObject") and config.input_type is None:
        message = "The format of the file is not given. Add `ReaderConfig.InputType`."
        yield Problem(path=where, code="ASL_FIELD_MISSING", message=message)
    if config.csv_header_location == "GIVEN" and not config.csv_headers:
        message = "`CSVHeaderLocation` is GIVEN and there are no `CSVHeaders`. Add them."
        yield Problem(path=where, code="ASL_FIELD_MISSING", message=message)


def _check_batcher(path: str, batcher: ItemBatcher) -> Iterator[Problem]:
    limits = (
        "max_items_per_batch",
        "max_items_per_batch_path",
        "max_input_bytes_per_batch",
        "max_input_bytes_per_batch_path",
    )
    if not any(batcher.has(name) for name in limits):
        message = "`ItemBatcher` has no limit. Add `MaxItemsPerBatch` or `MaxInputBytesPerBatch`."
        yield Problem(path=path, code="ASL_FIELD_MISSING", message=message)


def _check_writer(path: str, writer: ResultWriter) -> Iterator[Problem]:
    if writer.resource is None and writer.writer_config is None:
        message = "`ResultWriter` has no `Resource`. Use arn:aws:states:::s3:putObject."
        yield Problem(path=path, code="ASL_FIELD_MISSING", message=message)
    elif (
        writer.resource is not None
        and not writer.resource.endswith("s3:putObject")
        and not has_placeholder(writer.resource)
    ):
        message = f"`Resource` is {writer.resource!r}. Use arn:aws:states:::s3:putObject."
        yield Problem(path=at(path, "Resource"), code="ASL_RESOURCE", message=message)
