"""DPSNN below 8 bits, rounded alone and after further training in those bits; see README.md.

``python examples/dpsnn/fewer_bits.py RECORDINGS [--checkpoint dpsnn.pt] [--bits 8 6 4 3]`` goes on
from a checkpoint of train.py, or from the shipped network, whose weights of 8 bits are then what
all else is measured by. While it trains, every forward pass has the weights of that many bits
that `deploy` makes; gradients pass straight through (Bengio et al. 2013, arXiv:1308.3432).
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import Mixtures
from deploy import CALIBRATED, GAIN, deploy
from frames import RATE, one_line_errors
from network import DPSNN, Shape
from numpy.typing import NDArray
from train import load, train

import neurodeploy as nd
from neurodeploy.audio.enhancement import MaskCodec, MaskFront, enhance_whole, si_snr
from neurodeploy.audio.mixing import NOISES
from neurodeploy.network import Network
from neurodeploy.network.fixed_point import DECAY_UNITY

EXPORTS = Path(__file__).resolve().parents[2] / "netx_exports"
SNRS, SECONDS = (0.0, 5.0, 10.0), 4
RATE_OF_LEARNING = 5e-4
TOGETHER = (
    ("project.weight",), ("temporal.weight",), ("adaptive.forth.weight", "adaptive.back.weight"),
    ("readout.forth.weight",), ("mask.weight",),
)  # fmt: skip
"""Weights that share a scale in `deploy.network_of`."""


class Rounded(torch.nn.Module):
    """A DPSNN that computes with weights of some bits and trains the ones behind them.

    Parameters
    ----------
    model : DPSNN
    bits : int
        2 to 8.
    """

    def __init__(self, model: DPSNN, bits: int) -> None:
        super().__init__()
        self.model, self.most = model, (1 << bits - 1) - 1

    def weights(self) -> dict[str, torch.Tensor]:
        """All parameters, weights on `deploy.grid`."""
        found: dict[str, torch.Tensor] = dict(self.model.named_parameters())
        for names in TOGETHER:
            largest = max(float(found[name].detach().abs().max()) for name in names)
            step = largest / self.most
            for name in names:
                exact = found[name]
                found[name] = exact + (torch.round(exact / step) * step - exact).detach()
        return found

    def forward(self, sound: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """As `DPSNN.forward`."""
        made: tuple[torch.Tensor, dict[str, torch.Tensor]] = torch.func.functional_call(
            self.model, self.weights(), (sound,)
        )
        return made

    def settings(self) -> dict[str, int]:
        """Of the model."""
        return self.model.settings()

    def state_dict(self, *args: Any, **more: Any) -> dict[str, Any]:
        """Of the model, so that a checkpoint is one of train.py."""
        return self.model.state_dict(*args, **more)


def model_of(network: Network, codec: MaskCodec) -> DPSNN:
    """Turn back what `deploy` did: a model whose weights are a network's integers, scaled.

    Parameters
    ----------
    network : Network
        Of `deploy`.
    codec : MaskCodec
        Written with it.
    """
    neurons = {p.name: p.neuron.parameters for p in network.populations}
    arrays = {(p.source, p.target): p.synapse.only_array for p in network.projections}
    whole = {pair: array.astype(np.float64) for pair, array in arrays.items()}
    project, taps = whole["input", "project"], whole["project", "temporal"]
    forth, back = whole["temporal", "adaptive"], whole["adaptive", "adaptive"]
    readout, mask = whole["adaptive", "readout"], whole["readout", "mask"]
    channels, size = mask.shape[0], project.shape[0]

    model = DPSNN(Shape(channels, size))
    scale = 16 * float(np.sqrt(np.square(project).mean()))  # a sign test: any scale will do
    held = {"project.weight": project / scale}
    held["project.bias"] = neurons["project"]["bias"] / (scale * GAIN)
    gate = float(np.max(neurons["temporal"]["voltage_decay"])) / DECAY_UNITY
    scale = gate * float(np.max(neurons["temporal"]["threshold"]))
    held["temporal.weight"], held["temporal.bias"] = (
        taps / scale, neurons["temporal"]["bias"] / scale,
    )  # fmt: skip
    held["temporal.gate"] = _logit(np.array(gate))
    scale = float(np.max(neurons["adaptive"]["threshold"])) / model.adaptive.threshold
    held["adaptive.forth.weight"], held["adaptive.back.weight"] = forth / scale, back / scale
    held["adaptive.forth.bias"] = neurons["adaptive"]["bias"] / scale
    held["adaptive.leak"] = _logit(1 - neurons["adaptive"]["voltage_decay"] / DECAY_UNITY)
    held["adaptive.relax"] = _logit(1 - neurons["adaptive"]["threshold_decay"] / DECAY_UNITY)
    # What a graded message counts is between readout and mask alone.
    scale = size**0.5 * float(np.sqrt(np.square(readout).mean()))
    graded = scale * 2.0 ** (int(neurons["readout"]["input_exponent"]) - 6)
    held["readout.forth.weight"] = readout / scale
    held["readout.forth.bias"] = neurons["readout"]["bias"] / graded
    held["readout.threshold"] = np.max(neurons["readout"]["threshold"]) / graded
    held["readout.leak"] = _logit(1 - neurons["readout"]["voltage_decay"] / DECAY_UNITY)
    held["mask.weight"], held["mask.bias"] = mask * (64 * graded / codec.mask_unit), codec.mask_bias
    held["encoder.weight"], held["encoder.bias"] = codec.encoder[:, None], codec.bias
    held["decoder.weight"] = codec.decoder[:, None]
    state = model.state_dict()
    with torch.no_grad():
        for name, value in held.items():
            made = torch.from_numpy(np.array(value, np.float64))
            state[name].copy_(made.broadcast_to(state[name].shape))
    return model


def _logit(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a share kept; half a step of a decay away from 0 and 1."""
    inside = np.clip(np.asarray(share, np.float64), 0.5 / DECAY_UNITY, 1 - 0.5 / DECAY_UNITY)
    made: NDArray[np.float64] = np.log(inside / (1 - inside))
    return made


