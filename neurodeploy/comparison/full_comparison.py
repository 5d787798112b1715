"""The verb: two recordings compared, and what more was asked about how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ..errors import InputError
from ..network import Network
from ..recording import Recording
from ..recording.decisions import check_labels
from .comparison import Comparison
from .recordings import check_same_run, compare_recordings
from .sensitivity import FloorOptions, sensitivity_floor
from .tolerances import EQUALITY, Tolerances


def compare(
    a: Recording,
    b: Recording,
    *,
    names: tuple[str, str] | None = None,
    labels: NDArray[Any] | Sequence[int] | None = None,
    anyway: bool = False,
    tolerances: Tolerances | None = None,
    net: Network | None = None,
    net_b: Network | None = None,
    inputs: NDArray[Any] | None = None,
    local: bool = False,
    floor: FloorOptions | None = None,
    check: bool = True,
) -> Comparison:
    """Compare two recordings of the same network, made anywhere, any time.

    Parameters
    ----------
    a, b : Recording
    names : (str, str), optional
        Names of the two sides; by default their backends.
    labels : int [samples], optional
        The right class of each sample: gives the accuracy of both sides.
    anyway : bool
        Also compare recordings of different networks, inputs or resets: the
        populations that have the same name and shape.
    tolerances : Tolerances, optional
        What may differ; by default nothing.
    net : Network, optional
        What A ran: with it the first divergence is explained, by running the
        population where it lies again on the engine, see `diagnosis.diagnose`.
    net_b : Network, optional
        What B ran, if that is another.
    inputs : array, optional
        What was presented, as for `nd.run`; needed to explain a divergence in
        neurons of the input population or where spikes were not recorded, and
        for `floor`.
    local : bool
        Also feed each population of B what A recorded of its sources, see
        `local_differences.local_differences`; needs `net`.
    floor : FloorOptions, optional
        Also find how much the network deviates from itself, see
        `sensitivity.sensitivity_floor`; needs `net` and `inputs`.
    check : bool
        False is the older name of ``anyway=True``.

    Returns
    -------
    Comparison

    Raises
    ------
    RecordingError
        If they are not comparable.
    InputError
        If what an option needs is missing.

    Examples
    --------
    >>> diff = nd.compare(rec, nd.run(net, inputs, record=("spikes",)))
    >>> diff.equal, diff.first_divergence
    (True, None)
    >>> print(diff.summary())
    A (engine) and B (engine) are equal: spikes of 3 populations, 20 samples, 16 steps
    """
    for what, wanted in (("local", local), ("floor", floor)):
        if wanted and net is None:
            raise InputError(f"{what}: needs the network; give net= or --net")
    if floor and inputs is None:
        raise InputError("floor: needs the inputs; give inputs= or --input")
    if check and not anyway:  # `check=False` is what version 0.1 called `anyway=True`
        check_same_run(a, b, different_networks=net_b is not None)
    truth = None if labels is None else check_labels(labels, min(a.samples, b.samples))
    result = compare_recordings(a, b, names=names, truth=truth, tolerances=tolerances or EQUALITY)
    if net is None:
        return result
    if result.first_divergence is not None:
        from .diagnosis import diagnose

        found = diagnose(
            a, b, result.first_divergence, net, net_b=net_b, inputs=inputs, names=result.labels
        )
        result = replace(result, diagnosis=found)
    if local:
        from .local_differences import local_differences

        differences, notes = local_differences(a, b, net_b or net, result, inputs)
        result = replace(result, local=differences, notes=result.notes + notes)
    if floor is not None and inputs is not None:
        measured = sensitivity_floor(result, net, inputs, floor, a.header, compare_recordings)
        result = replace(result, floor=measured)
    return result
