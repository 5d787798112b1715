"""Recording: what one run of one backend recorded, in memory or in an HDF5 file.

File layout, schema ``neurodeploy.recording`` version 1. The root's attributes
``schema``, ``schema_version`` and ``header`` (JSON, see `Header`) come first;
then, every array with samples along axis 0 unless said otherwise::

    populations/<name>/counts        int64 [samples, *shape]   messages sent by each neuron
    populations/<name>/event_counts  int32 [samples, steps]    messages sent in each step
    populations/<name>/neuron        int32 [events]            who sent, flat in (C, H, W) order
    populations/<name>/payload       int32 [events]            what; absent where all are 1
    populations/<name>/u, v          int32 [samples, steps, *shape]
    populations/<name>/axon_delay    int32 [neurons]           where messages leave late
    populations/<name>/u_overflows, v_overflows, input_overflows   int64 [samples]
    projections/<source>-><target>/synops, dense_synops      int64 [samples]

Events are sorted by sample and step, not within a step. Events of the last
population are always there; they are the run's output.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from .errors import RecordingError
from .files import written_whole

SCHEMA = "neurodeploy.recording"
SCHEMA_VERSION = 1
OVERFLOWS = ("u_overflows", "v_overflows", "input_overflows")
STATES = ("u", "v")

IntArray = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class PopulationHeader:
    """What a recording must know of a population to be read without its network.

    Attributes
    ----------
    name : str
    shape : tuple of int
    hops : int
        Steps by which the population lags the input.
    neuron : str
        The neuron model's ``kind``.
    graded : bool
        Whether messages carry payloads.
    on_chip : bool
        False for inputs that are merely sent in and for readouts of the host.
    """

    name: str
    shape: tuple[int, ...]
    hops: int
    neuron: str
    graded: bool
    on_chip: bool

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class ProjectionHeader:
    """Source, target and operator of a projection."""

    source: str
    target: str
    synapse: str

    @property
    def name(self) -> str:
        """``source->target``."""
        return f"{self.source}->{self.target}"


@dataclass(frozen=True)
class Header:
    """Everything about a run that is not an array.

    Attributes
    ----------
    backend, backend_version : str
    network, inputs : str
        SHA-256 of the network (`Network.fingerprint`) and of the inputs.
    steps : int
        Chip time steps that each sample ran for.
    record : tuple of str
        What was asked for: of counts, spikes, u, v.
    populations, projections : tuple
    samples : int
    seconds : float
        Wall-clock time of the run, without loading and compiling.
    reset_interval : int or None
        Set if samples ran back to back with resets on the chip clock.
    measured : mapping
        Figures read from meters, by name with unit; empty where there is no meter.
    warnings : tuple of str
        What the user should know of this run.
    """

    backend: str
    backend_version: str
    network: str
    inputs: str
    steps: int
    record: tuple[str, ...]
    populations: tuple[PopulationHeader, ...]
    projections: tuple[ProjectionHeader, ...] = ()
    samples: int = 0
    seconds: float = 0.0
    reset_interval: int | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The header as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Header:
        """Read a header that `to_json` wrote; unknown fields are an error."""
        raw = json.loads(text)
        raw["populations"] = tuple(
            PopulationHeader(**{**p, "shape": tuple(p["shape"])}) for p in raw["populations"]
        )
        raw["projections"] = tuple(ProjectionHeader(**p) for p in raw["projections"])
        raw["record"] = tuple(raw["record"])
        raw["warnings"] = tuple(raw["warnings"])
        return cls(**raw)


class Arrays(Protocol):
    """Arrays by name, in memory or read from a file when asked for."""

    def __contains__(self, key: object) -> bool: ...

    def __getitem__(self, key: str) -> Any: ...

    def __iter__(self) -> Iterator[str]: ...


class FileArrays:
    """The arrays of an HDF5 recording, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path, "r")

    def __contains__(self, key: object) -> bool:
        return key in self._file

    def __getitem__(self, key: str) -> Any:
        return self._file[key]

    def __iter__(self) -> Iterator[str]:
        names: list[str] = []
        self._file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
        return iter(names)


