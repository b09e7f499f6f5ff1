"""Queries of databases, which read unless both the document and the worker say otherwise."""

from statebag.nodes.sql._config import DbConfig, build_query, check_config, read_config
from statebag.nodes.sql._connections import DbSettings, is_connection_name, parse_flag, parse_writable, read_db_settings
from statebag.nodes.sql._query import Query

__all__ = [
    "DbConfig",
    "DbSettings",
    "Query",
    "build_query",
    "check_config",
    "is_connection_name",
    "parse_flag",
    "parse_writable",
    "read_config",
    "read_db_settings",
]
