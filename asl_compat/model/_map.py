"""Where a Map takes its items from, how it groups them, and where its results go."""

from __future__ import annotations

from pydantic import Field

from asl_compat.model._base import JSON, AslModel, Names, Number, Text

__all__ = ["ItemBatcher", "ItemReader", "ProcessorConfig", "ReaderConfig", "ResultWriter", "WriterConfig"]


class ProcessorConfig(AslModel):
    """How a Map runs its processor."""

    mode: Text | None = None
    """INLINE, which holds where absent, or DISTRIBUTED."""
    execution_type: Text | None = None
    """STANDARD or EXPRESS, of the executions of a distributed Map."""


class ReaderConfig(AslModel):
    """The format of a file of items."""

    input_type: Text | None = None
    csv_header_location: Text | None = Field(default=None, alias="CSVHeaderLocation")
    """FIRST_ROW or GIVEN."""
    csv_headers: Names | None = Field(default=None, alias="CSVHeaders")
    csv_delimiter: Text | None = Field(default=None, alias="CSVDelimiter")
    items_pointer: Text | None = None
    """JSON pointer to the list in a JSON file."""
    manifest_type: Text | None = None
    transformation: Text | None = None
    max_items: Number | Text | None = None
    max_items_path: Text | None = None


class ItemReader(AslModel):
    """The file, or the listing, that holds the items."""

    resource: Text | None = None
    parameters: JSON = None
    arguments: JSON = None
    reader_config: ReaderConfig | None = None


class ItemBatcher(AslModel):
    """How items are grouped for one run of the processor."""

    batch_input: JSON = None
    """Given to each batch beside its items."""
    max_items_per_batch: Number | Text | None = None
    max_items_per_batch_path: Text | None = None
    max_input_bytes_per_batch: Number | Text | None = None
    max_input_bytes_per_batch_path: Text | None = None


class WriterConfig(AslModel):
    """The format of written results."""

    transformation: Text | None = None
    output_type: Text | None = None


class ResultWriter(AslModel):
    """The place that results are written to."""

    resource: Text | None = None
    parameters: JSON = None
    arguments: JSON = None
    writer_config: WriterConfig | None = None
