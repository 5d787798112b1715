"""``nd.convert_ann``: an ordinary network, made ready to run as a spiking one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import run
from ..errors import FormatError, InputError
from ..formats.hdf5 import check_hdf5
from ..network import Audit, AuditEntry, Effect, Network, Rating
from ..network.audit import relative_error
from .calibration import BATCH, forward, ranges
from .graded import Built, build_graded
from .graph import Array, Graph, Grid, Identity, Scale, Softmax
from .rate import build_rate
from .sigma_delta import build_sigma_delta
from .units import Unit, units_of

FORMS = ("graded", "sigma-delta", "rate")
"""What a network can be converted to."""

PERCENTILES = {"graded": 99.99, "sigma-delta": 99.99, "rate": 99.0}
"""Of a population's activations on the calibration inputs: what its scale, or threshold, hangs on.
Those of rates are Wu et al.'s (progressive tandem learning, 2021)."""

MEASURED_SAMPLES = 32
"""Calibration inputs on which the audit's effects are measured."""

SCALE = "ann/scale/"
"""Starts the name of a fact in `Network.metadata`; the population's name follows."""


def convert_ann(
    module: Any,
    calibration: Any,
    to: str = "graded",
    *,
    bits: int = 8,
    activation_bits: int = 8,
    steps: int = 16,
    percentile: float | None = None,
    thresholds: float | Mapping[str, float] = 0.0,
    measure: bool = True,
) -> Network:
    """Convert a trained network without spikes.

    Parameters
    ----------
    module : torch.nn.Module, path or Graph
        A torch module, taken as in evaluation; a Keras HDF5 file or an ONNX file; or what
        `neurodeploy.ann.read` made of one.
    calibration : array or tensor [samples, *shape]
        Inputs as the network takes them, (C, H, W) order; unlabelled. Scales hang on them.
    to : {"graded", "sigma-delta", "rate"}
        ``graded``: one pass, a message carries an activation. ``sigma-delta``: for streams, a
        message carries the change of one; the calibration inputs are a stream, in order.
        ``rate``: integrate-and-fire neurons with a soft reset; each input is presented for `steps`
        steps.
    bits : int
        Of a weight, its sign included, 2..8.
    activation_bits : int
        Of a payload, 1..16: so many hold the `percentile` of a population's activations. A
        larger one takes more, up to 24; nothing is clipped.
    steps : int
        Of a rate: steps that an input is presented for.
    percentile : float, optional
        In 0..100; by default `PERCENTILES`.
    thresholds : float or mapping of str to float
        Of changes: shares of the `percentile` of a population's activations, >= 0, one for all
        but the output or by population. 0 is the smallest change that a payload holds. See
        `choose_thresholds`.
    measure : bool
        Run the engine on some of the calibration inputs, and write into the audit by how much
        each population differs from the network in floats.

    Returns
    -------
    Network
        Inputs are presented as they are: the first population has a transform. 1.0 of the
        population ``name`` is ``metadata["ann/scale/name"]`` in its messages, of an output that
        sends none in its v.

    Raises
    ------
    UnsupportedError
        Naming the module's path, its operator and the nearest substitute.
    InputError
        If an argument is none of these.

    Examples
    --------
    >>> net = nd.convert_ann(torch_module, images[:1000])  # doctest: +SKIP
    >>> rec = nd.run(net, images[1000:, None], drain=True, record="v")  # doctest: +SKIP
    >>> rec.accuracy(labels[1000:])  # doctest: +SKIP
    0.986
    >>> import numpy as np
    >>> from neurodeploy.ann.graph import Clip, Graph, Linear, Node
    >>> rectified = Graph("mine", "x", (Node("a", Linear(np.eye(3), np.zeros(3)), ("x",)),
    ...                                 Node("b", Clip(0), ("a",))), "b")
    >>> net = nd.convert_ann(rectified, np.eye(3))
    >>> nd.run(net, np.eye(3)[:, None], drain=True).decisions().tolist()
    [0, 1, 2]
    """
    if to not in FORMS:
        raise InputError(f"to: {to!r}; give one of {', '.join(FORMS)}")
    _within("bits", bits, 2, 8)
    _within("activation_bits", activation_bits, 1, 16)
    _within("steps", steps, 1, 1 << 16)
    share = PERCENTILES[to] if percentile is None else float(percentile)
    if not 0 < share <= 100:
        raise InputError(f"percentile: {percentile}; give a number above 0, up to 100")
    graph = read(module)
    inputs = inputs_of(calibration, graph)
    signed = bool(inputs.min() < 0)
    units = units_of(graph, inputs.shape[1:], signed, splits_signs=to == "rate")
    measured = ranges(units, inputs, share)
    if to == "rate":
        built = build_rate(units, measured, bits, activation_bits, steps)
    elif to == "sigma-delta":
        shares = _shares(thresholds, units)
        built = build_sigma_delta(units, measured, bits, activation_bits, shares)
    else:
        built = build_graded(units, measured, bits, activation_bits)
    presented = steps if to == "rate" else 1
    facts: dict[str, str | int | float] = {"ann/form": to, "ann/steps": presented}
    facts |= {f"{SCALE}{name}": float(scale) for name, scale in built.scales.items()}
    network = Network(built.populations, built.projections, metadata=facts)
    how = f"weights in {bits} bits, "
    how += f"rates over {steps} steps" if to == "rate" else f"payloads in {activation_bits}"
    effects: Mapping[str, Effect] = {}
    if measure:
        effects = _effects(network, units, built, inputs[:MEASURED_SAMPLES], to, presented)
    entries = [
        AuditEntry(
            unit.name, Rating.APPROXIMATE, f"{_WORDS[unit.activation]}, {how}",
            effects.get(unit.name),
        )
        for unit in units[1:]
    ]  # fmt: skip
    named = {unit.name for unit in units}
    for node in graph:
        reason = _LEFT_OUT.get(type(node.operator))
        if reason and node.name not in named:
            entries.append(AuditEntry(node.name, Rating.FAITHFUL, reason))
    return Network(built.populations, built.projections, Audit(tuple(entries)), facts)


