"""Loaded by Dask in the processes that we start: they end when who started them is gone."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

PARENT = "NEURODEPLOY_EVALUATION_CALLER"
"""Variable of the environment: the process that started this one. By the time that
it asks who its parent is, the parent may be gone already."""

SECONDS = 0.5
"""Between two looks."""


def dask_setup(service: Any) -> None:
    """Watch the parent; Dask calls this when its scheduler, a nanny or her worker starts."""
    parent = int(os.environ[PARENT])
    os.environ[PARENT] = str(os.getpid())  # of a worker that a nanny starts
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS)
    os._exit(1)
