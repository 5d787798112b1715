r"""Initial weights from the fluctuations that they cause: deep spiking networks start alive.

The method is fluctuation-driven initialization (Rossbroich, Gygax and Zenke 2022,
arXiv:2206.10226): weights are drawn so that the membrane, without spikes, fluctuates around
:math:`\mu_U` with a standard deviation of :math:`\sigma_U = (\theta - \mu_U) / \xi` in time. With
n inputs that spike with probability p in a step, and the response :math:`\kappa` of v to one
spike through a weight of 1,

.. math::
    \mu_U = n \mu_w\, p \sum_t \kappa_t, \quad
    \sigma_U^2 = n (\mu_w^2 + \sigma_w^2)\, p (1 - p) \sum_t \kappa_t^2 .

The factor 1 - p is that of spikes of which a step has one at most; the paper's are Poisson.
The response is that of the neuron itself, run on the engine with its threshold out of reach, so
the formulas hold for every model whose v is linear there. They are about a neuron in time:
neurons differ in their mean, as their weights differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..backends import run
from ..errors import InputError, NetworkError, UnsupportedError
from ..network import ComplexDense, Dense, FloatLIF, Network, Neuron, Population, Projection, Source
from ..network.fixed_point import STATE_LIMIT, THRESHOLD_LIMIT
from .delays import LearnedDelays
from .layers import LIF

Tensor = torch.Tensor
Doubles = NDArray[np.float64]

LONGEST = 1 << 14
"""Steps in which a response must fade."""

FADED = 1e-4
"""Of its peak: what a response may have left at its end."""


def impulse_response(neuron: Neuron, size: int = 1, state: str = "v") -> Doubles:
    """Give what one spike through a weight of 1 does to each neuron's membrane, without spikes.

    Parameters
    ----------
    neuron : Neuron
        Any model with that state; of two ports the first, the real one, gets the spike.
    size : int
        How many neurons it has parameters for.
    state : str
        Which state the threshold is held against; a `ResonateFire` fires by ``u``.

    Returns
    -------
    float64 [size, steps]
        In the state's unit (64 for a weight of 1 in an integer model), from the step of the spike
        until it has faded.

    Raises
    ------
    UnsupportedError
        If the model has no such state or no threshold, or does not forget.

    Examples
    --------
    >>> from neurodeploy.network import FloatLIF
    >>> from neurodeploy.training.init import impulse_response
    >>> impulse_response(FloatLIF(voltage_keep=0.5))[0, :4]
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    if state not in neuron.states:
        raise UnsupportedError(f"{neuron.label}: has no state {state!r} to fluctuate")
    silent = _silent(neuron)
    weight, least = (1.0, 1.0) if neuron.is_float else (float(1 << 16), 1.0)
    while True:
        response = _response(silent, size, state, weight)
        # An integer model is asked with the largest weight that keeps its states in range: the
        # decays' rounding is then below what any weight of a layer will notice.
        if neuron.is_float or np.abs(response).max() < STATE_LIMIT / 4 or weight == least:
            return response / weight
        weight /= 2


@dataclass(frozen=True)
class Spread:
    """A normal distribution of weights, and what it does to the membrane.

    Attributes
    ----------
    mean, sd : float
        Of the weights, in the neuron's own unit.
    membrane_mean, membrane_sd : float
        In thresholds, in time, without spikes.
    """

    mean: float
    sd: float
    membrane_mean: float
    membrane_sd: float


def spread(
    neuron: Neuron,
    fan_in: int,
    rate: float,
    *,
    xi: float = 2.0,
    mean: float = 0.0,
    state: str = "v",
) -> Spread:
    """Choose the weights' distribution for a neuron of any model.

    Parameters
    ----------
    neuron : Neuron
        With the same parameters for all.
    fan_in : int
        n: synapses of a neuron.
    rate : float
        p: spikes of an input in a step, above 0 and below 1.
    xi : float
        How many standard deviations the threshold is above the mean, above 0. The paper has 1..3.
    mean : float
        Of the membrane, in thresholds, below 1.
    state : str
        See `impulse_response`.

    Returns
    -------
    Spread

    Raises
    ------
    InputError
        If a number is out of its range, or the mean alone fluctuates more than asked for.

    Examples
    --------
    >>> from neurodeploy.network import FloatLIF
    >>> from neurodeploy.training.init import spread
    >>> round(spread(FloatLIF(voltage_keep=0.9), fan_in=100, rate=0.1).sd, 4)
    0.0726
    """
    _check(rate, xi, mean)
    response = impulse_response(neuron.of_one(0), state=state)[0]
    unit = 1.0 if neuron.is_float else float(1 << neuron.mantissa_shift)
    threshold = unit * float(np.ravel(neuron.parameters[neuron.fires_above])[0])
    if threshold <= 0:
        raise InputError(f"{neuron.label}: a threshold of {threshold:g}; needs more than 0")
    mu, sigma = _normal(response, fan_in, rate, threshold, xi, mean)
    return Spread(mu, sigma, mean, (1 - mean) / xi)


