# type: ignore
# ruff: noqa
"""`json`, with `default` for `dumps`."""


def _statebag_open_json(
    bool=bool, dict=dict, float=float, int=int, isinstance=isinstance, list=list, str=str, tuple=tuple, type=type
):
    import json

    def plain(value, default):
        kind = type(value)
        if value is None or kind is str or kind is int or kind is float or kind is bool:
            return value
        if isinstance(value, dict):
            return {key: plain(item, default) for key, item in value.items()}
        if kind is list or kind is tuple:
            return [plain(item, default) for item in value]
        return plain(default(value), default)

    def dumps(value, *, default=None, **options):
        return json.dumps(value if default is None else plain(value, default), **options)

    class Module:
        pass

    module = Module()
    module.dumps = dumps
    module.loads = json.loads
    module.JSONDecodeError = json.JSONDecodeError
    return module


_statebag_json = _statebag_open_json()
