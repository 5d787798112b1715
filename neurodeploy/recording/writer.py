"""Takes a recording block by block, into memory or straight to disk."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..files import written_whole
from .header import SCHEMA, SCHEMA_VERSION, Header
from .recording import Recording

HELD_BYTES = 1 << 24
"""Held in memory before it goes to the file."""


class RecordingWriter:
    """Takes a recording block by block, into memory or straight to disk.

    Used as a context manager: a file appears under its name when the block
    ends well, and not at all when it raises.

    Parameters
    ----------
    header : Header
    path : Path or None
        None keeps the recording in memory.
    """

    def __init__(self, header: Header, path: Path | None = None) -> None:
        self.header = header
        self.path = path
        self._memory: dict[str, list[NDArray[Any]]] = {}
        self._held = 0
        self._file: h5py.File | None = None
        self._pending: AbstractContextManager[Path] | None = None
        if path is not None:
            self._pending = written_whole(path)
            self._file = h5py.File(self._pending.__enter__(), "w")

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None or self._pending is None:
            return
        if kind is None:
            self._flush(self._file)
            self._file.attrs["schema"] = SCHEMA
            self._file.attrs["schema_version"] = SCHEMA_VERSION
            self._file.attrs["header"] = self.header.to_json()
        self._file.close()
        self._file = None
        self._pending.__exit__(kind, error, trace)

    def put(self, key: str, array: NDArray[Any]) -> None:
        """Append to an array along its first axis, making it when it is new.

        The array is kept for a while: it must not be written to again.
        """
        self._memory.setdefault(key, []).append(array)
        self._held += array.nbytes
        if self._file is not None and self._held >= HELD_BYTES:
            self._flush(self._file)

    def _flush(self, file: h5py.File) -> None:
        """Write what is held: every append compresses the last chunk anew, so few are made."""
        for key, blocks in self._memory.items():
            array = np.concatenate(blocks)
            if key not in file:
                file.create_dataset(
                    key,
                    data=array,
                    maxshape=(None, *array.shape[1:]),
                    chunks=(_chunk_rows(array), *array.shape[1:]),
                    compression="gzip",
                    compression_opts=1,
                    shuffle=True,
                )
            elif len(array):
                dataset = file[key]
                dataset.resize(len(dataset) + len(array), axis=0)
                dataset[-len(array) :] = array
        self._memory.clear()
        self._held = 0

    def finish(self, **changes: Any) -> None:
        """Set what is known only at the end: samples, seconds, warnings, measured."""
        self.header = replace(self.header, **changes)

    def recording(self) -> Recording:
        """The finished recording (a file's is opened again from disk)."""
        if self.path is not None:
            return Recording.load(self.path)
        arrays = {}
        for key in list(self._memory):  # taken out, so that memory never holds all of it twice
            blocks = self._memory.pop(key)
            arrays[key] = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return Recording(self.header, arrays)


def _chunk_rows(array: NDArray[Any]) -> int:
    """Rows per HDF5 chunk: about 256 KiB, so that one sample of one array reads fast."""
    row = max(1, array.itemsize * int(np.prod(array.shape[1:])))
    return max(1, (1 << 18) // row)
