"""Fine-tuning of a rounded network, with labels or by distillation from its float form."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InputError, NetworkError
from ..inputs import present
from ..network import Network, Projection
from ..quantization.calibration import Calibration
from ..quantization.config import QuantConfig
from ..quantization.float_form import as_float
from ..quantization.quantize_network import check, choose_scales, round_with
from ..quantization.scale_choice import Choices, Sites, sites_of
from ..quantization.weights import scaled, with_weight
from .integer_network import IntegerNetwork, Layer
from .pruning import Limits, Pruned, prune, shares, stored_bits
from .surrogates import DEFAULT, Surrogate
from .training_loop import Lesson, fit

Progress = Callable[[int, int, float], None]
"""Called after each epoch with (epoch from 1, epochs, mean loss)."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A population that progressive fine-tuning has finished.

    Attributes
    ----------
    population : str
    losses : tuple of float
        Mean loss of each epoch of its stage.
    weights : tuple of int64 arrays
        Integers of the projections into it, which stayed from then on.
    """

    population: str
    losses: tuple[float, ...]
    weights: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True, eq=False)
class Tuned:
    """What fine-tuning gives.

    Attributes
    ----------
    network : Network
        In integers.
    floats : Network
        The float network with the trained weights, of which `network` is the rounded form.
    losses : tuple of float
        Mean loss of each epoch.
    pruned : tuple of Pruned
        Of each population that lost synapses to the limits.
    stages : tuple of Stage
        Of progressive fine-tuning, in its order.
    """

    network: Network
    floats: Network
    losses: tuple[float, ...]
    pruned: tuple[Pruned, ...] = ()
    stages: tuple[Stage, ...] = ()


def fine_tune(
    network: Network,
    config: QuantConfig,
    inputs: NDArray[Any],
    labels: NDArray[np.integer[Any]] | None = None,
    *,
    epochs: int = 5,
    learning_rate: float = 0.01,
    batch: int = 32,
    seed: int = 0,
    progressive: bool = False,
    limits: Limits | None = None,
    teacher: Network | None = None,
    surrogate: str | Surrogate = DEFAULT,
    progress: Progress | None = None,
) -> Tuned:
    """Train a network's weights while every forward pass runs the integers that will run.

    With labels: cross entropy of the output's spike counts, or of a readout's mean voltages.
    Without: the float network teaches, by the square difference of spike counts of every neuron
    and of the output's smoothed spikes. Scales and steps are chosen once, by `config.method` on
    the inputs, and stay; weights are trained with Adam, relative to the root mean square of their
    projection. Of all epochs the one with the least loss on the inputs is kept, the untrained
    network included.

    Parameters
    ----------
    network : Network
        Float; or integers of CUBA neurons. Dense, sparse, convolution, pool and one-to-one
        synapses, delays and recurrence as they are.
    config : QuantConfig
    inputs : array [samples, steps, *shape]
    labels : integer array [samples], optional
        Index of the output neuron that is to spike most.
    epochs : int
        In all; of each population where `progressive`.
    batch, seed : int
    learning_rate : float
        In root mean squares of a projection's weights.
    progressive : bool
        Population by population: its weights become integers and train with all that follow,
        which still compute in floats; then they are frozen and the next one's turn comes.
        (After progressive tandem learning, Wu et al. 2021, arXiv:2007.01204.)
    limits : Limits, optional
        Kept by pruning the smallest weights before they train in integers; they stay pruned. No
        weight is split into two synapses then.
    teacher : Network, optional
        Float, with the same populations: it teaches in place of the float network itself, whose
        neurons may be other ones (another reset, for example).
    surrogate : str or Surrogate
        Of the spikes' derivative; see `surrogates.Surrogate`.
    progress : callable, optional

    Returns
    -------
    Tuned

    Raises
    ------
    UnsupportedError
        If an element cannot be trained.
    InputError
        If labels and inputs differ in number, or a label is no output neuron.
    NetworkError
        If the limits cannot be kept by pruning, the configuration names no population, or the
        teacher has other ones.
    """
    check(network, config, calibrated=True)
    floats = network if network.is_float else as_float(network)
    config = config if limits is None else replace(config, split=0.0)
    reference = Calibration.of(floats, inputs)
    _check(labels, reference, floats)
    sites = sites_of(floats, config, reference)
    choices = choose_scales(floats, sites, config, reference)
    presented = present(floats, reference.inputs)
    taught = reference if teacher is None else _taught_by(teacher, floats, inputs)
    lesson = Lesson.of(presented[: len(presented)], labels, taught.sent)
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)  # sums in the same order whatever the number of cores
        try:
            model = IntegerNetwork(floats, sites, choices, Surrogate.of(surrogate))
            rate = (epochs, learning_rate, batch)
            course = _course(model, lesson, rate, limits or Limits(), progressive, progress)
        finally:
            torch.set_num_threads(threads)
    return _given_back(floats, sites, choices, model, config, reference, course)


_Course = tuple[tuple[float, ...], tuple[Pruned, ...], tuple[Stage, ...]]


def _course(
    model: IntegerNetwork,
    lesson: Lesson,
    rate: tuple[int, float, int],
    limits: Limits,
    progressive: bool,
    progress: Progress | None,
) -> _Course:
    layers: list[Layer] = list(model.layers)
    counts: list[int | None] = [None] * len(layers)
    if limits.memory_bits is not None:
        widths = [stored_bits(layer.site.bits) for layer in layers]
        counts = list(shares(layers, widths, limits.memory_bits))
    epoch, total = itertools.count(1), rate[0] * (len(layers) if progressive else 1)

    def tell(loss: float) -> None:
        if progress is not None:
            progress(next(epoch), total, loss)

    pruned: list[Pruned | None] = []
    if not progressive:
        for layer, count in zip(layers, counts, strict=True):
            pruned.append(prune(layer, limits.fan_in, count))
        losses = fit(model, layers, lesson, *rate, tell)
        return losses, tuple(p for p in pruned if p), ()
    for layer in layers:
        layer.whole = False
    losses, stages = (), []
    for number, (layer, count) in enumerate(zip(layers, counts, strict=True)):
        layer.whole = True
        pruned.append(prune(layer, limits.fan_in, count))
        found = fit(model, layers[number:], lesson, *rate, tell)
        for weight in layer.weights:
            weight.requires_grad_(False)
        whole = tuple(w.detach().numpy().astype(np.int64) for w in layer.integers())
        stages.append(Stage(layer.name, found, whole))
        losses += found
    return losses, tuple(p for p in pruned if p), tuple(stages)


def _given_back(
    floats: Network,
    sites: Sites,
    choices: Choices,
    model: IntegerNetwork,
    config: QuantConfig,
    reference: Calibration,
    course: _Course,
) -> Tuned:
    """Put the trained weights into the sites that are rounded, and into the float network."""
    trained: dict[int, Projection] = {}
    for layer in model.layers:
        site = sites[layer.name]
        site.weights = [
            (weight.detach() * keep).numpy().copy()
            for weight, keep in zip(layer.weights, layer.keep, strict=True)
        ]
        gain = site.shape.gain
        back = np.divide(1.0, gain, out=np.zeros_like(gain), where=gain != 0)
        for (projection, synapse), weight in zip(site.feeds, site.weights, strict=True):
            folded = replace(projection, synapse=with_weight(synapse, weight))
            plain = scaled(folded, site.population, back)
            single = np.asarray(plain.weight, np.float32)  # type: ignore[attr-defined]
            trained[id(projection)] = replace(projection, synapse=with_weight(plain, single))
    projections = tuple(trained[id(p)] for p in floats.projections)
    network = round_with(floats, sites, choices, config, reference)
    return Tuned(network, replace(floats, projections=projections), *course)


def _taught_by(teacher: Network, floats: Network, inputs: NDArray[Any]) -> Calibration:
    ours, theirs = ({p.name: p.shape for p in n.populations} for n in (floats, teacher))
    if ours != theirs:
        name = next(iter(set(ours.items()) ^ set(theirs.items())))[0]
        raise NetworkError(
            f"population {name!r}: the teacher has another one, or none; give a teacher of the "
            f"same populations"
        )
    return Calibration.of(teacher, inputs)


def _check(labels: NDArray[Any] | None, reference: Calibration, network: Network) -> None:
    if labels is None:
        return
    labels = np.asarray(labels)
    if labels.shape != (len(reference.inputs),):
        raise InputError(
            f"labels: {list(labels.shape)} for {len(reference.inputs)} samples; give one for each"
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= network.output.size:
        raise InputError(
            f"labels: {labels.min()}..{labels.max()}; they must be indices of the "
            f"{network.output.size} output neurons"
        )
