"""DPSNN in plain torch: a dual-path spiking network that enhances speech, frame by frame.

Our own implementation of the network described by Sun and Bohté, "DPSNN: spiking neural network
for low-latency streaming speech enhancement" (2024, https://doi.org/10.1088/2634-4386/ad93f9);
none of its code is used. The neurons are written in the form in which the chip's integers run
them (`deploy.py`), which differs from the paper's in one place, see `AdaptiveLayer`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from frames import EPSILON, SIZE, STRIDE, TAPS
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """How wide the network is.

    Attributes
    ----------
    channels : int
        Filters of the codec (N).
    neurons : int
        Of every spiking layer (B and H).
    """

    channels: int = 256
    neurons: int = 256


SMALL, FULL = Shape(128, 128), Shape(256, 256)


class _Spike(torch.autograd.Function):
    """1 above 0; the derivative of a fast sigmoid in place of its own."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return grad / (1 + 4 * x.abs()).square()


def spike(x: torch.Tensor) -> torch.Tensor:
    """1 where x > 0, differentiable."""
    made: torch.Tensor = _Spike.apply(x)
    return made


class TemporalLayer(nn.Module):
    """The path through time (SCNN): each channel by itself, five taps, parametric LIF.

    ``v = (1 - g) v + g x``, hard reset from 1 to 0; g is one learned number.
    """

    def __init__(self, neurons: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.3 + 0.6 * torch.randn(TAPS, neurons))
        self.bias = nn.Parameter(torch.zeros(neurons))
        self.gate = nn.Parameter(torch.tensor(0.5))

    @property
    def decay(self) -> torch.Tensor:
        """g in 0..1: what the voltage loses in a frame."""
        return torch.sigmoid(self.gate)

    def forward(self, x: torch.Tensor, state: dict[str, torch.Tensor]) -> torch.Tensor:
        """Take spikes [batch, frames, neurons], give as many."""
        past = state.get("taps", x.new_zeros(len(x), TAPS - 1, x.shape[2]))
        padded = torch.cat([past, x], 1)
        state["taps"] = padded[:, x.shape[1] :]
        frames = x.shape[1]
        current = self.bias + sum(
            self.weight[k] * padded[:, TAPS - 1 - k : TAPS - 1 - k + frames] for k in range(TAPS)
        )
        current, keep = current * self.decay, 1 - self.decay
        v = state.get("v", torch.zeros_like(current[:, 0]))
        sent = []
        for c in current.unbind(1):
            v = v * keep + c
            s = spike(v - 1)
            v = v * (1 - s.detach())
            sent.append(s)
        state["v"] = v
        return torch.stack(sent, 1)


class AdaptiveLayer(nn.Module):
    """The path across channels (SRNN): recurrent neurons whose threshold rises with each spike.

    ``v = a v + W x + R s + b``; a spike at ``v >= theta + r`` adds 2 theta to r, which decays as v
    does, and a step to theta, which decays by its own constant. r is the paper's soft reset (a
    subtraction decays with the voltage it was subtracted from), but by 2 theta, not theta: that
    is what SLAYER's ALIF and Lava's ATRLIF do, and so what the integers do.
    """

    threshold = 1.6
    rise = 0.184

    def __init__(self, inputs: int, neurons: int) -> None:
        super().__init__()
        self.forth = nn.Linear(inputs, neurons)
        self.back = nn.Linear(neurons, neurons, bias=False)
        nn.init.normal_(self.forth.weight, std=1.2 / inputs**0.5)
        nn.init.normal_(self.back.weight, std=0.4 / neurons**0.5)
        self.leak = nn.Parameter(torch.full((neurons,), 0.5))
        self.relax = nn.Parameter(torch.full((neurons,), 2.0))

    def forward(self, x: torch.Tensor, state: dict[str, torch.Tensor]) -> torch.Tensor:
        """Take spikes [batch, frames, inputs], give [batch, frames, neurons]."""
        current = self.forth(x)
        zero = torch.zeros_like(current[:, 0])
        v, r, up, s = (state.get(name, zero) for name in ("v", "r", "up", "s"))
        keep, stay = torch.sigmoid(self.leak), torch.sigmoid(self.relax)
        step, back = self.rise * (1 - stay), self.back.weight.t()
        sent = []
        for c in current.unbind(1):
            v = v * keep + torch.addmm(c, s, back)
            r, up = r * keep, up * stay
            theta = up + self.threshold
            s = spike(v - theta - r)
            r = torch.addcmul(r, s, theta, value=2)
            up = torch.addcmul(up, s, step)
            sent.append(s)
        state.update(v=v, r=r, up=up, s=s)
        return torch.stack(sent, 1)