def read(module: Any) -> Graph:
    """Read a network without spikes.

    Parameters
    ----------
    module : torch.nn.Module, path or Graph
        As `convert_ann`.

    Raises
    ------
    UnsupportedError, FormatError, InputError

    Examples
    --------
    >>> from neurodeploy.ann import read
    >>> [node.name for node in read("model.h5")]
    ['conv2d_1', 'conv2d_1.relu', 'flatten_1', 'dense_1', 'dense_1.softmax']
    """
    from ..formats import is_torch_module

    if isinstance(module, Graph):
        return module
    if is_torch_module(module):
        from .torch_reader import read_torch

        return read_torch(module)
    if isinstance(module, str | os.PathLike):
        return _read_file(Path(module))
    raise InputError(
        f"module: {type(module).__name__}; give a torch module, or a Keras or ONNX file"
    )


def run_floats(module: Any, inputs: Any) -> Array:
    """Give what a network computes in floats, without its framework.

    Parameters
    ----------
    module : torch.nn.Module, path or Graph
        As `convert_ann`.
    inputs : array or tensor [samples, *shape]

    Returns
    -------
    float64 [samples, *output shape]
        Before a softmax at the very end.

    Raises
    ------
    UnsupportedError, FormatError, InputError

    Examples
    --------
    >>> from neurodeploy.ann import run_floats
    >>> run_floats("model.h5", images[:5]).shape
    (5, 10)
    """
    graph = read(module)
    given = inputs_of(inputs, graph)
    units = units_of(graph, given.shape[1:], bool(given.min() < 0), splits_signs=False)
    found = []
    for first in range(0, len(given), BATCH):
        *_, (_, _, values) = forward(units, given[first : first + BATCH])
        found.append(values)
    return np.concatenate(found)