@dataclass(frozen=True)
class Drawn:
    """What a layer was given.

    Attributes
    ----------
    name : str
        Path of the layer in the module.
    rate : float
        Spikes of an input in a step that were assumed or measured.
    fan_in : int
        Synapses of a neuron, recurrent ones included.
    membrane_mean, membrane_sd : float
        In thresholds, in time, without spikes: what the drawn weights predict; root mean square
        over the neurons.
    excitatory : tuple of bool
        Of each source, those of the recurrence last; empty without Dale's law.
    """

    name: str
    rate: float
    fan_in: int
    membrane_mean: float
    membrane_sd: float
    excitatory: tuple[bool, ...] = ()


def fluctuation(
    module: torch.nn.Module,
    rate: float | Tensor,
    *,
    xi: float = 2.0,
    mean: float = 0.0,
    alpha: float = 0.9,
    dale: float | None = None,
    seed: int = 0,
) -> tuple[Drawn, ...]:
    r"""Draw the weights of all spiking `LIF` layers of a module.

    Readouts and pools keep theirs: a readout's scale is a matter of the loss. Biases become 0.
    Scales are chosen anew (`LIF.fit`).

    Parameters
    ----------
    module : torch.nn.Module
        A `LIF`, or anything that holds some and calls each once, in the order of its modules.
    rate : float or tensor [samples, steps, *shape]
        Spikes of an input in a step, for all layers; or inputs, on which each layer's own rate is
        measured once those before it have their weights.
    xi, mean : float
        See `spread`.
    alpha : float
        Share of the variance that comes from outside, the rest from the recurrence. 0..1, both
        excluded.
    dale : float, optional
        Share of the sources that are excitatory, above 0 and below 1; the others inhibit. Weights
        are then exponentially distributed, in balance (the mean of v is 0, `mean` must be), and a
        source has one sign in all of its synapses. Training may break that.
    seed : int

    Returns
    -------
    tuple of Drawn
        Of each layer that was given weights.

    Raises
    ------
    InputError
        If a number is out of its range, a layer gets no spikes, or too few sources have both signs.

    Notes
    -----
    Of Dale's law, with :math:`\lambda` the inverse mean of the weights of each kind (EF excitatory
    from outside, ER recurrent, I inhibitory) and one response for all, as a neuron of the chip has:
    :math:`N_I / \lambda_I = N_{EF} / \lambda_{EF} + N_{ER} / \lambda_{ER}` balances the mean,
    :math:`\lambda_{ER} / \lambda_{EF} = \sqrt{\alpha N_{ER} / ((1 - \alpha) N_{EF})}` shares the
    variance, whose sum :math:`2 p (1 - p) \sum_t \kappa_t^2 \sum N / \lambda^2` is
    :math:`\sigma_U^2`.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training import init
    >>> from neurodeploy.training.layers import LIF
    >>> model = torch.nn.Sequential(LIF(torch.nn.Linear(200, 100)), LIF(torch.nn.Linear(100, 10)))
    >>> [round(layer.membrane_sd, 1) for layer in init.fluctuation(model, rate=0.05)]
    [0.5, 0.5]
    """
    if not isinstance(rate, Tensor):
        _check(rate, xi, mean)
    if not 0 < alpha < 1 or (dale is not None and (not 0 < dale < 1 or mean)):
        raise InputError(
            f"alpha {alpha:g}, dale {dale}, mean {mean:g}; give alpha and dale within 0..1, both "
            f"excluded, and with dale a mean of 0"
        )
    rng = np.random.default_rng(seed)
    drawn, signs = [], None
    for name, layer in module.named_modules():
        if not isinstance(layer, LIF) or layer.sends != "spike":
            continue
        if isinstance(layer.synapse, torch.nn.AvgPool2d):
            continue
        where = name or "lif"
        p = float(_rate_into(module, layer, rate, where) if isinstance(rate, Tensor) else rate)
        _check(p, xi, mean)
        given = _Fan(layer, p, alpha)
        kinds: tuple[bool, ...] = ()
        if dale is None:
            weights = given.normal(rng, xi, mean)
        else:
            outside, own = _signs(layer, dale, signs, rng)
            weights = given.exponential(rng, xi, outside, own, where)
            back = own if layer.recurrent is not None else own[:0]
            kinds = tuple(bool(k > 0) for k in np.concatenate([outside, back]))
            signs = own
        given.take(weights)
        mu, sd = given.membrane(weights)
        drawn.append(Drawn(where, p, given.total, mu, sd, kinds))
    return tuple(drawn)


