"""Loaded by Dask in the processes that we start: they end when who started them is gone."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

SECONDS = 0.5
"""Between two looks."""


def dask_setup(service: Any) -> None:
    """Watch the parent; Dask calls this when its scheduler or nanny starts."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS)
    os._exit(1)
