"""Hook of hatchling: compiles the core into the wheel, beside the sources where it is editable.

A wheel gets every instruction set of its kind of machine, an editable installation the best of
this machine; ``NEURODEPLOY_LEVELS`` names others (``all``, or names with spaces between them).
Where the machine has no C++ compiler, the build asks for Zig's, which comes from PyPI.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CoreHook(BuildHookInterface[Any]):
    """Named in ``pyproject.toml``."""

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling."""
        build = self._build()
        try:
            build.find_compiler(build.Machine.here())
        except build.NoCompiler:
            return ["ziglang"]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what of it belongs into the wheel."""
        build = self._build()
        asked = os.environ.get("NEURODEPLOY_LEVELS", "")
        if version == "editable" and not asked:
            levels = None  # the best of this machine
        else:  # a wheel may move on to another
            levels = tuple(asked.replace("all", "").split())
        library = build.build_in_place(tell=self.app.display_info, levels=levels)
        if version == "editable":
            return
        machine = build.Machine.here()
        _, zig = build.find_compiler(machine)
        platform = machine.wheel_tag if zig else sysconfig.get_platform()
        tag = platform.replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag}"  # no Python interface: one wheel for all versions
        inside = library.relative_to(self.root).as_posix()
        build_data["force_include"][str(library)] = inside

    def _build(self) -> ModuleType:
        """Load the build script by its path: the package is not installed yet."""
        name = "neurodeploy_core_build"
        if name not in sys.modules:
            path = Path(self.root, "neurodeploy", "core", "build.py")
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        return sys.modules[name]
