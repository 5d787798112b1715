"""Does a network do elsewhere what it does on the engine: run, run there, compare, report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..backends import BACKENDS, run
from ..comparison import Comparison, compare
from ..errors import BackendError, FormatError, InputError
from ..inputs import as_samples
from ..network import Network
from ..profiling import Profile, profile
from ..recording import Recording
from ..recording.run_options import Progress, names_of
from ..reporting import report

REPORT = "report.html"


@dataclass(frozen=True, eq=False)
class Verified:
    """What `verify` found.

    Attributes
    ----------
    comparison : Comparison
        Of the engine's recording with the other's.
    recordings : (Recording, Recording)
        ``engine.h5`` and, named after the backend, the other.
    profile : Profile
        Measured where the other backend has a meter, else estimated.
    folder : Path
        Where all of it lies, with `REPORT`.
    """

    comparison: Comparison
    recordings: tuple[Recording, Recording]
    profile: Profile
    folder: Path


def verify(
    network: Network,
    inputs: NDArray[Any],
    out: str | os.PathLike[str],
    *,
    on: str = "lava",
    record: str | Iterable[str] = ("spikes",),
    steps: int | None = None,
    drain: bool = False,
    labels: NDArray[Any] | Sequence[int] | None = None,
    chip: str | None = None,
    apply_transform: bool = True,
    progress: Callable[[str], Progress] | None = None,
    **how: Any,
) -> Verified:
    """Run a network on the engine and on another backend, compare the two and report.

    Parameters
    ----------
    network : Network
    inputs : array [steps, *shape] or [samples, steps, *shape]
    out : path
        Folder for the recordings and the report; made if it is missing.
    on : str
        The other backend, of `BACKENDS`; one that runs integers.
    record : str or iterable of str
        As `run`; with u and v a difference is found where it arises.
    steps, drain
        As `run`: by default as many steps as the inputs have.
    labels : int [samples], optional
        The right class of each sample.
    chip : str, optional
        For the estimate of energy and time where no meter was read; by default ``loihi2``.
    apply_transform : bool
        As `run`.
    progress : callable, optional
        Called with what begins; gives what is called with (done, in all).
    **how
        More arguments of `run`, for both ``reset_interval`` and ``reset_offset``, for the
        other backend ``host``, ``job``, ``chip_settings`` (its ``chip``), ``timeout_seconds``.

    Returns
    -------
    Verified

    Raises
    ------
    InputError
        If the inputs end before the first of them has reached the output, and neither `steps`
        nor `drain` says otherwise.
    NeurodeployError
        As `run` and `compare`.
    """
    if on == "engine" or on not in BACKENDS or BACKENDS[on].runs_floats:
        others = [n for n, b in BACKENDS.items() if n != "engine" and not b.runs_floats]
        raise BackendError(
            f"on {on!r}: nothing to compare the engine with; there are {', '.join(others)}"
        )
    if steps is None and not drain:
        _check_reach(network, inputs)
    common: dict[str, Any] = {
        "record": names_of(record),
        "steps": steps,
        "drain": drain,
        "apply_transform": apply_transform,
        **{name: how.pop(name) for name in ("reset_interval", "reset_offset") if name in how},
    }
    how["chip"] = how.pop("chip_settings", None)
    tell = progress or (lambda _: lambda *_: None)
    folder = Path(out)
    with _folder(folder):
        other = run(
            network,
            inputs,
            backend=on,
            out=folder / f"{on}.h5",
            progress=tell(f"running on {on}"),
            **common,
            **how,
        )
        engine = run(
            network,
            inputs,
            out=folder / "engine.h5",
            progress=tell("running on the engine"),
            **common,
        )
        comparison = compare(engine, other, net=network, inputs=inputs, labels=labels)
        cost = profile(other, chip)
        report(
            folder / REPORT,
            net=network,
            recordings=(engine, other),
            comparison=comparison,
            profiles=(cost,),
            title=f"Verified on {other.header.backend}",
        )
    return Verified(comparison, (engine, other), cost, folder)


def _check_reach(network: Network, inputs: NDArray[Any]) -> None:
    """Refuse a run in which the output has nothing of the inputs yet."""
    given, lag = as_samples(network, inputs).shape[1], network.hops(network.output.name)
    if given <= lag:
        raise InputError(
            f"inputs: {given} steps, the output lags them by {lag} and would show nothing of them; "
            f"add drain=True (--drain), or give more steps (--steps)"
        )


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Make a folder, and remove it again if the block raises before anything is in it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(
            f"{path}: no folder can be made there ({error.strerror}); choose another (--out)"
        ) from error
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.rmdir()
        raise
