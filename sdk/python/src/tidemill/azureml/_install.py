"""azureml's names without a change of imports: whoever imports `azureml.x` gets `tidemill.azureml.x`."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

from tidemill.azureml.exceptions import UserErrorException

__all__ = ["install", "uninstall"]

THEIRS = "azureml"
OURS = "tidemill.azureml"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Hands out our modules under azureml's names: the same objects, so that classes are the same under both."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != THEIRS and not fullname.startswith(THEIRS + "."):
            return None
        if any(piece.startswith("_") for piece in fullname.split(".")):
            # Else it would be found in our folder, a second time and under a name that is none.
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        ours = OURS + fullname.removeprefix(THEIRS)
        found = importlib.util.find_spec(ours)
        if found is None:
            return None
        is_package = found.submodule_search_locations is not None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=is_package)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(OURS + spec.name.removeprefix(THEIRS))
        # The import system is about to say that the module is called otherwise; `exec_module` takes it back.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None and spec.loader_state is not None:
            module.__spec__ = spec.loader_state


_finder = _Finder()


def install(force: bool = False) -> None:
    """Makes `import azureml…` mean this package, in this process.

    Where the real azureml can be imported this is refused, unless `force` says which of the two is meant.
    """
    if _finder in sys.meta_path:
        return
    if not force and (THEIRS in sys.modules or importlib.util.find_spec(THEIRS) is not None):
        raise UserErrorException(
            "azureml is installed here",
            code="installed",
            hint="uninstall it, import tidemill.azureml by its own name, or say install(force=True)",
        )
    _forget()
    sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Takes that back, for what is imported from now on."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
        _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name == THEIRS or name.startswith(THEIRS + ".")]:
        del sys.modules[name]
