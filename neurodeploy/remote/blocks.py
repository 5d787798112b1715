"""Finished samples of a job, kept as files until all are done, so that a second call goes on.

A block is a range of samples: ``START-STOP.npz`` with what was recorded, then ``START-STOP.json``
with its SHA-256 and what was measured. The second is written last, so a block without it, or one
that does not match it, is not there. ``START-STOP.home`` stands for a block that lies with whoever
sent the job: done, but not to be joined here.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError
from ..network import Network, Projection
from ..numpy_files import read_archive, write_archive
from ..recording import Header, RecordingWriter
from ..recording.assemble import BlockAssembler, Events, projection_header
from ..recording.learning import WEIGHTS, LearnedArrays, shapes_of
from ..recording.run_options import RunOptions, recorded_states
from .folder import BLOCKS, fresh

FOLDER = BLOCKS

HEADER = "header.json"
"""Header of the finished recording, where the blocks are joined elsewhere."""

LEARNED = "learned."
"""Starts the names of arrays of what synapses learned."""

NAME = re.compile(r"([0-9]{8,})-([0-9]{8,})")


@dataclass(frozen=True)
class Block:
    """Samples ``start`` to ``stop``, what was measured of them, and whether they lie here."""

    start: int
    stop: int
    measured: Mapping[str, Any]
    here: bool = True

    @property
    def name(self) -> str:
        """File name, without suffix."""
        return f"{self.start:08d}-{self.stop:08d}"


class Blocks:
    """The samples of a job that are done; used by a backend in its worker.

    Parameters
    ----------
    folder : Path
        The job folder, ``options.out.parent`` in a worker.
    network : Network
    options : RunOptions
        ``progress`` is called after each block; ``sent`` with each finished file.
    samples : int
        Of the whole job.

    Raises
    ------
    BackendError
        If the folder cannot be written to. Damaged blocks raise nothing: they are set aside as
        ``*.damaged`` and their samples are not done.
    """

    def __init__(self, folder: Path, network: Network, options: RunOptions, samples: int) -> None:
        self.job = folder
        self.folder = folder / FOLDER
        self.network = network
        self.options = options
        self.samples = samples
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        self._blocks = self._found()
        for block in self._blocks:
            self._tell(block)
        if options.progress is not None and self.done:
            options.progress(self.done, samples)

    @property
    def done(self) -> int:
        """How many samples are done."""
        return sum(block.stop - block.start for block in self._blocks)

    @property
    def measured(self) -> list[tuple[int, int, Mapping[str, Any]]]:
        """(start, stop, what was measured) of all blocks, in the order of samples."""
        return [(block.start, block.stop, block.measured) for block in self._blocks]

    def gaps(self) -> list[tuple[int, int]]:
        """Ranges of samples that are not done, as (start, stop)."""
        edges = [0, *(edge for b in self._blocks for edge in (b.start, b.stop)), self.samples]
        pairs = zip(edges[::2], edges[1::2], strict=True)
        return [(start, stop) for start, stop in pairs if stop > start]

    def missing(self, size: int) -> Iterator[tuple[int, int]]:
        """Ranges of at most `size` samples that were not done when this was called."""
        for first, end in self.gaps():
            for start in range(first, end, size):
                yield start, min(start + size, end)

    def add(
        self,
        start: int,
        spikes: Mapping[str, NDArray[Any]],
        states: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
        measured: Mapping[str, Any] | None = None,
        learned: LearnedArrays | None = None,
    ) -> None:
        """Keep a block of finished samples; nothing of the arrays is held on to.

        Parameters
        ----------
        start : int
            Its first sample.
        spikes, states : mapping
            As `BlockAssembler.add` takes them.
        measured : mapping, optional
            Figures of this block by name, as JSON has them.
        learned : mapping, optional
            Of a network that learns, as `BlockAssembler.add_events` takes it.

        Raises
        ------
        BackendError
            If it cannot be written.
        """
        arrays = self._arrays(spikes, states or {})
        for number, projection in enumerate(self.network.learning):
            for what, array in (learned or {}).get(projection.name, {}).items():
                arrays[f"{LEARNED}{number}.{what.replace('/', '.')}"] = array
        count = len(arrays["0.counts"])
        block = Block(start, start + count, dict(measured or {}))
        if not any(a <= start and block.stop <= b for a, b in self.gaps()):
            raise ValueError(f"samples {start}..{block.stop} are done, or not of this job")
        file = io.BytesIO()
        write_archive(file, arrays)
        data = file.getbuffer()
        record = {"sha256": hashlib.sha256(data).hexdigest(), "measured": block.measured}
        try:
            write_into_place(self.folder / f"{block.name}.npz", data)
            text = json.dumps(record, default=lambda number: number.item())
            write_into_place(self.folder / f"{block.name}.json", text.encode())
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        self._blocks = sorted([*self._blocks, block], key=lambda b: b.start)
        self._tell(block)
        if self.options.progress is not None:
            self.options.progress(self.done, self.samples)

    def join(self, header: Header, **changes: Any) -> None:
        """Put all blocks together as the recording, in the order of samples.

        Where the job came from elsewhere (``options.sent``) only the header goes back, and the
        blocks are joined there.

        Parameters
        ----------
        header : Header
        **changes
            What is known only now: seconds, measured, warnings.

        Raises
        ------
        BackendError
            If samples are missing, a block is damaged or the recording cannot be written.
        """
        if self.gaps():
            raise BackendError(
                f"{self.folder}: {self.done} of {self.samples} samples are done; run the job again"
            )
        header = replace(header, samples=self.samples, **changes)
        try:
            if self.options.sent is not None:
                write_into_place(self.job / HEADER, header.to_json().encode())
                self.options.sent(self.job / HEADER)
                return
            with RecordingWriter(header, self.job / "recording.h5") as writer:
                assembler = BlockAssembler(self.network, self.options, writer)
                for block in self._blocks:
                    assembler.add_events(*self._read(block))
        except OSError as error:
            raise _cannot_write(self.job, error) from error

    def _found(self) -> list[Block]:
        """Blocks in the folder that are sound; where two overlap, the earlier one."""
        for left in self.folder.glob("*.part"):
            left.unlink()
        found: list[Block] = []
        for path in sorted(self.folder.glob("*.home")) + sorted(self.folder.glob("*.json")):
            block = self._block_of(path)
            if block is not None and not any(
                block.start < other.stop and other.start < block.stop for other in found
            ):
                found.append(block)
        return sorted(found, key=lambda b: b.start)

    def _block_of(self, record: Path) -> Block | None:
        name = NAME.fullmatch(record.stem)
        if name is None or not 0 <= int(name[1]) < int(name[2]) <= self.samples:
            return None
        data = record.with_suffix(".npz")
        try:
            told = json.loads(record.read_text())
            block = Block(int(name[1]), int(name[2]), told["measured"], record.suffix != ".home")
            sound = not block.here or told["sha256"] == sha256_of(data)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            sound = False
        if sound:
            return block
        with suppress(OSError):  # the log may be on a full disk
            print(f"{data}: damaged; its samples run again", file=sys.stderr, flush=True)
        with suppress(FileNotFoundError):
            data.replace(data.with_suffix(".damaged"))
        record.unlink()
        return None

    def _tell(self, block: Block) -> None:
        if self.options.sent is not None and block.here:
            self.options.sent(self.folder / f"{block.name}.npz")
            self.options.sent(self.folder / f"{block.name}.json")

    def _arrays(
        self,
        spikes: Mapping[str, NDArray[Any]],
        states: Mapping[str, Mapping[str, NDArray[Any]]],
    ) -> dict[str, NDArray[Any]]:
        """What will be recorded of a block, by number of the population: names may hold slashes."""
        arrays: dict[str, NDArray[Any]] = {}
        for number, population in enumerate(self.network.populations):
            name = population.name
            events = Events.from_dense(spikes[name], population.neuron.graded)
            assert events.step_counts is not None
            arrays[f"{number}.step_counts"] = events.step_counts
            arrays[f"{number}.counts"] = events.counts
            if "spikes" in self.options.record or name == self.network.output.name:
                assert events.neuron is not None
                arrays[f"{number}.neuron"] = events.neuron
                if events.payload is not None:
                    arrays[f"{number}.payload"] = events.payload
            for state, values in states.get(name, {}).items():
                if state in self.options.record and state in population.neuron.states:
                    arrays[f"{number}.{state}"] = values
        return arrays

    def _read(
        self, block: Block
    ) -> tuple[dict[str, Events], dict[str, dict[str, NDArray[Any]]], LearnedArrays]:
        path = self.folder / f"{block.name}.npz"
        events, states = {}, {}
        learned: LearnedArrays = {}
        samples = block.stop - block.start
        numbers = ("int32", "float32")
        try:
            arrays = read_archive(path, error=BackendError, packed=False)
            for number, population in enumerate(self.network.populations):
                name, size, key = population.name, population.size, f"{number}."
                told = _checked(arrays, f"{key}step_counts", (samples, self.options.steps))
                counts = _checked(arrays, f"{key}counts", (samples, size), "int64")
                neuron = payload = None
                if f"{key}neuron" in arrays:
                    sent = (int(told.sum(dtype=np.int64)),)
                    neuron = _checked(arrays, f"{key}neuron", sent, below=size)
                    if f"{key}payload" in arrays:
                        payload = _checked(arrays, f"{key}payload", sent, *numbers, below=None)
                events[name] = Events(told, counts, neuron, payload)
                shape = (samples, self.options.steps, size)
                states[name] = {
                    state: _checked(arrays, f"{key}{state}", shape, *numbers, below=None)
                    for state in population.neuron.states
                    if f"{key}{state}" in arrays
                }
            for number, projection in enumerate(self.network.learning):
                learned[projection.name] = self._learned(arrays, number, projection, samples)
        except Exception as error:  # NumPy raises what it likes of a damaged file
            raise BackendError(
                f"{path}: damaged ({str(error) or type(error).__name__}); delete it and run the "
                f"job again"
            ) from error
        return events, states, learned

    def _learned(
        self,
        arrays: Mapping[str, NDArray[Any]],
        number: int,
        projection: Projection,
        samples: int,
    ) -> dict[str, NDArray[Any]]:
        """What a projection learned in a block, of the shapes that it must have."""
        header = projection_header(projection)
        targets, sources = (self.network[e].size for e in (projection.target, projection.source))
        across = self.options.learn_across_samples
        found = {}
        for what, shape in shapes_of(header, samples, self.options.steps, sources, targets).items():
            key = f"{LEARNED}{number}.{what.replace('/', '.')}"
            if key in arrays:
                last = across and what.startswith("learned/")
                shape = (1, *shape[1:]) if last else shape
                found[what] = _checked(arrays, key, shape, "int16", below=None)
        return found


def _checked(
    arrays: Mapping[str, NDArray[Any]],
    key: str,
    shape: tuple[int, ...],
    *kinds: str,
    below: int | None = 1 << 62,
) -> NDArray[Any]:
    """Give an array of a block if it has this shape and kind, and its numbers are 0..`below`."""
    array = arrays[key]
    if array.shape != shape or array.dtype.name not in (kinds or ("int32",)):
        raise ValueError(f"{key} is {array.dtype} {array.shape}, not of this job's {shape}")
    if below is not None and array.size and not 0 <= array.min() <= array.max() < below:
        raise ValueError(f"{key} goes from {array.min()} to {array.max()}, not 0 to {below - 1}")
    return array


def samples_done(job: Path) -> int:
    """How many samples of a job folder are done, told by file names alone."""
    names = (NAME.fullmatch(path.stem) for path in (job / FOLDER).glob("*.json"))
    done = (n for n in names if n and (job / FOLDER / f"{n[0]}.npz").is_file())
    return sum(int(name[2]) - int(name[1]) for name in done)


def largest_block_bytes(network: Network, options: RunOptions, samples: int) -> int:
    """Bytes that the file of a block of `samples` can take at most."""
    states = len(recorded_states(network, options))
    neurons = sum(population.size for population in network.populations)
    learned_bytes = 0
    for projection in network.learning:
        assert projection.rule is not None
        ends = network[projection.target].size, network[projection.source].size
        epochs = (options.steps // projection.rule.epoch) if WEIGHTS in options.record else 0
        learned = 6 * (1 + epochs) * ends[0] * ends[1] + 6 * epochs * sum(ends)
        learned_bytes += samples * learned + 2048 * 11
    at_most = samples * (neurons * (options.steps * (8 + 4 * states) + 8))
    headers = 2048 * len(network.populations) * 6 + learned_bytes
    return at_most + 4 * samples * options.steps * len(network.populations) + headers


def write_into_place(path: Path, data: bytes | memoryview) -> None:
    """Write a file so that it is whole, on disk too, when its name appears."""
    part = path.with_name(f"{path.name}.part")
    try:
        with fresh(part) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _cannot_write(where: Path, error: OSError) -> BackendError:
    reason = error.strerror or str(error).strip().split("\n")[0]
    return BackendError(
        f"{where}: cannot write there ({reason}); free space there, or take another folder (--job)"
    )
