# type: ignore
# ruff: noqa
"""The state that code sees, and what becomes of it."""


def exec(*args, **kwargs):
    raise NameError("name 'exec' is not defined")


def eval(*args, **kwargs):
    raise NameError("name 'eval' is not defined")


def open(*args, **kwargs):
    raise NameError("name 'open' is not defined")


def _statebag_remove(container, key, isinstance=isinstance, dict=dict, KeyError=KeyError):
    """`del container[key]`."""
    if isinstance(container, dict) and key not in container:
        raise KeyError(key)
    container.pop(key)


def _statebag_open(
    given,
    bool=bool,
    dict=dict,
    float=float,
    int=int,
    isinstance=isinstance,
    list=list,
    repr=repr,
    str=str,
    tuple=tuple,
    type=type,
    Exception=Exception,
):
    """The state, and the function that says what was made of it.

    Code may use the names of builtins for something else; so they are taken before it runs.
    """
    import json

    options = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
    opened = {key: json.loads(text) for key, text in given.items()}

    def find_offender(value, path):
        """Where something in it is not JSON, and what; empty where nothing is found."""
        kind = type(value)
        if value is None or kind is str or kind is int or kind is bool:
            return ""
        if kind is float:
            return "" if value - value == 0 else path + ": " + str(value) + " has no JSON form"
        if isinstance(value, dict):
            for key in value:
                if type(key) is not str:
                    return path + ": the key " + repr(key) + " is no text"
                found = find_offender(value[key], path + "." + key)
                if found:
                    return found
            return ""
        if kind is list or kind is tuple:
            index = 0
            for item in value:
                found = find_offender(item, path + "[" + str(index) + "]")
                if found:
                    return found
                index += 1
            return ""
        return path + ": a " + kind.__name__ + " is not JSON"

    def write(value, path):
        """The JSON of it, and what is wrong with it."""
        try:
            text = json.dumps(value, **options)
            if json.loads(text) == value:
                return text, ""
        except Exception as error:
            problem = str(error)
            if "recursion" in problem:
                return "", path + ": it is nested too deep"
            if "Circular" in problem:
                return "", path + ": it contains itself"
            return "", find_offender(value, path) or path + ": " + problem
        # Keys that are no text have become text, or it has tuples, which are lists in JSON.
        return text, find_offender(value, path)

    def refuse(kind, problem):
        return [json.dumps({"refused": kind, "problem": problem})]

    def close(state, result):
        """Lines: the names of what changed, then the result, then each changed value, all as JSON."""
        if type(state) is not dict:
            return refuse("state", type(state).__name__)
        changed = []
        values = []
        for key in state:
            if type(key) is not str:
                return refuse("json", "state: the key " + repr(key) + " is no text")
            text, problem = write(state[key], "state['" + key + "']")
            if problem:
                return refuse("json", problem)
            if text != given.get(key):
                changed.append(key)
                values.append(text)
        text, problem = write(result, "result")
        if problem:
            return refuse("json", problem)
        # Whoever binds `state` to another dict has not said that anything is to go.
        gone = [key for key in given if key not in state] if state is opened else []
        return [json.dumps({"changed": changed, "gone": gone}), text] + values

    return opened, close


state, _statebag_close = _statebag_open(_statebag_given)
_statebag_given = None
result = {}
