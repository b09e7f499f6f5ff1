"""Durable, stateful workflows described in JSON, with their data in a state bag.

The package is the domain: pure Python that knows neither Temporal nor AWS.
Only :mod:`statebag.app`, the part that people touch, may import everything.
"""

__version__ = "0.1.0"