def free_membrane(
    layer: LIF, rate: float, *, steps: int = 2000, samples: int = 4, seed: int = 0
) -> tuple[float, float]:
    """Measure how a layer's membranes fluctuate in floats while no neuron may spike.

    Inputs, and in place of the neurons' own spikes those of the recurrence, spike independently.

    Parameters
    ----------
    layer : LIF
    rate : float
        Spikes of an input in a step.
    steps, samples : int
        How long is measured; the first quarter of the steps is left out.
    seed : int

    Returns
    -------
    mean, sd : float
        In thresholds: mean over neurons and time; root mean square over neurons of the standard
        deviation in time.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training import init
    >>> from neurodeploy.training.layers import LIF
    >>> layer = LIF(torch.nn.Linear(100, 50))
    >>> drawn = init.fluctuation(layer, 0.05)
    >>> round(init.free_membrane(layer, 0.05)[1], 1)
    0.5
    """
    _check(rate, 1.0, 0.0)
    free = _without_spikes(layer)
    shape: tuple[int, ...]
    if isinstance(free.synapse, torch.nn.Conv2d):
        shape = free._alone().input.shape
    else:
        shape = (free.weights()[0].shape[1],)
    made = torch.Generator().manual_seed(seed)
    chance = torch.rand((samples, steps, *shape), generator=made)
    with torch.no_grad():
        v = free((chance < rate).double().to(layer.scale.device)).flatten(2)[:, steps // 4 :]
    each = free._each("threshold", v.shape[2])
    v = v / each
    variance = v.var(dim=1, unbiased=False).mean()
    return float(v.mean()), float(variance.sqrt())


class _Fan:
    """The synapses of a layer's neurons, what their spikes do, and their weights."""

    def __init__(self, layer: LIF, rate: float, alpha: float) -> None:
        self.layer, self.rate = layer, rate
        self.parts = [w.detach() for w in layer.weights()]
        self.shares = [1.0] if layer.recurrent is None else [alpha, 1 - alpha]
        self.counts = [w[0].numel() for w in self.parts]
        self.total = sum(self.counts)
        rows = len(self.parts[0])
        self.threshold = layer._given("threshold", rows)
        keeps = (
            layer._given(what, rows).astype(np.float32) for what in ("current_keep", "voltage_keep")
        )
        keep_u, keep_v = keeps
        neuron = FloatLIF(current_keep=keep_u, voltage_keep=keep_v)
        response = impulse_response(neuron, rows)
        self.sum, self.squares = response.sum(axis=1), (response**2).sum(axis=1)

    def normal(self, rng: np.random.Generator, xi: float, mean: float) -> list[Doubles]:
        found = []
        for part, count, share in zip(self.parts, self.counts, self.shares, strict=True):
            weights = np.empty((len(part), count))
            for row, threshold in enumerate(self.threshold):
                mu = mean * threshold / (self.total * self.rate * self.sum[row])
                variance = share * ((1 - mean) * threshold / xi) ** 2
                each = self.rate * (1 - self.rate) * self.squares[row]
                sd = _sd(variance / (count * each), mu)
                weights[row] = rng.normal(mu, sd, count)
            found.append(weights.reshape(part.shape))
        return found

    def exponential(
        self,
        rng: np.random.Generator,
        xi: float,
        outside: NDArray[np.int64],
        own: NDArray[np.int64],
        name: str,
    ) -> list[Doubles]:
        signs = [_sign_of_weights(self.layer, self.parts[0], outside)]
        if len(self.parts) > 1:
            signs.append(np.broadcast_to(own, tuple(self.parts[1].shape)))
        rows = [s.reshape(len(s), -1) for s in signs]
        forward = (rows[0] > 0).sum(axis=1)
        back = (rows[1] > 0).sum(axis=1) if len(rows) > 1 else np.zeros_like(forward)
        inhibitory = sum((r < 0).sum(axis=1) for r in rows)
        if not (forward.all() and np.all(inhibitory)) or (len(rows) > 1 and not back.all()):
            raise InputError(
                f"{name}: a neuron lacks excitatory or inhibitory sources at this dale; give more "
                f"sources, or another share"
            )
        share = self.shares[0]
        ratio = np.sqrt((1 - share) * forward / (share * np.maximum(back, 1)))
        ratio = ratio if len(rows) > 1 else np.zeros(len(forward))
        balance = (forward + back * ratio) / inhibitory
        total = forward + back * ratio**2 + inhibitory * balance**2
        each = 2 * self.rate * (1 - self.rate) * self.squares * total
        size = self.threshold / xi / np.sqrt(each)
        found = []
        for index, (sign, part) in enumerate(zip(rows, self.parts, strict=True)):
            excites = size * (ratio if index else 1.0)
            scale = np.where(sign > 0, excites[:, None], (size * balance)[:, None])
            found.append((sign * rng.exponential(scale)).reshape(tuple(part.shape)))
        return found

    def membrane(self, weights: list[Doubles]) -> tuple[float, float]:
        """Predict mean and standard deviation, in thresholds, of drawn weights."""
        rows = np.concatenate([w.reshape(len(w), -1) for w in weights], axis=1)
        mu = rows.sum(axis=1) * self.rate * self.sum / self.threshold
        variance = (rows**2).sum(axis=1) * self.rate * (1 - self.rate) * self.squares
        return float(mu.mean()), float(np.sqrt((variance / self.threshold**2).mean()))

    def take(self, weights: list[Doubles]) -> None:
        with torch.no_grad():
            for parameter, weight in zip(self.layer.weights(), weights, strict=True):
                parameter.copy_(torch.from_numpy(weight))
            bias = getattr(self.layer.synapse, "bias", None)
            if bias is not None:
                bias.zero_()
        self.layer.fit()


def _normal(
    response: Doubles, fan_in: int, rate: float, threshold: float, xi: float, mean: float
) -> tuple[float, float]:
    mu = mean * threshold / (fan_in * rate * float(response.sum())) if mean else 0.0
    each = fan_in * rate * (1 - rate) * float((response**2).sum())
    return mu, _sd(((1 - mean) * threshold / xi) ** 2 / each, mu)


def _sd(square: float, mu: float) -> float:
    if square < mu**2:
        raise InputError(
            f"weights of a mean of {mu:.4g} fluctuate more than a root mean square of "
            f"{np.sqrt(square):.4g} allows; lower mean or xi, or give more inputs"
        )
    return float(np.sqrt(square - mu**2))


def _check(rate: float, xi: float, mean: float) -> None:
    if not 0 < rate < 1 or xi <= 0 or mean >= 1:
        raise InputError(
            f"rate {rate:g}, xi {xi:g}, mean {mean:g}; give a rate above 0 and below 1 spikes a "
            f"step, xi above 0, a mean below 1 threshold"
        )


def _silent(neuron: Neuron) -> Neuron:
    """The same neuron with its threshold out of reach."""
    if neuron.fires_above not in neuron.parameters:
        raise UnsupportedError(f"{neuron.label}: has no {neuron.fires_above} to fluctuate below")
    if neuron.is_float:
        return replace(neuron, **{neuron.fires_above: float(np.finfo(np.float32).max)})
    ends: dict[str, Any] = {neuron.fires_above: 1}
    if "lower" in neuron.parameters:
        ends["lower"] = -1
    for limit in (THRESHOLD_LIMIT, THRESHOLD_LIMIT - 1, (1 << 17) - 1, 1 << 16):
        try:
            return replace(neuron, **{name: end * limit for name, end in ends.items()})
        except NetworkError:
            continue
    raise UnsupportedError(f"{neuron.label}: its threshold cannot be raised out of reach")


def _response(neuron: Neuron, size: int, state: str, weight: float) -> Doubles:
    column: NDArray[Any] = np.full((size, 1), weight, np.float32 if neuron.is_float else np.int32)
    synapse = Dense(column) if neuron.ports == 1 else ComplexDense(column, np.zeros_like(column))
    populations = (Population("in", (1,), Source()), Population("n", (size,), neuron))
    network = Network(populations, (Projection("in", "n", synapse),))
    steps = 512
    while True:
        inputs = np.zeros((1, steps, 1), np.uint8)
        inputs[0, 0, 0] = 1
        backend = "float" if neuron.is_float else "engine"
        recorded = run(network, inputs, backend=backend, record=("states",))["n"]
        course = np.asarray(recorded[state][0], np.float64).T[:, network.hops("n") :]
        peak = np.abs(course).max(axis=1, keepdims=True)
        if not peak.all():
            raise UnsupportedError(f"{neuron.label}: a spike does nothing to its {state}")
        left = np.abs(course[:, -32:]).max(axis=1, keepdims=True)
        if (left <= np.maximum(FADED * peak, 0 if neuron.is_float else 64)).all():
            return course
        if steps >= LONGEST:
            raise UnsupportedError(
                f"{neuron.label}: its {state} has not forgotten a spike after {steps} steps; give "
                f"it a leak"
            )
        steps *= 4


def _rate_into(module: torch.nn.Module, layer: LIF, inputs: Tensor, name: str) -> float:
    with _seen(layer) as seen, torch.no_grad():
        module(inputs)
    if not seen:
        raise InputError(f"{name}: the module does not call it; give a rate as a number")
    rate = float(seen[0].double().mean())
    if not 0 < rate < 1:
        raise InputError(
            f"{name}: gets {rate:g} spikes of an input in a step on these inputs, needs more than "
            f"0 and less than 1; give others, or a rate as a number"
        )
    return rate


@contextmanager
def _seen(layer: LIF) -> Iterator[list[Tensor]]:
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        hook.remove()


def _signs(
    layer: LIF, dale: float, known: NDArray[np.int64] | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Signs of a layer's sources (of images: channels), and of its own neurons."""

    def drawn(count: int) -> NDArray[np.int64]:
        found = np.where(np.arange(count) < round(dale * count), 1, -1)
        return rng.permutation(found)

    weight, synapse = layer.weights()[0], layer.synapse
    groups = int(getattr(synapse, "groups", 1))
    sources = weight.shape[1] * groups
    if known is not None and sources % len(known) == 0:
        outside = np.repeat(known, sources // len(known))
    else:
        outside = np.concatenate([drawn(weight.shape[1]) for _ in range(groups)])
    return outside, drawn(len(weight))


def _sign_of_weights(layer: LIF, weight: Tensor, signs: NDArray[np.int64]) -> NDArray[np.int64]:
    groups = int(getattr(layer.synapse, "groups", 1))
    of_group = signs.reshape(groups, -1)
    rows = np.repeat(of_group, len(weight) // groups, axis=0)
    rows = rows.reshape(*rows.shape, *(1 for _ in weight.shape[2:]))
    found: NDArray[np.int64] = np.broadcast_to(rows, tuple(weight.shape))
    return found


def _without_spikes(layer: LIF) -> LIF:
    """A copy in floats that sends its voltage, the recurrence among its inputs."""
    free = deepcopy(layer)
    if layer.recurrent is not None:
        weight = torch.cat([w.detach() for w in layer.weights()], dim=1)
        synapse = torch.nn.Linear(weight.shape[1], len(weight), bias=False)
        synapse.weight.data = weight
        free.synapse, free.recurrent = synapse, None
        free.keep0 = torch.ones_like(weight, dtype=torch.bool)
    free.whole, free.sends, free.delay = False, "voltage", 0
    free.trains = tuple(what for what in free.trains if what != "threshold")
    if isinstance(free.synapse, LearnedDelays):
        free.synapse.sigma.zero_()
    return free


__all__ = ["Drawn", "Spread", "fluctuation", "free_membrane", "impulse_response", "spread"]