def _read_file(path: Path) -> Graph:
    from .keras_reader import is_keras, read_keras

    if not path.is_file():
        raise FormatError(f"{path}: no such file; check the path")
    if path.suffix.lower() == ".onnx":
        from .onnx_reader import read_onnx

        return read_onnx(path)
    if is_keras(path):
        return read_keras(path)
    check_hdf5(path)
    raise FormatError(
        f"{path}: neither an ONNX file nor one of Keras with a whole model; nd.load reads networks "
        f"of spikes"
    )


_LEFT_OUT = {
    Scale: "folded into the weights and biases before they are rounded",
    Identity: "left out: it does nothing once the network is trained",
    Grid: "its step is that of the messages of a graded network where a rectifier or the input "
    "sends them, to a power of two",
    Softmax: "left out at the very end: it changes no decision",
}

_WORDS = {
    "rectify": "a rectifier",
    "step": "a binary map",
    "step-inclusive": "a binary map",
    "identity": "a sum that is sent on",
    "readout": "the output, read from v",
}


def _shares(thresholds: float | Mapping[str, float], units: Sequence[Unit]) -> dict[str, float]:
    """Give a share for each population that has one."""
    known = [unit.name for unit in units if unit.activation != "readout"]
    if not isinstance(thresholds, Mapping):
        thresholds = dict.fromkeys(known, thresholds)
    for name, share in thresholds.items():
        if name not in known:
            raise InputError(
                f"thresholds: no population {name!r} with a threshold; there are {', '.join(known)}"
            )
        if not 0 <= share <= 1:
            raise InputError(f"thresholds: {share} of {name!r}; give a share of 0..1")
    return {name: float(share) for name, share in thresholds.items()}


def _within(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{name}: {value!r}; give a whole number in {low}..{high}")
    if not low <= value <= high:
        raise InputError(f"{name}: {value}; give {low}..{high}")


def inputs_of(calibration: Any, graph: Graph) -> Array:
    """Give inputs as float64 [samples, *shape].

    Raises
    ------
    InputError
        If they are none, or not of the shape that the network takes.
    """
    given = calibration
    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or array.ndim < 2 or not array.size:
        raise InputError(
            f"calibration: {array.dtype} of shape {array.shape}; give inputs [samples, *shape]"
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError("calibration: holds a number that is not finite; leave it out")
    if graph.shape is not None and array.shape[1:] != graph.shape:
        raise InputError(
            f"calibration: samples of shape {array.shape[1:]}, {graph.source} takes {graph.shape} "
            f"(channels first); bring its axes in order"
        )
    return array


def _effects(
    network: Network, units: Sequence[Unit], built: Built, inputs: Array, to: str, steps: int
) -> dict[str, Effect]:
    """Hold what the engine sends against the network in floats."""
    shown = inputs.reshape(len(inputs), 1, *network.input.shape)
    if to == "sigma-delta":  # one after the other, as a stream
        shown = shown.swapaxes(0, 1)
    else:
        shown = np.broadcast_to(shown, (len(inputs), steps, *network.input.shape))
    recording = run(network, shown, drain=True, record=("spikes", "v"))
    what = f"{len(inputs)} of the calibration inputs"
    pairs = {}
    for unit, _, values in forward(units, inputs):
        record, first = recording[unit.name], network.hops(unit.name)
        if to == "sigma-delta":
            last = first + len(inputs)
            found = record.spikes[0, :last].cumsum(axis=0, dtype=np.float64)[first:]
        else:
            sent = record.v if network[unit.name].neuron.is_readout else record.spikes
            found = sent[:, first : first + steps].mean(axis=1, dtype=np.float64)
        pairs[unit.name] = values, found.reshape(values.shape) / built.scales[unit.name]
    of_output = relative_error(*pairs[network.output.name])
    return {
        name: Effect.measured(what, name, before, after, of_output)
        for name, (before, after) in pairs.items()
    }
