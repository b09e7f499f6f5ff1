# type: ignore
# ruff: noqa
"""`re`, with functions as replacements, and `subn`."""


def _statebag_open_re(isinstance=isinstance, repr=repr, str=str, type=type):
    import re

    class Pattern:
        def __init__(self, compiled):
            self.compiled = compiled
            self.pattern = compiled.pattern
            self.flags = compiled.flags

        def __repr__(self):
            return repr(self.compiled)

        def match(self, *args, **kwargs):
            return self.compiled.match(*args, **kwargs)

        def search(self, *args, **kwargs):
            return self.compiled.search(*args, **kwargs)

        def fullmatch(self, *args, **kwargs):
            return self.compiled.fullmatch(*args, **kwargs)

        def findall(self, *args, **kwargs):
            return self.compiled.findall(*args, **kwargs)

        def finditer(self, *args, **kwargs):
            return self.compiled.finditer(*args, **kwargs)

        def split(self, *args, **kwargs):
            return self.compiled.split(*args, **kwargs)

        def sub(self, repl, string, count=0):
            if type(repl) is str:
                return self.compiled.sub(repl, string, count)
            return self.subn(repl, string, count)[0]

        def subn(self, repl, string, count=0):
            parts = []
            at = 0
            number = 0
            for match in self.compiled.finditer(string):
                if count and number == count:
                    break
                parts.append(string[at : match.start()])
                parts.append(self.compiled.sub(repl, match.group(), 1) if type(repl) is str else repl(match))
                at = match.end()
                number += 1
            parts.append(string[at:])
            return "".join(parts), number

    class Module:
        pass

    def compile(pattern, flags=0):
        return pattern if isinstance(pattern, Pattern) else Pattern(re.compile(pattern, flags))

    def match(pattern, string, flags=0):
        return compile(pattern, flags).match(string)

    def search(pattern, string, flags=0):
        return compile(pattern, flags).search(string)

    def fullmatch(pattern, string, flags=0):
        return compile(pattern, flags).fullmatch(string)

    def findall(pattern, string, flags=0):
        return compile(pattern, flags).findall(string)

    def finditer(pattern, string, flags=0):
        return compile(pattern, flags).finditer(string)

    def split(pattern, string, maxsplit=0, flags=0):
        return compile(pattern, flags).split(string, maxsplit)

    def sub(pattern, repl, string, count=0, flags=0):
        return compile(pattern, flags).sub(repl, string, count)

    def subn(pattern, repl, string, count=0, flags=0):
        return compile(pattern, flags).subn(repl, string, count)

    module = Module()
    module.compile = compile
    module.match = match
    module.search = search
    module.fullmatch = fullmatch
    module.findall = findall
    module.finditer = finditer
    module.split = split
    module.sub = sub
    module.subn = subn
    module.escape = re.escape
    module.error = re.error
    module.PatternError = re.PatternError
    module.Pattern = Pattern
    module.A = module.ASCII = re.ASCII
    module.I = module.IGNORECASE = re.IGNORECASE
    module.M = module.MULTILINE = re.MULTILINE
    module.S = module.DOTALL = re.DOTALL
    return module


_statebag_re = _statebag_open_re()
