"""A data set in, scores out: shard by shard, here or on many machines."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..backends import BACKENDS, run, runs_in_worker
from ..chip import Placement
from ..errors import ChipWarning, InputError, RecordingError
from ..files import check_place
from ..inputs import as_samples, draining_steps, present
from ..inputs.data_sets import ArraySet, BatchSet, Block, DataSet, FileSet, as_data_set
from ..network import Network
from ..profiling import profile
from ..recording import Recording
from ..recording.decisions import Readout
from ..recording.run_options import Progress
from .evaluation import Evaluation
from .schedulers import crew_of
from .tallies import Tally, count_events, count_votes, fit_values

SHARD_BYTES = 1 << 26
"""Inputs and voltages of a shard, about."""

MOST_SAMPLES, MOST_IN_WORKERS = 4096, 64
"""Samples of a shard: of backends in this process, and of those that start a worker for each."""

SHARD = "shard-{:06d}.h5"


@dataclass(frozen=True)
class Piece:
    """What one shard is read from.

    Attributes
    ----------
    number : int
    start, stop : int
        In the data set that was carried to the worker, or in `data`.
    data : DataSet or None
        The shard's own samples, where the data set did not travel.
    """

    number: int
    start: int
    stop: int
    data: DataSet | None = None


@dataclass(frozen=True)
class Task:
    """All that a worker needs to do a shard; it travels once, a `Piece` for each shard.

    Attributes
    ----------
    network : Network
    data : DataSet or None
        None where pieces carry their samples.
    readout : Readout
    unit : float
    chip, placement
        As `profile` takes them; a chip of None prices nothing.
    how : mapping
        Of `run`.
    folder : Path or None
        Where recordings of shards are kept.
    """

    network: Network
    data: DataSet | None
    readout: Readout
    unit: float
    chip: str | None
    placement: Placement | None
    how: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def __call__(self, piece: Piece) -> Tally:
        """Run a shard, or take what is there of it, and count."""
        data = piece.data or self.data
        assert data is not None
        block = data.read(piece.start, piece.stop)
        recording = self._recording(piece.number, block)
        votes = fit = None
        output = recording[recording.names[-1]]
        labels = block.labels
        if labels is not None and _are_values(labels):
            fit = fit_values(recording, self.readout, labels, self.unit)
        elif labels is not None or output.header.size > 1:
            votes = count_votes(output, self.readout, recording.samples, labels)
        messages, synops = count_events(recording)
        price = None if self.chip is None else profile(recording, self.chip, self.placement)
        header = recording.header
        return Tally(
            recording.samples,
            recording.steps,
            header.seconds,
            votes,
            fit,
            messages,
            synops,
            price,
            header.warnings,
        )

    def _recording(self, number: int, block: Block) -> Recording:
        """Run samples, unless these were run with the same network before."""
        inputs = as_samples(self.network, block.inputs)
        how = dict(self.how)
        if how.pop("drain"):
            how["steps"] = draining_steps(self.network, inputs)
        out = None if self.folder is None else self.folder / SHARD.format(number)
        if out is not None and out.exists():
            done = Recording.load(out)
            if self._is_of(done, inputs, how):
                return done
        with warnings.catch_warnings():
            # The recording's header says so too, and the evaluation says it once.
            warnings.simplefilter("ignore", ChipWarning)
            return run(self.network, inputs, out=out, **how)

    def _is_of(self, done: Recording, inputs: NDArray[Any], how: dict[str, Any]) -> bool:
        """Whether a recording is what this run would give.

        Raises
        ------
        RecordingError
            If it is of another network, backend or number of steps.
        """
        values = present(self.network, inputs, how["steps"], how["apply_transform"])
        header = done.header
        asked = {n: how[n] for n in ("backend", "reset_interval", "reset_offset")}
        asked |= {"network": self.network.fingerprint, "steps": values.steps}
        for name, value in asked.items():
            if getattr(header, name) != value:
                raise RecordingError(
                    f"{self.folder}: holds shards of another {name} ({getattr(header, name)}, now "
                    f"{value}); give another folder, or remove this one"
                )
        if header.inputs != values.fingerprint():
            raise RecordingError(
                f"{self.folder}: holds shards of other inputs, or cut otherwise; give another "
                f"folder, or remove this one"
            )
        return set(how["record"]) <= set(header.record)


def evaluate(
    network: Network,
    inputs: Any,
    labels: Any = None,
    *,
    backend: str = "engine",
    scheduler: Any = None,
    by: str | None = None,
    window: tuple[int, int] | None = None,
    unit: float = 1.0,
    chip: str | None = "loihi2",
    placement: Placement | None = None,
    axes: str | None = None,
    bin: str | None = None,
    steps: int | None = None,
    drain: bool = False,
    apply_transform: bool = True,
    reset_interval: int | None = None,
    reset_offset: int = 0,
    record: tuple[str, ...] = ("counts",),
    out: str | Path | None = None,
    shard: int | None = None,
    threads: int | None = None,
    place: str | None = None,
    board_settings: dict[str, Any] | None = None,
    timeout_seconds: float | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Evaluation:
    """Run a network on a data set and score it, in memory that does not grow with the samples.

    The data set is cut into shards, always in the same way; their tallies are added in order.
    So the result is the same to the bit, whoever runs the shards.

    Parameters
    ----------
    network : Network
    inputs : array, path, data set or iterable
        See `inputs.data_sets.as_data_set`.
    labels : array [samples], [samples, outputs] or [samples, steps, outputs], optional
        Whole numbers [samples] are classes. Others are values wanted: of the score of each
        output, or of its output in each step, `hops` later. Without labels, decisions, messages
        and energy are counted.
    backend : str
        What runs each shard, see `run`.
    scheduler : str, object or None
        ``threads:N``: this process. ``processes:N``: so many on this machine. The address of a
        Dask scheduler, or a `distributed.Client` or cluster. None: this process, all cores.
    by, window
        What a decision hangs on, see `Readout`. By default the messages; v where the output
        population is a readout that sends none.
    unit : float
        What one unit of the output is worth in units of the values wanted.
    chip : str or None
        Whose energy is estimated, see `profile`; None for none.
    placement : Placement, optional
        Of the network, as `fit` makes it.
    bin : str, optional
        How events become steps, such as ``1ms:downsample=2``, see `inputs.events.read_binning`.
    axes, steps, drain, apply_transform, reset_interval, reset_offset
        As `run` takes them.
    record : tuple of str
        What the kept recordings hold; see `out`.
    out : path, optional
        A folder: keep the recording of each shard there. The same call goes on from what is
        done. Workers must see the folder under the same path.
    shard : int, optional
        Samples of a shard. By default 64 MB of inputs and voltages, at most 4096 samples (64
        of a backend that starts a worker).
    threads : int, optional
        Of the engine in each task. By default all cores here, ``N`` of ``threads:N``, an even
        share of the cores of ``processes:N``, and 1 in each Dask thread of a cluster.
    place, board_settings, timeout_seconds
        Of backends with a worker, as `run` takes them.
    progress : callable, optional
        Called with (samples done, samples in all; 0 if that is not known).
    tell : callable, optional
        Called with lines on what is waited for, such as the address of Dask's page.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        If inputs or labels do not fit the network, or there are no samples.
    RecordingError
        If the folder holds something else.
    BackendError
        If a backend or scheduler fails; what is done stays in `out`.

    Examples
    --------
    >>> score = nd.evaluate(net, inputs, labels)
    >>> score.samples, score.correct
    (20, 20)
    >>> shared = nd.evaluate(net, inputs, labels, scheduler="processes:2")  # doctest: +SKIP
    """
    readout = Readout(by or _rule_of(network), window)
    data = _in_samples(network, as_data_set(inputs, labels, axes, steps, bin))
    states = ("v",) if readout.by is not None and readout.by.startswith("v") else ()
    folder = None if out is None else _folder(Path(out))
    how: dict[str, Any] = {
        "backend": backend,
        "steps": steps,
        "drain": drain,
        "apply_transform": apply_transform,
        "reset_interval": reset_interval,
        "reset_offset": reset_offset,
        "record": tuple(dict.fromkeys((*record, *states))),
    }
    in_worker = runs_in_worker(BACKENDS[backend])
    if in_worker:
        how |= {
            "place": place,
            "board_settings": board_settings,
            "timeout_seconds": timeout_seconds,
        }
    carried = data if isinstance(data, DataSet) and data.travels else None

    def task(engine_threads: int) -> Task:
        of_engine = {"threads": engine_threads} if "threads" in BACKENDS[backend].options else {}
        return Task(network, carried, readout, unit, chip, placement, {**how, **of_engine}, folder)

    most = shard or (MOST_IN_WORKERS if in_worker else MOST_SAMPLES)
    if most < 1:
        raise InputError(f"shard: {shard}; give at least 1 sample")
    total, pieces = _cut(network, data, most, exact=shard is not None, volts=bool(states))
    started = time.perf_counter()
    whole: Tally | None = None
    shards = 0
    with crew_of(scheduler, threads, task) as crew:
        if crew.link is not None and tell is not None:
            tell(f"Dask shows the work at {crew.link}")
        for tally in crew.work(pieces):
            whole = tally if whole is None else whole + tally
            shards += 1
            if progress is not None:
                progress(whole.samples, total)
    if whole is None:
        raise InputError("inputs: no samples; give at least one")
    return Evaluation(
        network=network.fingerprint,
        backend=backend,
        crew=crew.name,
        by=str(readout.by),
        window=window,
        shards=shards,
        seconds=time.perf_counter() - started,
        tally=whole,
    )


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(
            f"{out}: cannot be a folder for shards ({error.strerror}); give another"
        ) from error
    check_place(out / SHARD.format(0))
    return out.resolve()


def _in_samples(network: Network, data: DataSet | BatchSet) -> DataSet | BatchSet:
    """Take an array of one sample, without an axis for samples, as such."""
    if isinstance(data, ArraySet):
        return ArraySet(as_samples(network, data.inputs), data.labels)
    if isinstance(data, FileSet):
        whole = as_samples(network, data.mapped())
        return data if len(whole) == len(data) else ArraySet(whole, data.labels)
    return data


def _rule_of(network: Network) -> str:
    """Messages decide; of a population that sends none, v does. One rule for all shards."""
    return "v" if network.output.neuron.is_readout else "messages"


def _are_values(labels: NDArray[Any]) -> bool:
    """Whether labels are values wanted, not classes."""
    return labels.dtype.kind == "f" or labels.ndim > 1


def _cut(
    network: Network, data: DataSet | BatchSet, most: int, *, exact: bool, volts: bool
) -> tuple[int, Iterator[Piece]]:
    """Cut a data set into shards of equal size; how many samples there are, 0 if unknown."""
    if isinstance(data, BatchSet):
        sets = data.shards(most)
        return 0, (Piece(n, 0, len(each), each) for n, each in enumerate(sets))
    if not len(data):
        return 0, iter(())
    size = most
    if not exact:
        one = as_samples(network, data.read(0, 1).inputs)
        neurons = sum(p.size for p in network.populations) if volts else 0
        each = one.nbytes + 4 * neurons * one.shape[1]
        size = max(1, min(most, SHARD_BYTES // max(1, each)))
    starts = zip(count(), range(0, len(data), size), strict=False)
    return len(data), (_piece(data, n, first, size) for n, first in starts)


def _piece(data: DataSet, number: int, first: int, size: int) -> Piece:
    last = min(first + size, len(data))
    if data.travels:
        return Piece(number, first, last)
    return Piece(number, 0, last - first, ArraySet(*data.read(first, last)))
