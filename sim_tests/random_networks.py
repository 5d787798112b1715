"""Draws random networks of every kind the engine runs, and inputs for them, from a seed."""

from __future__ import annotations

import numpy as np

from neurodeploy.network import (
    Average,
    Conv,
    CubaLIF,
    DelayedDense,
    Delta,
    Dense,
    GradedThreshold,
    InputTransform,
    Network,
    Neuron,
    Population,
    Projection,
    Readout,
    Sigma,
    SigmaDelta,
    Source,
    Sparse,
    Synapse,
    TernaryLIF,
)


class Draw:
    """One random network; the same seed gives the same network and inputs."""

    def __init__(
        self,
        seed: int,
        *,
        delays: bool = True,
        recurrent: bool = True,
        sigma_delta: bool = True,
        beyond_netx: bool = False,
    ) -> None:
        """`beyond_netx` also draws what Lava has and NetX cannot hold."""
        self.seed = seed
        self.beyond_netx = beyond_netx
        self.rng = np.random.default_rng(seed)
        self.delays = delays
        self.recurrent = recurrent
        self.sigma_delta = bool(self.rng.random() < 0.4) and sigma_delta
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.network = self._network()

    def inputs(self, samples: int = 1, steps: int = 24) -> np.ndarray:
        """Integers as `inputs.present` gives them, [samples, steps, *shape]."""
        shape = (samples, steps, *self.network.input.shape)
        neuron = self.network.input.neuron
        if isinstance(neuron, Source) and not neuron.signed:
            return (self.rng.random(shape) < self.rng.choice([0.05, 0.3, 0.8])).astype(np.int32)
        low, high = (-3000, 3000) if isinstance(neuron, Source) else (-60, 90)
        held = self.rng.integers(low, high, (samples, 1, *shape[2:]))
        moving = self.rng.integers(low // 4, high // 4, shape)
        return (held + moving).astype(np.int32)

    def _network(self) -> Network:
        rng = self.rng
        flat = rng.random() < 0.5
        shape = (int(rng.integers(2, 24)),) if flat else self._image()
        self._input(shape)
        for layer in range(int(rng.integers(1, 4))):
            source = self.populations[-1]
            if len(source.shape) == 3 and rng.random() < 0.65:
                self._conv(layer, source)
            else:
                self._dense(layer, source)
        if self.sigma_delta and len(self.populations) > 1 and rng.random() < 0.6:
            last = self.populations[-1]
            self.populations[-1] = Population(last.name, last.shape, Sigma())
        elif len(self.populations[-1].shape) == 1 and rng.random() < 0.2:
            source = self.populations[-1]
            self.populations.append(Population("average", (1,), Average(source.size)))
            self.projections.append(Projection(source.name, "average", Readout()))
        return Network(tuple(self.populations), tuple(self.projections))

    def _image(self) -> tuple[int, int, int]:
        rng = self.rng
        return int(rng.choice([1, 2, 4])), int(rng.integers(5, 10)), int(rng.integers(5, 12))

    def _input(self, shape: tuple[int, ...]) -> None:
        rng = self.rng
        if rng.random() < 0.5:
            self.populations.append(Population("input", shape, Source(signed=self.sigma_delta)))
            return
        transform = InputTransform(float(rng.integers(1, 80)), float(rng.integers(-40, 40)))
        neuron = Delta(int(rng.integers(0, 12))) if self.sigma_delta else self._neuron(shape, 64)
        if isinstance(neuron, CubaLIF):  # an input layer's bias belongs to its transform
            neuron = CubaLIF(neuron.current_decay, neuron.voltage_decay, neuron.threshold)
        self.populations.append(Population("input", shape, neuron, transform=transform))

    def _neuron(self, shape: tuple[int, ...], drive: float, layer: bool = False) -> Neuron:
        rng = self.rng
        bias: int | np.ndarray = 0
        if rng.random() < 0.5:
            channels = rng.integers(-60, 60, shape[0])
            bias = np.repeat(channels, int(np.prod(shape[1:]))).astype(np.int32)
        if self.sigma_delta:
            return SigmaDelta(int(rng.integers(0, 12)), bias)
        current_decay = int(rng.choice([0, 1, 410, 1024, 2048, 4095, 4096]))
        voltage_decay = int(rng.choice([0, 3, 128, 1024, 3000, 4096]))
        threshold = int(rng.integers(1, max(3, int(2 * drive))))
        if layer and self.beyond_netx and rng.random() < 0.5:
            if rng.random() < 0.4:
                return GradedThreshold(threshold, bool(rng.random() < 0.5))
            lower = -int(rng.integers(1, max(3, int(2 * drive))))
            return TernaryLIF(current_decay, voltage_decay, threshold, lower, bias)
        if rng.random() < 0.1:
            threshold = 131071  # never fires: the states run into their limits
        return CubaLIF(current_decay, voltage_decay, threshold, bias)

    def _weights(self, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
        """Weights as SLAYER exports them (even), to the clip limits, or of one sign."""
        rng = self.rng
        if isinstance(self.populations[-1].neuron, GradedThreshold):  # payloads that grow enough
            return (2 * rng.integers(-3, 4, shape)).astype(np.int32)
        kind = rng.choice(["even", "limits", "excitatory", "odd", "sparse", "inhibitory"])
        scale = 30 if self.sigma_delta else 120
        if kind == "limits":
            weight = rng.choice([-256, -128, 0, 2, 254], shape)
        elif kind == "excitatory":
            weight = rng.integers(0, 256 if not self.sigma_delta else 40, shape)
        elif kind == "inhibitory":
            weight = -rng.integers(0, 256 if not self.sigma_delta else 40, shape)
        elif kind == "odd":
            weight = rng.integers(-127, 128, shape) // (4 if self.sigma_delta else 1)
        else:
            weight = 2 * rng.integers(-scale // 2, scale // 2, shape)
            if kind == "sparse":
                weight = weight * (rng.random(shape) < 0.2)
        return weight.astype(np.int32)

    def _matrix(self, weight: np.ndarray) -> Dense | DelayedDense | Sparse:
        """A dense operator; beyond NetX now and then a sparse one or one with delays."""
        rng = self.rng
        if not self.beyond_netx or rng.random() < 0.3:
            return Dense(weight)
        if rng.random() < 0.5:
            return Sparse.from_dense((weight * (rng.random(weight.shape) < 0.5)).astype(np.int32))
        return DelayedDense(weight, rng.integers(0, 12, weight.shape).astype(np.int32))

    def _append(self, layer: int, shape: tuple[int, ...], synapse: Synapse) -> None:
        rng = self.rng
        source = self.populations[-1].name
        fan_in = max(1, synapse.weight.size // shape[0])
        drive = 0.2 * fan_in * float(np.abs(synapse.weight).sum() / max(1, synapse.weight.size)) + 1
        delay = None
        if self.delays and not isinstance(synapse, Conv) and rng.random() < 0.3:
            delay = rng.integers(0, 9, int(np.prod(shape))).astype(np.int32)
            delay = delay if delay.any() else None
        name = f"{layer}_{synapse.kind}"
        self.populations.append(Population(name, shape, self._neuron(shape, drive, True), delay))
        self.projections.append(Projection(source, name, synapse))

    def _dense(self, layer: int, source: Population) -> None:
        rng = self.rng
        size = int(rng.integers(1, 20))
        self._append(layer, (size,), self._matrix(self._weights((size, source.size), source.size)))
        population = self.populations[-1]
        if self.recurrent and population.axon_delay is None and rng.random() < 0.3:
            loop = self._matrix(self._weights((size, size), size))
            unstable = self.sigma_delta or isinstance(population.neuron, GradedThreshold)
            if not unstable:  # an unstable loop only tests int32 overflow
                self.projections.append(Projection(population.name, population.name, loop))

    def _conv(self, layer: int, source: Population) -> None:
        rng = self.rng
        channels = source.shape[0]
        groups = int(rng.choice([g for g in (1, 2, 4) if channels % g == 0]))
        kernel = tuple(int(rng.integers(1, 4)) for _ in "yx")
        synapse = Conv(
            self._weights((groups * int(rng.integers(1, 4)), channels // groups, *kernel), 9),
            stride=tuple(int(rng.integers(1, 3)) for _ in "yx"),
            padding=tuple(int(rng.integers(0, 2)) for _ in "yx"),
            dilation=tuple(int(rng.integers(1, 3)) for _ in "yx"),
            groups=groups,
        )
        shape = synapse.output_shape(source.shape)
        if min(shape[1:]) < 1:
            self._dense(layer, source)
        else:
            self._append(layer, shape, synapse)
