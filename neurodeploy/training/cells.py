"""CUBA neurons in torch, stepped as the engine steps them, or without rounding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ..errors import UnsupportedError
from ..network import Neuron
from ..network.fixed_point import ACTIVATION_SHIFT, DECAY_UNITY
from .noise import Generator
from .surrogates import DEFAULT, Surrogate
from .torch_rounding import kept, saturated, spike, wrapped

Tensor = torch.Tensor
UNIT = 1 << ACTIVATION_SHIFT


class State(NamedTuple):
    """u, v and the steps still to wait after a spike, each float64 [samples, neurons]."""

    u: Tensor
    v: Tensor
    wait: Tensor

    def detached(self) -> State:
        """Give the same states without their past."""
        return State(*(state.detach() for state in self))


class Cells(torch.nn.Module):
    """A population's neurons: `CubaLIF`, `GeneralCubaLIF` (spikes of 1) or `LeakyIntegrator`.

    Attributes
    ----------
    whole : bool
        Whether states are whole numbers, as the chip's. False: the same equations in floats.
    readout : bool
        Whether v is sent, in place of spikes.
    surrogate : Surrogate
        Of the spikes' derivative.
    cut : bool
        Whether no gradient passes from step to step: states enter each as constants.
    noise : Generator or None
        Of the threshold; `clock` counts the steps since `rest`.
    """

    current_decay: Tensor
    voltage_decay: Tensor
    threshold: Tensor
    bias: Tensor
    refractory: Tensor
    taken_off: Tensor

    def __init__(
        self, neuron: Neuron, size: int, name: str, surrogate: Surrogate = DEFAULT
    ) -> None:
        super().__init__()
        self.surrogate, self.cut, self.clock = surrogate, False, 0
        self.noise: Generator | None = None
        form = neuron.cuba_form()
        if form is None or (
            form.graded
            or form.input_exponent != ACTIVATION_SHIFT
            or form.voltage_exponent
            or form.bias_into != "voltage"
        ):
            raise UnsupportedError(
                f"population {name!r}: {neuron.kind} neurons with these choices are not trained "
                f"here; CUBA neurons are, with spikes of 1 and a bias of the voltage"
            )
        self.whole = True
        self.readout, self.reset = neuron.is_readout, form.reset
        for what in (
            "current_decay", "voltage_decay", "threshold", "bias", "refractory", "taken_off",
        ):  # fmt: skip
            value = np.broadcast_to(np.asarray(getattr(form, what), np.float64), size)
            self.register_buffer(what, torch.from_numpy(value.copy()))
        self.waits = bool((self.refractory > 1).any())

    def rest(self, samples: int) -> State:
        """States at the beginning."""
        self.clock = 0
        zeros = self.bias.new_zeros((samples, self.bias.numel()))
        return State(zeros, zeros, zeros)

    def step(
        self, current: Tensor, state: State, bias: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Advance by what arrives, float64 [samples, neurons]; give what is sent.

        `bias` stands in for the neurons' own where it is trained.
        """
        bias = self.bias if bias is None else bias
        if self.cut:
            state = state.detached()
        u = self._kept(state.u, self.current_decay) + UNIT * current
        if self.whole:
            u = wrapped(u)
        threshold = UNIT * self.threshold
        kept_v = self._kept(state.v, self.voltage_decay)
        if self.reset == "subtract-late":
            kept_v = kept_v - self.taken_off * (state.v > threshold)
        v = saturated(kept_v + u + UNIT * bias)
        if self.readout:
            return v, State(u, v, state.wait)
        wait = state.wait
        if self.waits:
            v = torch.where(wait > 0, state.v, v)
        noise = None if self.noise is None else self.noise.at(self.clock)
        self.clock += 1
        sent = spike(v, threshold, self.surrogate, noise)
        if self.waits:
            sent = sent * (wait == 0)
        fired = sent.detach()
        if self.reset == "zero":
            v = v * (1 - fired)
        elif self.reset == "subtract":
            v = v - self.taken_off * fired
        if self.waits:
            wait = torch.where(fired > 0, self.refractory - 1, (wait - 1).clamp(min=0))
        return sent, State(u, v, wait)

    def run(self, currents: Tensor, starts: int = 0, bias: Tensor | None = None) -> Tensor:
        """Run over currents [samples, steps, neurons] from rest; at rest before step `starts`."""
        state, sent = self.rest(len(currents)), []
        for t, current in enumerate(currents.unbind(1)):
            if t < starts:
                sent.append(torch.zeros_like(current))
                continue
            message, state = self.step(current, state, bias)
            sent.append(message)
        return torch.stack(sent, 1)

    def _kept(self, state: Tensor, decay: Tensor) -> Tensor:
        if self.whole:
            return kept(state, decay)
        left: Tensor = state * ((DECAY_UNITY - decay) / DECAY_UNITY)
        return left
