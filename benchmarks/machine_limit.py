"""How fast this machine adds int8 rows, measured in C.

The time of one call sums `rows` rows of an int8 matrix into int32, `sums` times, split over
threads; the fastest variant counts.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.core.build import Machine, find_compiler

from .measure import FOLDER, timed

VARIANTS = ("add_plain", "add_four", "add_widened", "add_paired")
FLAGS = ("-x", "c", "-O3", "-march=native", "-shared", "-fPIC", "-w")

Adder = Callable[[NDArray[np.int8], NDArray[np.int32], NDArray[np.int32]], None]


def fastest(
    matrix: NDArray[np.int8], index: NDArray[np.int32], threads: int
) -> tuple[Callable[[], None], str]:
    """Return a call that does all sums [sums, rows] the fastest way, and that way's name."""
    out = np.empty((len(index), matrix.shape[1]), np.int32)
    expected = matrix[index[0]].sum(axis=0, dtype=np.int32)
    best: tuple[float, Callable[[], None], str] | None = None
    for name, adder in _adders().items():
        call = _on_threads(adder, matrix, index, out, threads)
        out[:] = 0
        call()
        assert np.array_equal(out[0], expected), name
        measure = timed(call, 0.05)
        seconds = min(measure() for _ in range(5))
        if best is None or seconds < best[0]:
            best = (seconds, call, name)
    assert best is not None
    return best[1], best[2]


def _on_threads(
    adder: Adder, matrix: Any, index: Any, out: Any, threads: int
) -> Callable[[], None]:
    if threads == 1:
        return lambda: adder(matrix, index, out)
    pool = ThreadPoolExecutor(threads)
    parts = np.array_split(np.arange(len(index)), threads)
    slices = [slice(part[0], part[-1] + 1) for part in parts if len(part)]

    def call() -> None:
        list(pool.map(lambda part: adder(matrix, index[part], out[part]), slices))

    return call


def _adders() -> dict[str, Adder]:
    compiler, _ = find_compiler(Machine.here())
    adders: dict[str, Adder] = {}
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "limit.so"
        command = [*compiler, *FLAGS, "-o", str(library), str(FOLDER / "machine_limit.c")]
        subprocess.run(command, check=True)
        loaded = ctypes.CDLL(str(library))
    for name in VARIANTS:
        if hasattr(loaded, name):  # some need AVX2 or AVX-512
            adders[f"C, {name}"] = _wrap(getattr(loaded, name))
    return adders


def _wrap(function: Any) -> Adder:
    def add(matrix: Any, index: Any, out: Any) -> None:
        function(
            ctypes.c_void_p(matrix.ctypes.data),
            ctypes.c_void_p(index.ctypes.data),
            index.shape[0],
            index.shape[1],
            matrix.shape[1],
            ctypes.c_void_p(out.ctypes.data),
        )

    return add
