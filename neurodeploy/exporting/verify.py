"""Does a network do elsewhere what it does on the engine: run it twice, compare, price."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..backends import BACKENDS, run
from ..chip import Placement, fit
from ..comparison import Comparison, compare
from ..display import Shown, listed
from ..errors import BackendError, ChipError, FormatError, InputError, NetworkError
from ..inputs import as_samples
from ..network import Network
from ..profiling import Profile, profile
from ..recording import Recording
from ..recording.run_options import Progress, names_of

CHIP = "loihi2"
"""Of estimates, where none is named."""


@dataclass(frozen=True, eq=False)
class Verification(Shown):
    """What `verify` found.

    Attributes
    ----------
    network : Network
    recordings : (Recording, Recording)
        Of the engine, and of the other backend.
    comparison : Comparison
        Of the two.
    profiles : tuple of Profile
        What the other backend's run costs: measured where it has a meter, else estimated.
    chip : str
        Of the estimate, and of the placement.

    Examples
    --------
    >>> found = nd.verify(net, inputs, backend="lava")  # doctest: +SKIP
    >>> print(found.comparison.summary())  # doctest: +SKIP
    """

    network: Network
    recordings: tuple[Recording, Recording]
    comparison: Comparison
    profiles: tuple[Profile, ...]
    chip: str

    @property
    def equal(self) -> bool:
        """Whether both did the same."""
        return self.comparison.equal

    def __repr__(self) -> str:
        costs = [profile.headline for profile in self.profiles]
        return listed(f"Verification: {self.comparison.summary()}", costs)

    @cached_property
    def placement(self) -> Placement:
        """The network's populations on the chip's cores."""
        return fit(self.network, self.chip)


def verify(
    network: Network,
    inputs: NDArray[Any],
    out: str | os.PathLike[str] | None = None,
    *,
    backend: str = "lava",
    record: str | Iterable[str] = ("spikes",),
    steps: int | None = None,
    drain: bool = False,
    labels: NDArray[Any] | Sequence[int] | None = None,
    chip: str | None = None,
    apply_transform: bool = True,
    place: str | None = None,
    board_settings: Mapping[str, Any] | None = None,
    progress: Callable[[str], Progress] | None = None,
    on: str | None = None,
    **how: Any,
) -> Verification:
    """Run a network on the engine and on another backend, and compare the two.

    Parameters
    ----------
    network : Network
    inputs : array [steps, *shape] or [samples, steps, *shape]
    out : path, optional
        Folder into which the recordings are streamed, as ``engine.h5`` and, named after the
        backend, the other; made if it is missing. Without it they are in memory alone.
    backend : str
        The other backend, of `BACKENDS`; one that runs integers.
    record : str or iterable of str
        As `run`; with u and v a difference is found where it arises. Of synapses that learn,
        weights are compared after each epoch whatever this says.
    steps, drain
        As `run`: by default as many steps as the inputs have.
    labels : int [samples], optional
        The right class of each sample.
    chip : str, optional
        For the estimate of energy and time where no meter was read; by default ``loihi2``.
    apply_transform : bool
        As `run`.
    place, board_settings : optional
        As `run`, for the other backend.
    progress : callable, optional
        Called with what begins; gives what is called with (done, in all).
    on : str, optional
        The older name of `backend`.
    **how
        More arguments of `run`, for both ``reset_interval``, ``reset_offset`` and
        ``learn_across_samples``, for the other backend ``job`` and ``timeout_seconds``.

    Returns
    -------
    Verification

    Raises
    ------
    InputError
        If the inputs end before the first of them has reached the output, and neither `steps`
        nor `drain` says otherwise.
    NeurodeployError
        As `run` and `compare`.

    Examples
    --------
    >>> found = nd.verify(net, inputs, backend="lava")  # doctest: +SKIP
    >>> found.equal  # doctest: +SKIP
    True
    """
    backend = backend if on is None else on
    if backend == "engine" or backend not in BACKENDS or BACKENDS[backend].runs_floats:
        others = [n for n, b in BACKENDS.items() if n != "engine" and not b.runs_floats]
        raise BackendError(
            f"backend {backend!r}: nothing to compare the engine with; there are "
            f"{', '.join(others)}"
        )
    if steps is None and not drain:
        _check_reach(network, inputs)
    learned = ("weights",) if network.learning else ()
    shared = ("reset_interval", "reset_offset", "learn_across_samples")
    common: dict[str, Any] = {
        "record": (*names_of(record), *learned),
        "steps": steps,
        "drain": drain,
        "apply_transform": apply_transform,
        **{name: how.pop(name) for name in shared if name in how},
    }
    tell = progress or (lambda _: lambda *_: None)
    with _folder(out) as folder:
        other = run(
            network,
            inputs,
            backend=backend,
            out=folder and folder / f"{backend}.h5",
            progress=tell(f"running on {backend}"),
            place=place,
            board_settings=board_settings,
            **common,
            **how,
        )
        engine = run(
            network,
            inputs,
            out=folder and folder / "engine.h5",
            progress=tell("running on the engine"),
            **common,
        )
    comparison = compare(engine, other, net=network, inputs=inputs, labels=labels)
    costs = (price(other, network, chip),)
    return Verification(network, (engine, other), comparison, costs, chip or CHIP)


def price(recording: Recording, network: Network, chip: str | None = None) -> Profile:
    """What a run costs, with its network on a chip's cores wherever it fits there.

    So that a run which is priced with its placement, `verify` and `deploy` give the same figures.
    """
    placement = None
    with suppress(ChipError, NetworkError):
        placed = fit(network, chip or CHIP)
        placement = placed if placed.fits else None
    return profile(recording, chip, placement)


def _check_reach(network: Network, inputs: NDArray[Any]) -> None:
    """Refuse a run in which the output has nothing of the inputs yet."""
    given, lag = as_samples(network, inputs).shape[1], network.hops(network.output.name)
    if given <= lag:
        raise InputError(
            f"inputs: {given} steps, the output lags them by {lag} and would show nothing of them; "
            f"add drain=True (--drain), or give more steps (--steps)"
        )


@contextmanager
def _folder(out: str | os.PathLike[str] | None) -> Iterator[Path | None]:
    """Make a folder, and remove it again if the block raises before anything is in it."""
    if out is None:
        yield None
        return
    path = Path(out)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(
            f"{path}: no folder can be made there ({error.strerror}); choose another (--out)"
        ) from error
    try:
        yield path
    except BaseException:
        with suppress(OSError):
            path.rmdir()
        raise
