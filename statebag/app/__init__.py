"""What people touch: the command, the worker, the plugin for workers of others."""

from statebag.app.plugin import StateBagPlugin
from statebag.app.settings import Settings

__all__ = ["Settings", "StateBagPlugin"]
