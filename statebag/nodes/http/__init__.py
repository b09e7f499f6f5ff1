"""Calls of web services that can't be led to where they must not go."""

from statebag.nodes.http._allow import ALLOW_VARIABLE, AllowList, parse_allow_list, read_allow_list
from statebag.nodes.http._body import read_value
from statebag.nodes.http._config import ApiConfig, build_request, check_config, read_config
from statebag.nodes.http._guard import Guard, Target
from statebag.nodes.http._network import Network, resolve_host
from statebag.nodes.http._values import HttpAnswer, HttpRequest

__all__ = [
    "ALLOW_VARIABLE",
    "AllowList",
    "ApiConfig",
    "Guard",
    "HttpAnswer",
    "HttpRequest",
    "Network",
    "Target",
    "build_request",
    "check_config",
    "parse_allow_list",
    "read_allow_list",
    "read_config",
    "read_value",
    "resolve_host",
]
