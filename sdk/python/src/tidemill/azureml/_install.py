"""azureml's names without a change of imports: whoever imports `azureml.x` gets `tidemill.azureml.x`. The line of `tidemill_azureml.pth`, which Python reads when it starts, leads here where $TIDEMILL_AZUREML says so."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from tidemill.azureml.exceptions import UserErrorException

__all__ = ["install", "install_as_said", "uninstall"]

VARIABLE = "TIDEMILL_AZUREML"
THEIRS = "azureml"
OURS = "tidemill.azureml"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Hands out our modules under azureml's names: the same objects, so that classes are the same under both."""

    # Whose azureml it is. Nothing while that is open: when Python starts, not every folder with modules is known yet.
    is_ours: bool | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != THEIRS and not fullname.startswith(THEIRS + "."):
            return None
        if self.is_ours is None:
            self._decide()
        if not self.is_ours:
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

    def _decide(self) -> None:
        """Gives way to the real azureml."""
        self.is_ours = not _is_theirs_here()
        if not self.is_ours:
            sys.stderr.write(
                f"tidemill: ${VARIABLE} is set, but azureml is installed here, and that is what is imported; "
                "uninstall it, or say tidemill.azureml.install(force=True)\n"
            )

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
    if _finder in sys.meta_path and _finder.is_ours:
        return
    if not force and _is_theirs_here():
        raise UserErrorException(
            "azureml is installed here",
            code="installed",
            hint="uninstall it, import tidemill.azureml by its own name, or say install(force=True)",
        )
    _forget()
    _finder.is_ours = True
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def install_as_said() -> None:
    """Does the same where $TIDEMILL_AZUREML is `1` or `true`, once azureml is imported for the first time: the real one, where there is one, stays, and stderr says so.

    A step has its own azureml beside its code.
    """
    if os.environ.get(VARIABLE, "").lower() not in ("1", "true") or "TIDEMILL_RUN_ID" in os.environ:
        return
    if _finder not in sys.meta_path and THEIRS not in sys.modules:
        _finder.is_ours = None
        sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Takes that back, for what is imported from now on."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
        _forget()


def _is_theirs_here() -> bool:
    """Whether somebody else has an azureml."""
    others = [finder for finder in sys.meta_path if finder is not _finder]
    return THEIRS in sys.modules or any(finder.find_spec(THEIRS, None) is not None for finder in others)


def _forget() -> None:
    for name in [name for name in sys.modules if name == THEIRS or name.startswith(THEIRS + ".")]:
        del sys.modules[name]
