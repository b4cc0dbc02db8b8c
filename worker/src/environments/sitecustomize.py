"""Folders are listed in the order of their names.

A file system returns names in an order of its own, another one on each machine; scripts that take the first file of a folder rely on the order that
they met when they were written. os.listdir and os.scandir, on which os.walk, glob and pathlib stand, sort what they return in the processes of a step.
"""

import os
import sys

# Larger folders keep the order of the file system: nobody should hold a million entries in memory to sort them.
_MOST = 100000


class _Scan(object):
    """What os.scandir returns: the same, in order."""

    def __init__(self, found):
        self._found = found
        self._entries = None

    def __iter__(self):
        return self

    def __next__(self):
        if self._entries is None:
            self._entries = _in_order(self._found)
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._entries = iter(())
        self._found.close()


def _in_order(found):
    first = []
    for entry in found:
        first.append(entry)
        if len(first) > _MOST:
            break
    else:
        first.sort(key=_name)
        return iter(first)
    return _one_after_the_other(first, found)


def _one_after_the_other(first, rest):
    for entry in first:
        yield entry
    for entry in rest:
        yield entry


def _name(entry):
    return entry.name


class _Listdir(object):
    """os.listdir, in order. An object and not a function: as a part of a class it must not become a method."""

    def __init__(self, plain):
        self._plain = plain
        self.__doc__ = plain.__doc__

    def __call__(self, *place, **named):
        names = self._plain(*place, **named)
        if len(names) <= _MOST:
            names.sort()
        return names


class _Scandir(object):
    """os.scandir, in order."""

    def __init__(self, plain):
        self._plain = plain
        self.__doc__ = plain.__doc__

    def __call__(self, *place, **named):
        return _Scan(self._plain(*place, **named))


def _step_aside():
    """Lets a sitecustomize of the author or of the system have its turn, as if this one were not there."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != here]
    this = sys.modules.pop(__name__, None)
    try:
        __import__(__name__)
    except ImportError as error:
        if getattr(error, "name", None) != __name__:
            raise
        sys.modules[__name__] = this


def _replace(name, ordered):
    plain = getattr(os, name)
    if plain in os.supports_fd:
        # shutil.rmtree asks this before it walks by descriptors, which no link can lead astray.
        os.supports_fd.add(ordered)
    setattr(os, name, ordered)


if hasattr(os, "scandir"):
    _replace("listdir", _Listdir(os.listdir))
    _replace("scandir", _Scandir(os.scandir))
_step_aside()