@dataclass(frozen=True)
class PopulationRecord:
    """What was recorded of one population.

    Attributes
    ----------
    header : PopulationHeader
    """

    header: PopulationHeader
    steps: int
    _arrays: Arrays

    def has(self, what: str) -> bool:
        """Whether `what` (counts, spikes, u, v) was recorded here."""
        return self._key("neuron" if what == "spikes" else what) in self._arrays

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64 [samples, *shape]: messages that each neuron sent."""
        return np.asarray(self._get("counts")[:])

    @property
    def spikes(self) -> NDArray[np.int32]:
        """int32 [samples, steps, *shape]: payload sent (1 for a plain spike), 0 for none."""
        return self.spikes_of(0, self._samples)

    @property
    def u(self) -> NDArray[np.int32]:
        """int32 [samples, steps, *shape]: u after each step (sigma in sigma-delta models)."""
        return np.asarray(self._get("u")[:])

    @property
    def v(self) -> NDArray[np.int32]:
        """int32 [samples, steps, *shape]: v after each step (activation in sigma-delta models)."""
        return np.asarray(self._get("v")[:])

    @property
    def axon_delay(self) -> NDArray[np.int32] | None:
        """int32 [neurons]: delay of each neuron's messages, or None where there is none."""
        key = self._key("axon_delay")
        return np.asarray(self._arrays[key][:]) if key in self._arrays else None

    @property
    def step_counts(self) -> NDArray[np.int32]:
        """int32 [samples, steps]: messages sent in each step."""
        return np.asarray(self._get("event_counts")[:])

    def events_of(self, start: int, stop: int) -> tuple[IntArray, IntArray, IntArray]:
        """Events of samples start..stop: (s - start) * steps + t, neuron and payload of each."""
        counts = np.asarray(self._get("event_counts")[:stop], dtype=np.int64)
        first, last = int(counts[:start].sum()), int(counts.sum())
        neuron = np.asarray(self._get("neuron")[first:last])
        key = self._key("payload")
        payload = (
            np.asarray(self._arrays[key][first:last])
            if key in self._arrays
            else np.ones(len(neuron), np.int32)
        )
        where = np.repeat(np.arange(counts[start:].size), counts[start:].ravel())
        return where, neuron, payload

    def spikes_of(self, start: int, stop: int) -> NDArray[np.int32]:
        """As `spikes`, of samples start..stop only."""
        where, neuron, payload = self.events_of(start, stop)
        dense = np.zeros(((stop - start) * self.steps, self.header.size), np.int32)
        dense[where, neuron] = payload
        return dense.reshape(stop - start, self.steps, *self.header.shape)

    def state_of(self, name: str, start: int, stop: int) -> NDArray[np.int32]:
        """U or v of samples start..stop."""
        return np.asarray(self._get(name)[start:stop])

    def overflows(self) -> dict[str, int]:
        """How often a state wrapped or saturated, summed over samples; silicon may differ there."""
        keys = {name: self._key(name) for name in OVERFLOWS}
        return {n: int(self._arrays[k][:].sum()) for n, k in keys.items() if k in self._arrays}

    @property
    def _samples(self) -> int:
        return int(self._get("event_counts").shape[0])

    def _key(self, what: str) -> str:
        return f"populations/{self.header.name}/{what}"

    def _get(self, what: str) -> Any:
        key = self._key(what)
        if key not in self._arrays:
            asked = {"event_counts": "spikes", "neuron": "spikes"}.get(what, what)
            raise RecordingError(
                f"population {self.header.name!r}: {asked} was not recorded; run again with "
                f'record=(..., "{asked}") or --record ...,{asked}'
            )
        return self._arrays[key]


