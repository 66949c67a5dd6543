"""Runs a jupyterhub_config.py and writes what it configured, as JSON, to file descriptor 3.

Understands what such files use: `c` and `get_config()`, sections and options as attributes or
items, edits of options that are not set yet (`c.Spawner.args.append(...)`), `load_subconfig`.
Needs nothing but Python's own library.
"""

import base64
import json
import math
import os
import sys
import traceback

SET, BYTES, EDITS, UNSUPPORTED = "set", "bytes", "edits", "unsupported"


class Edits:
    """An option that is not set: remembers what is done to it, for the value it will have."""

    def __init__(self):
        self.steps = []

    def _note(self, name, *arguments):
        self.steps.append([name, list(arguments)])

    def append(self, item):
        self._note("append", item)

    def extend(self, items):
        self._note("extend", list(items))

    def prepend(self, items):
        self._note("prepend", list(items))

    def insert(self, index, item):
        self._note("insert", index, item)

    def add(self, item):
        self._note("add", item)

    def update(self, other=(), **named):
        if isinstance(other, dict) or named:
            self._note("update", dict(other, **named))
        else:
            self._note("update", list(other))

    def setdefault(self, key, value=None):
        self._note("setdefault", key, value)
        return value

    def __setitem__(self, key, value):
        self._note("update", {key: value})

    def __getitem__(self, key):
        raise TypeError(
            "this option is not set in the configuration yet, so it cannot be read: assign it first"
        )

    def __iadd__(self, items):
        self.extend(items)
        return self

    def __ior__(self, other):
        self.update(other)
        return self


class Section(dict):
    """The options of one class, as attributes or items."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name, value):
        self[name] = value

    def __delattr__(self, name):
        self.pop(name, None)

    def __missing__(self, name):
        edits = Edits()
        self[name] = edits
        return edits


class Config(dict):
    """All sections; one comes into being when it is first named."""

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name, value):
        self[name] = value

    def __missing__(self, name):
        section = Section()
        self[name] = section
        return section

    def __setitem__(self, name, value):
        if isinstance(value, dict) and not isinstance(value, Section):
            value = Section(value)
        super().__setitem__(name, value)

    def merge(self, other):
        for name, options in other.items():
            self[name].update(options)


def encode(value, depth=0):
    if depth > 50:
        return {"$": UNSUPPORTED, "v": "value nested too deeply"}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 else {"$": UNSUPPORTED, "v": "very large integer"}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$": UNSUPPORTED, "v": "number without an end"}
    if isinstance(value, (bytes, bytearray)):
        return {"$": BYTES, "v": base64.b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, os.PathLike):
        return encode(os.fspath(value), depth)
    if isinstance(value, Edits):
        return {"$": EDITS, "v": [[name, encode(list(rest), depth + 1)] for name, rest in value.steps]}
    if isinstance(value, dict):
        return {"$": "dict", "v": [[str(key), encode(item, depth + 1)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [encode(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return {"$": SET, "v": [encode(item, depth + 1) for item in value]}
    return unsupported(value)


def unsupported(value):
    if isinstance(value, type):
        path = f"{value.__module__}.{value.__qualname__}"
        return {"$": UNSUPPORTED, "v": f"class {value.__qualname__}", "c": path}
    if callable(value):
        return {"$": UNSUPPORTED, "v": f"function {getattr(value, '__name__', '')}".strip()}
    return {"$": UNSUPPORTED, "v": f"{type(value).__name__} object"}


# Configuration files that were begun, in order.
files = []


def run(path):
    config = Config()

    def execute(name):
        files.append(name)
        with open(name, "rb") as source:
            code = compile(source.read(), name, "exec")
        folder = os.path.dirname(os.path.abspath(name))

        def load_subconfig(other, path=None):
            execute(os.path.join(path or folder, other))

        exec(
            code,
            {
                "__name__": "__main__",
                "__file__": os.path.abspath(name),
                "c": config,
                "get_config": lambda: config,
                "load_subconfig": load_subconfig,
            },
        )

    execute(path)
    return {"config": encode(config), "files": files}


def describe(error, path):
    """What went wrong, with the line of the configuration that it went wrong in."""
    line = None
    if isinstance(error, SyntaxError):
        line, path = error.lineno, error.filename or path
    else:
        # The innermost line of a configuration file: below it are libraries, above it this program.
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename in files:
                path, line = frame.filename, frame.lineno
    return {"error": f"{type(error).__name__}: {error}", "file": path, "line": line}


def main():
    with os.fdopen(3, "w", encoding="utf-8") as out:
        sys.argv = [sys.argv[1]]
        sys.stdout = sys.stderr
        try:
            result = run(sys.argv[0])
        except SystemExit as error:
            result = {"error": f"the file ended the program: exit({error.code})", "file": sys.argv[0]}
        except BaseException as error:
            traceback.print_exc()
            result = describe(error, sys.argv[0])
        json.dump(result, out)


main()
