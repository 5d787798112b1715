"""What is changed in modules of Lava, each in one line with the place that needs it."""

from __future__ import annotations

import ast
import sys
from dataclasses import field
from types import CodeType
from typing import Any

import numpy as np

HERE = "_neurodeploy"
"""By this name a changed module finds the functions below."""


class FreshDefaults(ast.NodeTransformer):
    """Has each instance of a dataclass make its own default, where Lava has one for all.

    Python 3.11 refuses a default that cannot be hashed (lava/magma/compiler/var_model.py:221-238).
    """

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """Change ``name: type = call()`` to ``name: type = field(default_factory=...)``."""
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.value, ast.Call):
                    made = ast.unparse(line.value)
                    if not made.startswith(("field(", "dataclasses.field(")):
                        line.value = _parsed(f"{HERE}.fresh(lambda: {made})")
        return node


class NewShape(ast.NodeTransformer):
    """Names ``numpy.reshape``'s shape as NumPy does since 2.1 (process/ports/ports.py:920,931)."""

    def visit_keyword(self, node: ast.keyword) -> ast.keyword:
        """Change ``newshape=`` to ``shape=``."""
        if node.arg == "newshape" and _numpy_version() >= (2, 1):
            node.arg = "shape"
        return node


class WideParameters(ast.NodeTransformer):
    """Has room for more than 127 in a convolution's parameters (lava/proc/conv/models.py:25-32).

    NumPy 1 wrapped them into int8 without a word; NumPy 2 refuses.
    """

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        """Change ``np.int8`` to ``np.int32``."""
        if node.attr == "int8":
            node.attr = "int32"
        return node


class OneInteger(ast.NodeTransformer):
    """Takes an array of one element for an integer (lava/lib/dl/netx/hdf5.py:280,285)."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Change ``int(x)`` to `one_integer`."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "int":
            node.func = _parsed(f"{HERE}.one_integer")
        return node


class PerhapsAbsent(ast.NodeTransformer):
    """Has SLAYER's object detection, which SLAYER always imports, do without its image libraries.

    Nothing but drawing boxes and reading pictures needs them.
    """

    libraries = ("torchvision", "cv2")

    def visit_Import(self, node: ast.Import) -> ast.AST:
        """Put `Absent` where a library is not installed."""
        return self._guarded(node, node.names[0].name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """As `visit_Import`."""
        return self._guarded(node, "" if node.level else node.module or "")

    def _guarded(self, node: ast.Import | ast.ImportFrom, module: str) -> ast.AST:
        library = module.partition(".")[0]
        if library not in self.libraries:
            return node
        names = [name.asname or name.name for name in node.names]
        absent = "; ".join(f"{name} = {HERE}.Absent({library!r})" for name in names)
        guard = ast.parse(f"try: pass\nexcept ImportError: {absent}").body[0]
        assert isinstance(guard, ast.Try)
        guard.body = [node]
        return guard


_DETECTION = "lava.lib.dl.slayer.object_detection"

CHANGES: dict[str, type[ast.NodeTransformer]] = {
    "lava.magma.compiler.var_model": FreshDefaults,
    "lava.magma.core.process.ports.ports": NewShape,
    "lava.proc.conv.models": WideParameters,
    "lava.lib.dl.netx.hdf5": OneInteger,
    f"{_DETECTION}.boundingbox.utils": PerhapsAbsent,
    f"{_DETECTION}.dataset.bdd100k": PerhapsAbsent,
    f"{_DETECTION}.dataset.prophesee_automotive": PerhapsAbsent,
}
"""Which module is imported with which change."""


def fresh(factory: Any) -> Any:
    """Give a dataclass a default that is made anew for each instance."""
    return field(default_factory=factory)


def one_integer(value: Any) -> int:
    """Take a number, a text or an array of one element for an integer."""
    return int(value.item() if hasattr(value, "item") else value)


class Absent:
    """Stands for a library that is not installed, and says so when it is used."""

    def __init__(self, library: str) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(
            f"{name}: needs {self._library}, which is not installed", name=self._library
        )


def apply() -> bool:
    """Whether this Python or its NumPy is newer than those that Lava is pinned to."""
    return sys.version_info >= (3, 11) or _numpy_version() >= (2, 0)


def changed(module: str, source: bytes, path: str) -> CodeType:
    """Compile a module of `CHANGES` with its change."""
    tree = CHANGES[module]().visit(ast.parse(source, path))
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


def _numpy_version() -> tuple[int, int]:
    major, minor = np.__version__.split(".")[:2]
    return int(major), int(minor)


def _parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body
