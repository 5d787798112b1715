"""A whole recording, in memory or in its file, and how it gets there block by block."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..display import Shown, as_frame, columns, listed
from ..errors import InputError, NetworkError, RecordingError
from ..files import damaged, written_whole
from ..hdf5 import written_hdf5
from ..inputs import present
from ..network import Network
from ..numbers import si
from .decisions import Readout, check_classes, check_decides, check_labels, decide, readouts
from .header import SCHEMA, SCHEMA_VERSION, Header
from .joining import joined_arrays, joined_header
from .labelled import to_dataset
from .learning import LearningRecord, network_of, with_weights
from .own_arrays import arrays_of
from .population import Arrays, PopulationRecord
from .stored import CURE, FileArrays

HELD_BYTES = 1 << 24
"""Held in memory before it goes to the file."""


@dataclass(frozen=True)
class Recording(Shown):
    """What one run recorded. Index it by population name.

    Attributes
    ----------
    header : Header

    Examples
    --------
    >>> rec = nd.run(net, inputs, record=("counts", "spikes", "v"))
    >>> rec.samples, rec.steps, rec.names
    (20, 16, ('input', '0_dense', '1_dense'))
    >>> rec["1_dense"].counts.shape
    (20, 10)
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

    def __len__(self) -> int:
        return len(self.header.populations)

    def __iter__(self) -> Iterator[PopulationRecord]:
        return (self[name] for name in self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __repr__(self) -> str:
        header = self.header
        rows = [
            (
                record.header.name,
                record.header.neuron,
                "x".join(map(str, record.header.shape)),
                ", ".join(record.recorded) or "nothing recorded",
            )
            for record in self
        ]
        warned = f"; {len(header.warnings)} warnings, see header.warnings"
        return listed(
            f"Recording of {header.backend}: {self.samples:,} samples x {self.steps:,} steps of "
            f"{len(self)} populations, in {si(header.seconds, 's')}",
            columns(rows),
            f"network {header.network[:16]}, inputs {header.inputs[:16]}"
            + warned * bool(header.warnings),
            what="more populations",
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
    def output(self) -> NDArray[Any]:
        """int32 [samples, steps, *shape of the last population], on the chip clock.

        float32, on the framework's clock, where a float network's readout sends numbers.
        """
        return self[self.names[-1]].spikes

    def decisions(
        self, by: str | None = None, window: tuple[int, int] | None = None
    ) -> NDArray[np.int64]:
        """What the run decides: the output neuron with the most, int64 [samples].

        Parameters
        ----------
        by : str, optional
            What counts, see `Readout`. By default the messages (payloads added up) over all
            steps; where the output population sent none in the whole run, the sum of v.
        window : (int, int), optional
            The chip steps that count, from the first to before the second. Of equals the
            lowest index decides.

        Returns
        -------
        int64 [samples]
            Index of an output neuron, in (C, H, W) order.

        Raises
        ------
        InputError
            If there is no such rule, or the window ends after the run.
        RecordingError
            If there is one output neuron, or nothing that decides was recorded.

        Examples
        --------
        >>> rec.decisions()[:5].tolist()
        [0, 0, 1, 1, 2]
        """
        output = self[self.names[-1]]
        check_decides(output)
        readout = Readout(by, window)
        span = None if window is None else readout.steps(self.steps)
        return decide(readouts(output, readout.rule(output), 0, self.samples, span))[0]

    def accuracy(
        self,
        labels: NDArray[Any] | Sequence[int],
        by: str | None = None,
        window: tuple[int, int] | None = None,
    ) -> float:
        """Share of samples whose decision is the label, 0..1.

        Parameters
        ----------
        labels : int [samples]
            The right class of each sample: the index of an output neuron.
        by, window
            As `decisions` takes them.

        Returns
        -------
        float

        Raises
        ------
        InputError
            If there are more or fewer labels than samples, or some no output stands for.
        RecordingError
            As `decisions`.

        Examples
        --------
        >>> rec.accuracy(labels)
        1.0
        """
        truth = check_labels(labels, self.samples)
        if len(np.asarray(labels)) != self.samples or not self.samples:
            raise InputError(
                f"labels: {len(np.asarray(labels))} for {self.samples} samples; give one for each"
            )
        check_classes(truth, self[self.names[-1]])
        return float((self.decisions(by, window) == truth).mean())

    def synops(self, dense: bool = False) -> dict[str, NDArray[np.int64]]:
        """Synaptic operations per projection, int64 [samples].

        Parameters
        ----------
        dense : bool
            Count zero weights too, as hardware without sparse synapses would.

        Returns
        -------
        dict of str to int64 [samples]
            By the name of the projection; empty where the backend counts none.

        Examples
        --------
        >>> {name: int(each.sum()) for name, each in rec.synops().items()}
        {'input->0_dense': 382761, '0_dense->1_dense': 14554}
        """
        what = "dense_synops" if dense else "synops"
        keys = {p.name: f"projections/{p.name}/{what}" for p in self.header.projections}
        return {n: np.asarray(self.arrays[k][:]) for n, k in keys.items() if k in self.arrays}

    def learning(self, projection: str) -> LearningRecord:
        """What a projection learned.

        Parameters
        ----------
        projection : str
            Its name, ``source->target``.

        Returns
        -------
        LearningRecord
            Weights and tags, after each epoch where they were recorded.

        Raises
        ------
        RecordingError
            If there is none of this name that learns.

        Examples
        --------
        >>> rec.learning("input->output").after()  # doctest: +SKIP
        """
        names = [p.name for p in self.header.projections if p.epoch]
        for header in self.header.projections:
            if header.name == projection and header.epoch:
                return LearningRecord(header, self.arrays)
        raise RecordingError(
            f"projection {projection!r}: none that learns in this recording; there are "
            f"{', '.join(names) or 'none'}"
        )

    def learned(self, sample: int = -1) -> Network:
        """Give the network with the weights that a sample left, by default the last one.

        Its rules stay: it goes on learning where it is run.

        Parameters
        ----------
        sample : int
            Whose weights; negative ones count from the last.

        Returns
        -------
        Network

        Raises
        ------
        RecordingError
            If nothing learned, or there is no such sample. Where samples learned one after the
            other, the last is the only one.

        Examples
        --------
        >>> nd.save(rec.learned(), "taught.net")  # doctest: +SKIP
        """
        network = network_of(self.arrays, self.header.network)
        weights = {}
        for projection in network.learning:
            after = self.learning(projection.name).after()
            if not -len(after) <= sample < len(after):
                raise RecordingError(
                    f"sample {sample}: what it learned is not there; there are {len(after)}"
                )
            weights[projection.name] = after[sample]
        return with_weights(network, weights)

    def weights_clipped(self) -> dict[str, int]:
        """How many weights of each projection the conversion clipped; silicon holds no more.

        Returns
        -------
        dict of str to int
            By the name of the projection.

        Examples
        --------
        >>> rec.weights_clipped()
        {'input->0_dense': 0, '0_dense->1_dense': 0}
        """
        keys = {p.name: f"projections/{p.name}/weights_clipped" for p in self.header.projections}
        return {n: int(self.arrays[k][0]) for n, k in keys.items() if k in self.arrays}

    def to_pandas(self) -> Any:
        """Give the messages of each population in each sample as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each sample and population: ``sample``, ``population``, ``messages``.

        Raises
        ------
        InputError
            If pandas is not installed (extra ``tables``).

        Examples
        --------
        >>> rec.to_pandas()  # doctest: +SKIP
        """
        rows = [
            {"sample": sample, "population": record.header.name, "messages": int(messages)}
            for record in self
            if {"counts", "spikes"} & set(record.recorded)
            for sample, messages in enumerate(_messages(record))
        ]
        return as_frame(rows)

    def to_xarray(self) -> Any:
        """Give all that was recorded as arrays with named axes.

        Returns
        -------
        xarray.Dataset
            A variable ``population/what`` for each of counts, spikes and states, over ``sample``,
            ``step`` (the chip clock) and the population's own axes: ``population/neuron``, or
            ``/channel``, ``/y`` and ``/x``. All of it is read into memory.

        Raises
        ------
        InputError
            If xarray is not installed (extra ``tables``).

        Examples
        --------
        >>> rec.to_xarray()["1_dense/counts"].sum("sample")  # doctest: +SKIP
        """
        return to_dataset(list(self), self.header)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an HDF5 file; it appears under its name only once it is whole.

        Parameters
        ----------
        path : path
            Of an HDF5 file, ``.h5`` by custom.

        Raises
        ------
        FormatError
            If nothing can be written there.

        Examples
        --------
        >>> rec.save("rec.h5")
        >>> nd.Recording.load("rec.h5").samples
        20
        """
        with RecordingWriter(self.header, Path(path)) as writer:
            for key in self.arrays:
                writer.put(key, np.asarray(self.arrays[key][:]))

    @classmethod
    def join(
        cls,
        recordings: Sequence[Recording],
        out: str | os.PathLike[str] | None = None,
        network: Network | None = None,
        inputs: NDArray[Any] | None = None,
    ) -> Recording:
        """Put recordings of one network one behind the other: their samples become one run's.

        Parameters
        ----------
        recordings : sequence of Recording
            Of the same network, backend, steps and record, in the order of their samples.
        out : path, optional
            Stream the joined recording to this file, in memory that does not grow.
        network : Network, optional
        inputs : array [samples, steps, *shape], optional
            What all of them were given together, as `neurodeploy.run` takes it. With both, the
            joined recording says of its inputs what a single run on them says, and can be
            compared with it. Without, it can be compared with recordings that were cut and
            joined in the same way.

        Returns
        -------
        Recording
            Of all samples; opened from `out`, where that is given.

        Raises
        ------
        RecordingError
            If they were not run in the same way; names the first one and what differs.
        InputError
            If the inputs do not fit the network, or are not those of so many samples.

        Examples
        --------
        >>> parts = [nd.Recording.load("a.h5"), nd.Recording.load("b.h5")]
        >>> nd.Recording.join(parts, out="c.h5").samples
        40
        """
        header = joined_header([recording.header for recording in recordings])
        if network is not None and inputs is not None:
            values = present(network, inputs, header.steps)
            if len(values) != header.samples:
                raise InputError(
                    f"inputs: {len(values)} samples, the recordings hold {header.samples}; give "
                    f"what all of them were given"
                )
            header = replace(header, inputs=values.fingerprint())
        with RecordingWriter(header, None if out is None else Path(out)) as writer:
            for key, array in joined_arrays([recording.arrays for recording in recordings]):
                writer.put(key, array)
        return writer.recording()

    @classmethod
    def from_arrays(
        cls,
        network: Network,
        spikes: Mapping[str, NDArray[Any]],
        states: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
        *,
        inputs: NDArray[Any] | None = None,
        clock: str = "chip",
        backend: str = "own arrays",
        seconds: float = 0.0,
    ) -> Recording:
        """Make a recording of arrays that a script of one's own recorded.

        Parameters
        ----------
        network : Network
            That ran, or one with populations of these names and shapes.
        spikes : mapping of population name to array [samples, steps, *shape]
            0 and 1, or payloads. Populations that are left out are not in the recording.
        states : mapping of population name to mapping of state to array, optional
            Such as ``{"out": {"v": v}}``, after each step.
        inputs : array, optional
            What was presented, so that recordings of other inputs are told apart.
        clock : {"chip", "framework"}
            On the chip's clock each population lags by its hops. Frameworks run all layers
            in one step: their arrays are moved to the chip's clock.
        backend : str
            What comparisons call this side.
        seconds : float
            Wall-clock time of the run.

        Returns
        -------
        Recording
            In memory, on the chip's clock.

        Raises
        ------
        InputError
            If names, shapes or values do not fit the network.

        Examples
        --------
        >>> mine = nd.Recording.from_arrays(net, {"1_dense": spikes}, inputs=inputs)
        >>> nd.compare(mine, nd.run(net, inputs, record=("spikes",))).equal
        True
        """
        return cls(*arrays_of(network, spikes, states or {}, inputs, clock, backend, seconds))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Recording:
        """Open a recording; arrays are read when they are asked for.

        Parameters
        ----------
        path : path
            A file that `save` or `neurodeploy run` wrote.

        Returns
        -------
        Recording

        Raises
        ------
        RecordingError
            If the file is missing, cut short, no recording, or of a newer schema.

        Examples
        --------
        >>> nd.Recording.load("a.h5").names
        ('input', '0_dense', '1_dense')
        """
        path = Path(path)
        if not path.is_file():
            raise RecordingError(f"{path}: no such file; give the path of a recording (.h5)")
        arrays = FileArrays(path)
        attributes = arrays.attributes
        if not _is_word(attributes.get("schema"), SCHEMA):
            raise RecordingError(
                f"{path}: HDF5, but not a recording (no schema {SCHEMA!r}); "
                f"give a file that `neurodeploy run` wrote"
            )
        with damaged(f"{path}: the recording's header", RecordingError, CURE):
            version = int(attributes.get("schema_version", 0))
        if version > SCHEMA_VERSION:
            raise RecordingError(
                f"{path}: recording schema {version}, this neurodeploy reads up to "
                f"{SCHEMA_VERSION}; update neurodeploy"
            )
        try:
            with damaged(f"{path}: the recording's header", RecordingError, CURE):
                header = Header.from_json(str(attributes["header"]))
        except NetworkError as error:  # of a population's name
            raise RecordingError(f"{path}: the recording's header: {error}") from error
        arrays.check(header)
        return cls(header, arrays)


def _messages(record: PopulationRecord) -> NDArray[np.int64]:
    """Messages of each sample."""
    sent = record.counts if record.has("counts") else record.step_counts
    found: NDArray[np.int64] = sent.reshape(len(sent), -1).sum(axis=1, dtype=np.int64)
    return found


def _is_word(value: Any, word: str) -> bool:
    return isinstance(value, str) and value == word


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
        self._blocks: list[Mapping[str, NDArray[Any]]] = []
        self._held = 0
        self._file: h5py.File | None = None
        self._open = ExitStack()
        if path is not None:
            part = self._open.enter_context(written_whole(path))
            self._file = self._open.enter_context(written_hdf5(part))

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        file, self._file = self._file, None
        with self._open:
            if error is not None:
                raise error
            if file is not None:
                self._flush(file)
                file.attrs["schema"] = SCHEMA
                file.attrs["schema_version"] = SCHEMA_VERSION
                file.attrs["header"] = self.header.to_json()

    def put(self, key: str, array: NDArray[Any]) -> None:
        """Append to an array along its first axis, making it when it is new.

        The array is kept for a while: it must not be written to again.
        """
        self._memory.setdefault(key, []).append(array)
        self._held += array.nbytes
        if self._file is not None and self._held >= HELD_BYTES:
            self._flush(self._file)

    def put_block(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Append a block of samples: to a file at once, else when the recording is asked for."""
        if self._file is None:
            self._blocks.append(block)
            return
        for key, array in block.items():
            self.put(key, array)

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
        self.header = Header(**{**vars(self.header), **changes})

    def recording(self) -> Recording:
        """The finished recording (a file's is opened again from disk)."""
        if self.path is not None:
            return Recording.load(self.path)
        if len(self._blocks) == 1 and not self._memory:
            return Recording(self.header, self._blocks[0])
        while self._blocks:
            for key, array in self._blocks.pop(0).items():
                self.put(key, array)
        arrays = {}
        for key in list(self._memory):  # taken out, so that memory never holds all of it twice
            blocks = self._memory.pop(key)
            arrays[key] = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return Recording(self.header, arrays)


def _chunk_rows(array: NDArray[Any]) -> int:
    """Rows per HDF5 chunk: about 256 KiB, so that one sample of one array reads fast."""
    row = max(1, array.itemsize * int(np.prod(array.shape[1:])))
    return max(1, (1 << 18) // row)