def clips(recordings: Path, number: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Noisy and clean test speech: so many for each noise and SNR."""
    mixtures = Mixtures(recordings, "test")
    asked = [(kind, snr) for kind in NOISES for snr in SNRS for _ in range(number)]
    return [mixtures.draw(n, SECONDS * RATE, kind, snr) for n, (kind, snr) in enumerate(asked)]


def ratios_of(network: Network, codec: MaskCodec, heard: list[Any]) -> NDArray[np.float64]:
    """SI-SNR of the integers, dB, for each clip."""
    front = MaskFront(codec, network.hops(network.output.name))
    return np.array([si_snr(enhance_whole(network, n, front), c) for n, c in heard])


def ratios_of_floats(model: DPSNN, heard: list[Any]) -> NDArray[np.float64]:
    """SI-SNR of a model in floats, dB, for each clip."""
    found = []
    with torch.no_grad():
        for noisy, clean in heard:
            made = model(torch.from_numpy(noisy)[None])[0][0].numpy()
            found.append(si_snr(made, clean[: len(made)]))
    return np.array(found)


def told(what: str, ratios: NDArray[np.float64], whole: NDArray[np.float64]) -> None:
    """Print a mean and, clip by clip, what lies between it and the untrained 8 bits."""
    lost = whole - ratios
    error = lost.std(ddof=1) / len(lost) ** 0.5
    print(
        f"{what}: {ratios.mean():.2f} dB, below 8 bits by {lost.mean():.2f} "
        f"(standard error {error:.2f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="of train.py; else the shipped network")
    parser.add_argument("--bits", type=int, nargs="+", choices=range(2, 9), default=[8, 6, 4, 3])
    parser.add_argument("--steps", type=int, default=60, help="of further training")
    parser.add_argument("--clips", type=int, default=2, help="for each noise and SNR")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if given.checkpoint is None:
        model = model_of(nd.load(EXPORTS / "dpsnn.net"), MaskCodec.load(EXPORTS / "dpsnn.npz"))
    else:
        model, _ = load(given.checkpoint)
    parts = [Mixtures(given.recordings, part) for part in ("train", "validation")]
    calibration = [parts[0].draw(number, RATE)[0] for number in range(CALIBRATED)]
    heard = clips(given.recordings, given.clips)
    before = np.mean([si_snr(noisy, clean) for noisy, clean in heard])
    whole = ratios_of(*deploy(model, calibration), heard)
    print(f"{len(heard)} clips: noisy {before:.2f} dB, in 8 bits {whole.mean():.2f}")
    told("floats", ratios_of_floats(model, heard), whole)
    for bits in given.bits:
        told(f"{bits} bits, rounded", ratios_of(*deploy(model, calibration, bits), heard), whole)
        learner = Rounded(copy.deepcopy(model), bits)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rounded.pt"
            state = train(learner, *parts, path, given.steps, 1.0, rate=RATE_OF_LEARNING)
            tuned, _ = load(path)
        told(
            f"{bits} bits, {given.steps} steps of training in them "
            f"({state['processor_seconds']:.0f} s of CPU)",
            ratios_of(*deploy(tuned, calibration, bits), heard),
            whole,
        )


if __name__ == "__main__":
    with one_line_errors():
        main()
