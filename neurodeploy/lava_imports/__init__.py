"""Lava as the Python and NumPy of today can import it.

lava-nc 0.10.0 and lava-dl 0.6.0 are the last releases; both ask for Python 3.10 and NumPy 1. A few
of their modules need a small change beyond that. It is made in their syntax tree while they are
imported (see `changes`), so nothing of theirs is copied and no file is touched; ``import
neurodeploy`` sees to it. On Python 3.10 with NumPy 1 nothing is changed.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

TYPE_CHECKING = False  # as in the package's own face
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType
    from typing import Any


def install() -> None:
    """Have Lava's modules changed, where they need it, when they are imported from now on."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())


def is_changed_here() -> bool:
    """Whether this Python or its NumPy is newer than those that Lava asks for."""
    there: bool = _changes().apply()
    return there


class Finder:
    """Finds the modules that are to be changed, and no others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give a module of `changes.CHANGES` a loader that changes it."""
        if not fullname.startswith("lava."):
            return None
        changes = _changes()  # which are not read before they are needed
        if fullname not in changes.CHANGES or not changes.apply():
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        # Not the cached one, which is of the unchanged file and must stay so.
        path = self.get_filename(fullname)
        code: CodeType = _changes().changed(fullname, self.get_data(path), path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        vars(module)[_changes().HERE] = _changes()
        super().exec_module(module)


def _changes() -> Any:
    return importlib.import_module(".changes", __name__)
