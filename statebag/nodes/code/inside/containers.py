# type: ignore
# ruff: noqa
"""`collections`, with `OrderedDict`: a dict keeps its order anyway."""


def _statebag_open_collections():
    import collections

    class Module:
        pass

    module = Module()
    module.Counter = collections.Counter
    module.defaultdict = collections.defaultdict
    module.deque = collections.deque
    module.namedtuple = collections.namedtuple
    module.OrderedDict = dict
    return module


_statebag_collections = _statebag_open_collections()
