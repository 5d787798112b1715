"""Imports torch and SLAYER when they are needed, without what SLAYER prints as it is imported."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

from ...errors import BackendError

SLAYER = "lava.lib.dl.slayer"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what SLAYER prints about CUDA and cameras, and what it warns of."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def import_slayer(what: str = "export") -> tuple[Any, Any]:
    """Give (torch, slayer).

    Raises
    ------
    BackendError
        If either is missing: which extra brings it, and what else can be done.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch = importlib.import_module("torch")  # keeps the stderr it is born with
        with quiet():
            return torch, importlib.import_module(SLAYER)
    except ImportError as error:
        raise BackendError(
            f"{what}: needs torch and lava-dl ({error}); 'neurodeploy doctor --add lava-dl' brings "
            f"them, or give a file that a machine with them wrote"
        ) from error
