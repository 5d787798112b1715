"""A spiking layer in plain torch that computes in the chip's integers.

``torch.nn.Sequential(LIF(torch.nn.Conv2d(1, 8, 3)), LIF(torch.nn.Linear(288, 10), bits=4))``
takes spikes [samples, steps, *shape], trains by surrogate gradients with any optimiser and loss,
and becomes a `Network` that does the same to the bit with `to_network`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InputError, UnsupportedError
from ..network import (
    Conv,
    CubaLIF,
    DelayedDense,
    Dense,
    FloatLIF,
    GeneralCubaLIF,
    LeakyIntegrator,
    Network,
    Neuron,
    Pool,
    Population,
    Projection,
    Source,
    StochasticLIF,
    Synapse,
)
from ..network.fixed_point import DECAY_UNITY
from ..network.neurons.stochastic import AMPLITUDE_LIMIT
from ..network.synapses.kernel import kernels_of
from ..quantization.config import QuantConfig
from ..quantization.neurons import BIAS_MAX, THRESHOLD_MAX
from ..quantization.scale_choice import Site
from ..quantization.scales import choose_scale
from ..quantization.weights import Grid, with_weight
from .cells import UNIT, Cells
from .delays import LearnedDelays
from .noise import Generator, Noise
from .operators import feeds_of
from .pruning import largest_of_each
from .surrogates import DEFAULT, Surrogate
from .torch_rounding import rounded

Tensor = torch.Tensor
MATRICES = (torch.nn.Linear, LearnedDelays)
RESETS = ("zero", "subtract", "subtract-late")
TRAINED = ("threshold", "current_keep", "voltage_keep")
MIXED = np.array([-1.0, 1.0])
"""Trained weights may change sign, so they are held to the grid of mixed signs."""


class LIF(torch.nn.Module):
    r"""Synapses, and CUBA neurons that they drive: a population as the engine runs it.

    .. math::
        u &\leftarrow k_u u + W s_{in}(t - d) + R s(t - 1), \quad v \leftarrow k_v v + u + b \\
        s &= [v > \theta], \quad v \leftarrow 0 \text{ or } v - \theta \text{ where } s

    in whole numbers: W, R, b and :math:`\theta` times `scale`, rounded; see `network.CubaLIF`.
    Rounding passes gradients straight through, a spike's is a surrogate's (`torch_rounding`).

    Parameters
    ----------
    synapse : torch.nn.Linear, Conv2d or AvgPool2d, or LearnedDelays
        Its weights are trained as floats; a bias is b. A Linear takes images flattened.
        `delays.LearnedDelays` has a delay d for each synapse, which is trained too.
    recurrent : torch.nn.Linear, optional
        R, from these neurons to themselves; without bias.
    bits : int or "ternary"
        1..8, of all weights; see `QuantConfig`. They are a mantissa of mixed sign times a power
        of two for each of `synapse` and `recurrent`.
    threshold : float
    current_keep, voltage_keep : float
        k_u and k_v, 0..1, rounded to multiples of 1/4096.
    trains : tuple of str
        Which of ``threshold``, ``current_keep`` and ``voltage_keep`` are parameters that are
        trained too, one for each neuron (of an image for each channel).
    reset : {"zero", "subtract", "subtract-late"}
        As in `network.GeneralCubaLIF`; the last is snnTorch's.
    refractory : int
        Steps from a spike to the next possible one.
    delay : int
        d, 0..62 steps, for a Linear.
    sends : {"spike", "voltage"}
        ``voltage``: a readout without spikes, v in the unit of `threshold`. For the last layer.
    surrogate : str or Surrogate
        Of the spikes' derivative; see `surrogates.Surrogate`.
    noise : Noise, optional
        Of the threshold: neurons are `network.StochasticLIF`, which reset to zero. The surrogate is
        then the derivative of a spike's probability unless another is given.

    Attributes
    ----------
    temporal : {"full", "none"}
        Whether gradients pass from step to step. ``none``: states, recurrent and delayed messages
        are constants to them, as in `online.gradients`, which needs memory for one step alone.
    seeds : integer tensor [samples] or None
        A seed of the noise for each sample of the next runs, in place of the one for all.
    scale : float64 tensor
        Chosen by `fit`, in the ``state_dict`` as are the exponents `steps`.
    whole : bool
        Whether it computes in integers. False: the same equations in floats.

    Raises
    ------
    UnsupportedError
        If a choice has no counterpart on the chip; it names it.
    """

    scale: Tensor
    steps: Tensor

    def __init__(
        self,
        synapse: torch.nn.Module,
        *,
        recurrent: torch.nn.Linear | None = None,
        bits: int | str = 8,
        threshold: float = 1.0,
        current_keep: float = 0.0,
        voltage_keep: float = 0.9,
        reset: str = "zero",
        refractory: int = 1,
        delay: int = 0,
        sends: str = "spike",
        trains: tuple[str, ...] = (),
        surrogate: str | Surrogate | None = None,
        noise: Noise | None = None,
    ) -> None:
        super().__init__()
        self.temporal, self.trains, self.noise = "full", trains, noise
        self.seeds: Tensor | None = None
        if surrogate is None:
            surrogate = DEFAULT if noise is None else noise.surrogate(threshold)
        self.surrogate = Surrogate.of(surrogate)
        self.synapse, self.recurrent, self.bits, self.delay = synapse, recurrent, bits, delay
        self.reset, self.refractory, self.sends = reset, refractory, sends
        self.threshold: float | Tensor = threshold
        self.current_keep: float | Tensor = current_keep
        self.voltage_keep: float | Tensor = voltage_keep
        self.whole = True
        self._check()
        for what in trains:
            value = torch.full((len(self.weights()[0]),), float(getattr(self, what)))
            delattr(self, what)
            self.register_parameter(what, torch.nn.Parameter(value))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("steps", torch.zeros(2, dtype=torch.int64))
        for index, weight in enumerate(self.weights()):
            self.register_buffer(f"keep{index}", torch.ones(weight.shape, dtype=torch.bool))
        self.fit()

    def weights(self) -> list[Tensor]:
        """Weights of `synapse` and of `recurrent`, floats; those of a pool are all the same."""
        if isinstance(self.synapse, torch.nn.AvgPool2d):
            kernel = _pair(self.synapse.kernel_size)
            share = 1 / (self.synapse.divisor_override or kernel[0] * kernel[1])
            own = torch.full(kernel, share)
        else:
            own = self.synapse.weight
        return [own] if self.recurrent is None else [own, self.recurrent.weight]

    def fit(self) -> None:
        """Choose the scale and the exponents with the weights' least square error.

        Done once when the layer is made; do it again when float training has changed the weights.
        """
        network = self._alone()
        config = QuantConfig(self.bits, split=0.0, keep_gain=False)
        site = Site(network, network.output, config)
        site.grids, site.splits = self._grids(), [False] * len(site.grids)
        choice = choose_scale(site, "mse")
        with torch.no_grad():
            self.scale.fill_(choice.factor)
            self.steps[: len(choice.steps)] = self.steps.new_tensor(choice.steps)

    def limit_fan_in(self, most: int) -> int:
        """Prune each neuron's smallest weights, for good, until it has `most` synapses.

        Returns
        -------
        int
            How many weights were pruned (of a kernel, counted once).
        """
        if isinstance(self.synapse, torch.nn.AvgPool2d):
            raise UnsupportedError("LIF: the weights of a pool are not pruned")
        weights = [w.detach().cpu().numpy() for w in self.weights()]
        size = np.abs(np.concatenate([w.ravel() for w in weights]))
        rows = np.concatenate([np.repeat(np.arange(len(w)), w[0].size) for w in weights])
        keep, start = torch.from_numpy(largest_of_each(rows, size, most)), 0
        for index, weight in enumerate(weights):
            part = keep[start : start + weight.size].reshape(weight.shape)
            getattr(self, f"keep{index}").copy_(part)
            start += weight.size
        return int(np.count_nonzero(size) - keep.sum())

    def integers(self) -> list[Tensor]:
        """Weights that the engine would run with, float64, straight-through."""
        found = []
        for index, (weight, grid) in enumerate(zip(self.weights(), self._grids(), strict=True)):
            exact = weight.double() * getattr(self, f"keep{index}") * self.scale
            if self.whole:
                step = 2.0 ** int(self.steps[index])
                exact = rounded(exact, step, grid.low, grid.high, grid.binary)
            found.append(exact)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Run spikes [samples, steps, *shape]; give [samples, steps, *shape], from rest."""
        source = Population("in", self.source_shape(tuple(x.shape[2:])), Source())
        shape = self.output_shape(source.shape)
        size = int(np.prod(shape))
        values = self.values(size)
        cells = self.cells(size, values)
        current = self._currents(x.double().flatten(2), values["synapse"], source)
        if self.recurrent is None:
            sent = cells.run(current, bias=values["bias"])
        else:
            sent = self._loop(cells, current, values["recurrent"], values["bias"])
        return self.message(sent.reshape(*x.shape[:2], *shape)).to(x.dtype)

    def message(self, sent: Tensor) -> Tensor:
        """Give what cells sent in the layer's unit."""
        return sent / (UNIT * self.scale) if self.sends == "voltage" else sent

    def values(self, size: int) -> dict[str, Tensor]:
        """Give what is trained as it takes effect, float64: integers, straight-through.

        Returns
        -------
        dict of str to tensor
            ``synapse`` (of `LearnedDelays` a weight for each delay), ``recurrent``, ``bias``
            [size], and what of `trains` there is, as decays and thresholds of the cells.
        """
        self._hold()
        synapse, *more = self.integers()
        if isinstance(self.synapse, LearnedDelays):
            synapse = self.synapse.spread(synapse, rounded=self.whole)
        found = {"synapse": synapse, "bias": self._bias(size)}
        if more:
            found["recurrent"] = more[0]
        for what in self.trains:
            value = self._each(what, size)
            if what == "threshold":
                found[what] = rounded(value * self.scale, 1.0, 1, THRESHOLD_MAX)
            else:
                decay = what.replace("keep", "decay")
                found[decay] = rounded((1 - value) * DECAY_UNITY, 1.0, 0, DECAY_UNITY)
        return found

    def cells(self, size: int, values: dict[str, Tensor]) -> Cells:
        """Give the neurons, which compute with such `values`."""
        cells = Cells(self._without_noise(size), size, "LIF", self.surrogate)
        cells = cells.to(self.scale.device)
        if self.noise is not None:
            seed = self.noise.seed if self.seeds is None else self.seeds
            made = Generator(self.noise.kind, self._amplitude(), seed, size)
            cells.noise = made.to(self.scale.device)
        cells.whole, cells.cut = self.whole, self.temporal == "none"
        for what in ("current_decay", "voltage_decay", "threshold"):
            if what in values and not (what == "threshold" and cells.readout):
                setattr(cells, what, values[what])
        if "threshold" in values:
            cells.taken_off = UNIT * values["threshold"]
        return cells

    def neuron(self, size: int) -> Neuron:
        """The integer neurons, for so many of them."""
        plain = self._without_noise(size)
        if self.noise is None:
            return plain
        return StochasticLIF(
            **plain.parameters, noise=self.noise.kind, amplitude=self._amplitude(),
            seed=self.noise.seed,
        )  # fmt: skip

    def _amplitude(self) -> int:
        assert self.noise is not None
        whole = int(np.rint(self.noise.amplitude * float(self.scale)))
        if not 1 <= whole <= AMPLITUDE_LIMIT:
            raise UnsupportedError(
                f"LIF: noise of {self.noise.amplitude:g} is {whole} at a scale of "
                f"{float(self.scale):g}, the neuron has 1..{AMPLITUDE_LIMIT}; change it"
            )
        return whole

    def _without_noise(self, size: int) -> Neuron:
        scale = float(self.scale)
        bias = self._bias(size).detach().cpu().numpy()
        whole = _one_or_each(bias)
        decay_u, decay_v = (
            _one_or_each(np.rint((1 - self._given(what, size)) * DECAY_UNITY))
            for what in ("current_keep", "voltage_keep")
        )
        if self.sends == "voltage":
            return LeakyIntegrator(decay_u, decay_v, whole)
        exact = self._given("threshold", size)
        whole_thresholds = np.rint(exact * scale)
        if not 1 <= whole_thresholds.min() <= whole_thresholds.max() <= THRESHOLD_MAX:
            worst = int(np.argmax(np.abs(whole_thresholds - (1 + THRESHOLD_MAX) / 2)))
            raise UnsupportedError(
                f"LIF: threshold {exact[worst]:g} is {int(whole_thresholds[worst])} at a scale of "
                f"{scale:g}, the chip has 1..{THRESHOLD_MAX}; clip the largest weights"
            )
        threshold = _one_or_each(whole_thresholds)
        if self.reset == "zero" and self.refractory == 1:
            return CubaLIF(decay_u, decay_v, threshold, whole)
        return GeneralCubaLIF(
            decay_u, decay_v, threshold, whole, reset=self.reset, refractory=self.refractory
        )

    def projections(self, source: str, name: str) -> list[Projection]:
        """Projections in integers, from `source` into the population `name`."""
        whole = [w.detach().cpu().numpy().astype(np.int32) for w in self.integers()]
        ends = [source, name]
        return [
            Projection(end, name, with_weight(operator, weight))
            for end, operator, weight in zip(ends, self._operators(), whole, strict=False)
        ]

    def output_shape(self, source: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the population for a source of a shape."""
        operator = self._operators()[0]
        kernels = kernels_of(operator)
        return kernels[0].output_shape(source) if kernels else (len(operator.only_array),)

    def _operators(self) -> list[Synapse]:
        """Operators with float weights."""
        weights = [w.detach().cpu().double().numpy() for w in self.weights()]
        synapse, first = self.synapse, weights[0]
        made: list[Synapse]
        if isinstance(synapse, torch.nn.Conv2d):
            how = (_pair(synapse.stride), _pair(synapse.padding), _pair(synapse.dilation))
            made = [Conv(first, *how, synapse.groups)]
        elif isinstance(synapse, torch.nn.AvgPool2d):
            made = [Pool(first, _pair(synapse.stride), _pair(synapse.padding))]
        elif isinstance(synapse, LearnedDelays):
            made = [DelayedDense(first, synapse.whole_delays())]
        elif self.delay:
            made = [DelayedDense(first, np.full(first.shape, self.delay, np.int32))]
        else:
            made = [Dense(first)]
        return made + [Dense(weight) for weight in weights[1:]]

    def _grids(self) -> list[Grid]:
        return [
            Grid.of(MIXED if w.requires_grad or w.min() < 0 < w.max() else _numbers(w), self.bits)
            for w in self.weights()
        ]

    def _alone(self) -> Network:
        """The layer as a float network of its own, on the smallest image it takes."""
        operators = self._operators()
        source: tuple[int, ...]
        if kernels := kernels_of(operators[0]):
            kernel = kernels[0]
            span = (d * (k - 1) + 1 for d, k in zip(kernel.dilation, kernel.weight.shape[-2:],
                                                    strict=True))  # fmt: skip
            source = (getattr(self.synapse, "in_channels", 1), *span)
        else:
            source = (operators[0].only_array.shape[1],)
        shape = self.output_shape(source)
        bias = self._unrounded_bias(int(np.prod(shape))).detach().cpu().numpy().astype(np.float32)
        keep_u, keep_v, threshold = (
            self._given(what, len(bias)).astype(np.float32)
            for what in ("current_keep", "voltage_keep", "threshold")
        )
        neuron = FloatLIF(*(keep_u, 1.0, 0.0, keep_v, 1.0), bias, threshold)
        populations = (Population("in", source, Source()), Population("n", shape, neuron))
        ends = [Projection("in", "n", operators[0])]
        ends += [Projection("n", "n", operator) for operator in operators[1:]]
        return Network(populations, tuple(ends))

    def _unrounded_bias(self, size: int) -> Tensor:
        bias: Tensor | None = getattr(self.synapse, "bias", None)
        if bias is None:
            return torch.zeros(size, dtype=torch.float64, device=self.scale.device)
        return bias.double().repeat_interleave(size // len(bias))

    def _bias(self, size: int) -> Tensor:
        exact = self._unrounded_bias(size) * self.scale
        return rounded(exact, 1.0, -BIAS_MAX, BIAS_MAX) if self.whole else exact

    def _each(self, what: str, size: int) -> Tensor:
        """A keep or threshold of every neuron, float64."""
        value: float | Tensor = getattr(self, what)
        if not isinstance(value, Tensor):
            return self.scale.new_full((size,), value)
        return value.double().repeat_interleave(size // len(value))

    def _given(self, what: str, size: int) -> NDArray[np.float64]:
        return _numbers(self._each(what, size))

    def _hold(self) -> None:
        """Bring what is trained back to what the chip has."""
        with torch.no_grad():
            for what in self.trains:
                least, most = (0.0, 1.0)
                if what == "threshold":
                    least, most = (end / float(self.scale) for end in (1, THRESHOLD_MAX))
                getattr(self, what).clamp_(least, most)

    def _currents(self, x: Tensor, value: Tensor, source: Population) -> Tensor:
        """What the synapses from outside deliver: [samples, steps, neurons]."""
        cut = self.temporal == "none"
        if isinstance(self.synapse, LearnedDelays):
            return self.synapse.deliver(x, value, cut)
        rows = x.detach() if cut and self.delay else x
        current = self.delivered(rows.flatten(0, 1), value, source).reshape(*x.shape[:2], -1)
        if self.delay:
            current = torch.nn.functional.pad(current, (0, 0, self.delay, 0))[:, : x.shape[1]]
        return current

    def delivered(self, x: Tensor, weight: Tensor, source: Population) -> Tensor:
        """What messages [rows, sources] deliver through weights without delays."""
        (feed,) = feeds_of(Projection("in", "n", self._operators()[0]), source, 0)
        current: Tensor = feed.deliver(x, weight)
        return current

    def _loop(self, cells: Cells, current: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        state = cells.rest(len(current))
        sent: list[Tensor] = []
        for now in current.unbind(1):
            last = sent[-1:] if not cells.cut else [s.detach() for s in sent[-1:]]
            arrives = now + last[0] @ weight.T if last else now
            message, state = cells.step(arrives, state, bias)
            sent.append(message)
        return torch.stack(sent, 1)

    def source_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape that its synapses take, of a tensor of a shape; flat for a Linear."""
        image = not isinstance(self.synapse, MATRICES)
        if image and len(shape) != 3:
            raise InputError(
                f"LIF: {type(self.synapse).__name__} takes [samples, steps, C, H, W], not "
                f"{len(shape)} axes after the steps"
            )
        found = shape if image else (int(np.prod(shape)),)
        wanted = getattr(self.synapse, "in_features", getattr(self.synapse, "in_channels", None))
        if wanted not in (None, found[0]):
            raise InputError(f"LIF: takes {wanted} neurons or channels, is given {found[0]}")
        return found

    def _check(self) -> None:
        QuantConfig(self.bits)
        synapse, kind = self.synapse, type(self.synapse).__name__
        wrong = ""
        if not isinstance(synapse, (*MATRICES, torch.nn.Conv2d, torch.nn.AvgPool2d)):
            wrong = f"{kind} as synapse; there are Linear, LearnedDelays, Conv2d and AvgPool2d"
        elif isinstance(synapse, torch.nn.Conv2d) and (
            synapse.padding_mode != "zeros" or isinstance(synapse.padding, str)
        ):
            wrong = "padding other than by a number of zeros; give it as a number"
        elif isinstance(synapse, torch.nn.AvgPool2d) and (
            synapse.ceil_mode or not (synapse.count_include_pad or _pair(synapse.padding) == (0, 0))
        ):
            wrong = "an AvgPool2d whose windows differ at the borders; turn ceil_mode off"
        elif self.recurrent is not None and (
            self.recurrent.bias is not None or not isinstance(synapse, MATRICES)
        ):
            wrong = "recurrence with a bias, or of an image; give Linear(n, n, bias=False)"
        elif getattr(synapse, "bias", None) is not None and (
            self.current_keep or "current_keep" in self.trains
        ):
            wrong = "a bias of a current that lasts; give bias=False, or current_keep=0"
        elif not all(0 <= keep <= 1 for keep in (self.current_keep, self.voltage_keep)):
            keeps = self.current_keep, self.voltage_keep
            wrong = f"current_keep and voltage_keep of {keeps}; the chip has 0..1"
        elif not set(self.trains) <= set(TRAINED) or (
            self.trains and isinstance(synapse, torch.nn.AvgPool2d)
        ):
            wrong = f"trains {self.trains} of {kind}; give some of {TRAINED}, and no pool"
        elif self.noise is not None and (self.reset, self.refractory, self.sends) != (
            "zero",
            1,
            "spike",
        ):
            wrong = "noise with a soft reset, refractory steps or a readout; leave them out"
        elif "threshold" in self.trains and self.sends == "voltage":
            wrong = "trains the threshold of a readout, which has none; leave it out"
        elif self.threshold <= 0:
            wrong = f"a threshold of {self.threshold:g}; the chip needs more than 0"
        elif self.reset not in RESETS or self.sends not in ("spike", "voltage"):
            wrong = f"reset {self.reset!r} or sends {self.sends!r}; see its parameters"
        elif self.refractory < 1 or not 0 <= self.delay <= 62:
            wrong = f"refractory {self.refractory} or delay {self.delay}; 1.. and 0..62"
        elif self.delay and not isinstance(synapse, torch.nn.Linear):
            wrong = f"a delay of {kind}; delay a Linear"
        if wrong:
            raise UnsupportedError(f"LIF: {wrong}")


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _one_or_each(values: NDArray[np.float64]) -> int | NDArray[np.int32]:
    """A parameter of neurons: one number where all have the same."""
    return int(values[0]) if (values == values[0]).all() else values.astype(np.int32)


def _numbers(weight: Tensor) -> NDArray[np.float64]:
    found: NDArray[np.float64] = weight.detach().cpu().double().numpy()
    return found


__all__ = ["LIF"]