class Readout(nn.Module):
    """Leaky integrators that send their voltage where it is above a threshold: graded, sparse."""

    def __init__(self, inputs: int, neurons: int) -> None:
        super().__init__()
        self.forth = nn.Linear(inputs, neurons)
        nn.init.normal_(self.forth.weight, std=1 / inputs**0.5)
        self.leak = nn.Parameter(torch.zeros(neurons))
        self.threshold = nn.Parameter(torch.tensor(0.1))

    def forward(self, x: torch.Tensor, state: dict[str, torch.Tensor]) -> torch.Tensor:
        """Take spikes [batch, frames, inputs], give voltages or 0, [batch, frames, neurons]."""
        current, keep = self.forth(x), torch.sigmoid(self.leak)
        v = state.get("v", torch.zeros_like(current[:, 0]))
        held = []
        for c in current.unbind(1):
            v = v * keep + c
            held.append(v)
        state["v"] = v
        voltage = torch.stack(held, 1)
        return voltage * spike(voltage - self.threshold)


class DPSNN(nn.Module):
    """Codec, spiking separator and mask.

    Parameters
    ----------
    shape : Shape
    """

    def __init__(self, shape: Shape = FULL) -> None:
        super().__init__()
        self.shape = shape
        n, b = shape.channels, shape.neurons
        self.encoder = nn.Conv1d(1, n, SIZE, STRIDE)
        self.project = nn.Linear(n, b)
        self.temporal = TemporalLayer(b)
        self.adaptive = AdaptiveLayer(b, b)
        self.readout = Readout(b, b)
        self.mask = nn.Linear(b, n)
        self.decoder = nn.ConvTranspose1d(n, 1, SIZE, STRIDE, bias=False)
        begin_as_cosines(self.encoder, self.decoder)
        nn.init.constant_(self.mask.bias, 2.0)

    def forward(
        self, sound: torch.Tensor, states: dict[str, dict[str, torch.Tensor]] | None = None
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Enhance float sound.

        Parameters
        ----------
        sound : [batch, samples]
        states : dict, optional
            Where the layers keep their states from call to call.

        Returns
        -------
        [batch, samples]
            Frames overlap, so the first and last hop are of one frame only.
        dict of str to Tensor
            What each spiking layer sent, [batch, frames, neurons].
        """
        states = {} if states is None else states
        features = F.relu(self.encoder(sound[:, None])).transpose(1, 2)
        sent = {"project": spike(self.project(normalised(features)))}
        for name, source in (("temporal", "project"), ("adaptive", "temporal")):
            layer = getattr(self, name)
            sent[name] = layer(sent[source], states.setdefault(name, {}))
        sent["readout"] = self.readout(sent["adaptive"], states.setdefault("readout", {}))
        masked = features * torch.sigmoid(self.mask(sent["readout"]))
        return self.decoder(masked.transpose(1, 2))[:, 0], sent

    def settings(self) -> dict[str, int]:
        """What a checkpoint needs to build it again."""
        return asdict(self.shape)


def begin_as_cosines(encoder: nn.Conv1d, decoder: nn.ConvTranspose1d) -> None:
    """Let the codec begin as a transform that gives sound back, in place of random filters.

    A filter and its negative hold, behind their ReLUs, both halves of one coefficient of a
    windowed cosine transform (DCT-IV, sine window, whose square adds up to 1 over the hops), then
    of a sine transform, as far as there are channels for them. Training goes on from there.
    """
    pairs = encoder.out_channels // 2
    sines = min(max(pairs - SIZE, 0), SIZE)
    places = (torch.arange(SIZE) + 0.5) / SIZE * torch.pi
    turns = torch.outer(torch.arange(SIZE) + 0.5, places)
    window = (2 / SIZE) ** 0.5 * torch.sin(places)
    bank = torch.cat([torch.cos(turns)[: min(pairs, SIZE)], torch.sin(turns)[:sines]]) * window
    share = torch.ones(len(bank), 1)
    share[:sines] = share[SIZE:] = 0.5
    with torch.no_grad():
        nn.init.normal_(encoder.weight, std=0.1)
        nn.init.zeros_(encoder.bias)
        nn.init.normal_(decoder.weight, std=0.001)
        for module, filters in ((encoder, bank), (decoder, bank * share)):
            module.weight[: 2 * len(bank) : 2, 0] = filters
            module.weight[1 : 2 * len(bank) : 2, 0] = -filters


def normalised(features: torch.Tensor) -> torch.Tensor:
    """Layer normalisation over the channels of a frame; scale and offset are in `project`."""
    return F.layer_norm(features, features.shape[-1:], eps=EPSILON)


def si_snr(made: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Scale-invariant signal-to-noise ratio of [batch, samples], dB each."""
    made, clean = (x - x.mean(1, keepdim=True) for x in (made, clean))
    wanted = clean * (
        (made * clean).sum(1, keepdim=True) / (clean.square().sum(1, keepdim=True) + 1e-8)
    )
    return 10 * torch.log10(
        (wanted.square().sum(1) + 1e-8) / ((made - wanted).square().sum(1) + 1e-8)
    )
