"""Fine-tuning of a rounded network, with labels or by distillation from its float form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import InputError
from ...network import FloatLIF, Network, Projection
from ..calibration import Calibration
from ..choice import Choice, Site
from ..config import QuantConfig
from ..floats import as_float
from ..verb import choose, finished
from ..weights import with_weight
from .model import IntegerNetwork

Progress = Callable[[int, int, float], None]
"""Called after each epoch with (epoch from 1, epochs, mean loss)."""


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
    """

    network: Network
    floats: Network
    losses: tuple[float, ...]


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
    progress: Progress | None = None,
) -> Tuned:
    """Train a network's weights while every forward pass runs the integers that will run.

    With labels: cross entropy of the output's spike counts. Without: the float network teaches,
    by the square difference of spike counts of every neuron and of the output's smoothed spikes.
    Scales and steps are chosen once, by `config.method` on the inputs, and stay; weights are
    trained with Adam, relative to the root mean square of their projection. Of all epochs the
    one with the least loss on the inputs is kept, the untrained network included.

    Parameters
    ----------
    network : Network
        Float, dense synapses, hard reset in the step of the spike; or integers of that kind.
    config : QuantConfig
    inputs : array [samples, steps, neurons]
    labels : integer array [samples], optional
        Index of the output neuron that is to spike most.
    epochs, batch, seed : int
    learning_rate : float
        In root mean squares of a projection's weights.
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
    """
    floats = network if network.is_float else as_float(network)
    reference = Calibration.of(floats, inputs)
    _check(labels, reference, floats)
    sites = {
        p.name: Site(floats, p, config, reference)
        for p in floats.populations
        if isinstance(p.neuron, FloatLIF)
    }
    choices = choose(floats, sites, config, reference)
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)  # sums in the same order whatever the number of cores
        try:
            model = IntegerNetwork(floats, sites, choices)
            losses = _train(model, reference, labels, epochs, learning_rate, batch, progress)
        finally:
            torch.set_num_threads(threads)
    return _given_back(floats, sites, choices, model, config, reference, losses)


def from_torch(network: Network, module: Any, names: dict[str, str]) -> Network:
    """Take the weights of a plain torch spiking module (or SLAYER's) into a float network.

    Parameters
    ----------
    network : Network
        Float; says neurons and wiring.
    module : torch.nn.Module
    names : dict of str to str
        Projection name (``source->target``) to the module's parameter, e.g. ``fc1.weight``.

    Raises
    ------
    InputError
        If a name is unknown or a shape differs.
    """
    parameters = dict(module.named_parameters())
    projections = []
    unknown = set(names) - {p.name for p in network.projections}
    if unknown:
        raise InputError(f"names: no projection {min(unknown)!r} in the network")
    for projection in network.projections:
        if projection.name in names:
            key = names[projection.name]
            if key not in parameters:
                raise InputError(f"{projection.name}: the module has no parameter {key!r}")
            weight = parameters[key].detach().cpu().numpy().astype(np.float32)
            shape = np.asarray(projection.synapse.weight).shape  # type: ignore[attr-defined]
            if weight.size != np.prod(shape):
                raise InputError(
                    f"{projection.name}: parameter {key!r} has shape {weight.shape}, needs {shape}"
                )
            synapse = with_weight(projection.synapse, weight.reshape(shape))
            projection = replace(projection, synapse=synapse)
        projections.append(projection)
    return replace(network, projections=tuple(projections))


def _train(
    model: IntegerNetwork,
    reference: Calibration,
    labels: NDArray[Any] | None,
    epochs: int,
    learning_rate: float,
    batch: int,
    progress: Progress | None,
) -> tuple[float, ...]:
    given = reference.inputs.reshape(*reference.inputs.shape[:2], -1).astype(np.float64)
    inputs = torch.from_numpy(given)
    target = None if labels is None else torch.from_numpy(np.asarray(labels, np.int64))
    taught = {
        layer.name: torch.from_numpy(reference.sent[layer.name].astype(np.float64))
        for layer in model.layers
    }
    groups = []
    for layer in model.layers:
        for weight in layer.weights:
            size = float(weight.detach().square().mean().sqrt())
            groups.append({"params": [weight], "lr": learning_rate * max(size, 1e-12)})
    optimiser = torch.optim.Adam(groups)
    pieces = -(-len(inputs) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, epochs * pieces))

    def loss_of(which: torch.Tensor) -> torch.Tensor:
        sent = model(inputs[which])
        if target is None:
            return _distilled(sent, {k: v[which] for k, v in taught.items()}, model.output)
        counts = sent[model.output].sum(dim=1)
        return torch.nn.functional.cross_entropy(0.5 * counts, target[which])

    def whole() -> float:
        with torch.no_grad():
            parts = torch.split(torch.arange(len(inputs)), 4 * batch)
            return sum(float(loss_of(p)) * len(p) for p in parts) / len(inputs)

    losses, least = [], whole()
    best = {k: v.clone() for k, v in model.state_dict().items()}
    for epoch in range(1, epochs + 1):
        total = 0.0
        for which in torch.split(torch.randperm(len(inputs)), batch):
            loss = loss_of(which)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss) * len(which)
        found = whole()
        if found < least:
            least, best = found, {k: v.clone() for k, v in model.state_dict().items()}
        losses.append(total / len(inputs))
        if progress is not None:
            progress(epoch, epochs, losses[-1])
    model.load_state_dict(best)
    return tuple(losses)


def _distilled(
    sent: dict[str, torch.Tensor], taught: dict[str, torch.Tensor], output: str
) -> torch.Tensor:
    """Square difference of counts, and of the output's course, as shares of the teacher's."""
    total = sent[output].new_zeros(())
    for name, messages in sent.items():
        exact = taught[name]
        if name == output:
            ours, theirs = messages.cumsum(1), exact.cumsum(1)
            total = total + (ours - theirs).square().mean() / theirs.square().mean().clamp(min=1e-9)
        else:
            ours, theirs = messages.sum(1), exact.sum(1)
            total = total + 0.1 * (
                (ours - theirs).square().mean() / theirs.square().mean().clamp(min=1e-9)
            )
    return total


def _given_back(
    floats: Network,
    sites: dict[str, Site],
    choices: dict[str, Choice],
    model: IntegerNetwork,
    config: QuantConfig,
    reference: Calibration,
    losses: tuple[float, ...],
) -> Tuned:
    """Put the trained weights into the sites that are rounded, and into the float network."""
    trained: dict[int, Projection] = {}
    for layer in model.layers:
        site = sites[layer.name]
        site.weights = [weight.detach().numpy().copy() for weight in layer.weights]
        for (projection, synapse), weight in zip(site.feeds, site.weights, strict=True):
            gain = site.shape.gain[:, None]
            plain = np.divide(weight, gain, out=np.zeros_like(weight), where=gain != 0)
            changed = replace(projection, synapse=with_weight(synapse, plain.astype(np.float32)))
            trained[id(projection)] = changed
    projections = tuple(trained[id(p)] for p in floats.projections)
    network = finished(floats, sites, choices, config, reference)
    return Tuned(network, replace(floats, projections=projections), losses)


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