@dataclass(frozen=True)
class Recording:
    """What one run recorded. Index it by population name.

    Attributes
    ----------
    header : Header
    """

    header: Header
    arrays: Arrays

    def __getitem__(self, name: str) -> PopulationRecord:
        for population in self.header.populations:
            if population.name == name:
                return PopulationRecord(population, self.header.steps, self.arrays)
        raise RecordingError(
            f"no population {name!r} in this recording; there are {', '.join(self.names)}"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all populations, input first, output last."""
        return tuple(p.name for p in self.header.populations)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.header.samples

    @property
    def steps(self) -> int:
        """Chip time steps that each sample ran for."""
        return self.header.steps

    @property
    def output(self) -> NDArray[np.int32]:
        """int32 [samples, steps, *shape of the last population], on the chip clock."""
        return self[self.names[-1]].spikes

    def synops(self, dense: bool = False) -> dict[str, NDArray[np.int64]]:
        """Synaptic operations per projection, int64 [samples].

        Parameters
        ----------
        dense : bool
            Count zero weights too, as hardware without sparse synapses would.
        """
        what = "dense_synops" if dense else "synops"
        keys = {p.name: f"projections/{p.name}/{what}" for p in self.header.projections}
        return {n: np.asarray(self.arrays[k][:]) for n, k in keys.items() if k in self.arrays}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an HDF5 file; it appears under its name only once it is whole."""
        with RecordingWriter(self.header, Path(path)) as writer:
            for key in self.arrays:
                writer.put(key, np.asarray(self.arrays[key][:]))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recording:
        """Open a recording; arrays are read when they are asked for.

        Raises
        ------
        RecordingError
            If the file is missing, cut short, no recording, or of a newer schema.
        """
        path = Path(path)
        if not path.is_file():
            raise RecordingError(f"{path}: no such file; give the path of a recording (.h5)")
        try:
            arrays = FileArrays(path)
            attributes = dict(arrays._file.attrs)
        except OSError as error:
            raise RecordingError(
                f"{path}: not a readable HDF5 file ({_first_line(error)}); record it again"
            ) from error
        if attributes.get("schema") != SCHEMA:
            raise RecordingError(
                f"{path}: HDF5, but not a recording (no schema {SCHEMA!r}); "
                f"give a file that `neurodeploy run` wrote"
            )
        version = int(attributes.get("schema_version", 0))
        if version > SCHEMA_VERSION:
            raise RecordingError(
                f"{path}: recording schema {version}, this neurodeploy reads up to "
                f"{SCHEMA_VERSION}; update neurodeploy"
            )
        try:
            header = Header.from_json(str(attributes["header"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RecordingError(f"{path}: the recording's header is broken ({error!r})") from error
        return cls(header, arrays)


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
            self._file.attrs["schema"] = SCHEMA
            self._file.attrs["schema_version"] = SCHEMA_VERSION
            self._file.attrs["header"] = self.header.to_json()
        self._file.close()
        self._file = None
        self._pending.__exit__(kind, error, trace)

    def put(self, key: str, array: NDArray[Any]) -> None:
        """Append to an array along its first axis, making it when it is new."""
        if self._file is None:
            self._memory.setdefault(key, []).append(array)
        elif key not in self._file:
            self._file.create_dataset(
                key,
                data=array,
                maxshape=(None, *array.shape[1:]),
                chunks=(_chunk_rows(array), *array.shape[1:]),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
        elif len(array):
            dataset = self._file[key]
            dataset.resize(len(dataset) + len(array), axis=0)
            dataset[-len(array) :] = array

    def finish(self, **changes: Any) -> None:
        """Set what is known only at the end: samples, seconds, warnings, measured."""
        self.header = replace(self.header, **changes)

    def recording(self) -> Recording:
        """The finished recording (a file's is opened again from disk)."""
        if self.path is not None:
            return Recording.load(self.path)
        arrays = {
            key: blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
            for key, blocks in self._memory.items()
        }
        return Recording(self.header, arrays)


def _chunk_rows(array: NDArray[Any]) -> int:
    """Rows per HDF5 chunk: about 256 KiB, so that one sample of one array reads fast."""
    row = max(1, array.itemsize * int(np.prod(array.shape[1:])))
    return max(1, (1 << 18) // row)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
