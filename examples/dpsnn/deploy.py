"""From trained DPSNN to the chip's integers: a network, and the codec that stays on the host.

``python examples/dpsnn/deploy.py dpsnn.pt RECORDINGS [-o dpsnn.net]`` writes ``dpsnn.net`` and
``dpsnn.npz``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from data import Mixtures
from frames import EPSILON, RATE, STRIDE, one_line_errors
from network import DPSNN
from numpy.typing import NDArray

import neurodeploy as nd
from neurodeploy.audio.enhancement import MaskCodec, MaskFront
from neurodeploy.errors import NeurodeployError
from neurodeploy.network import (
    ALIF,
    CubaLIF,
    Dense,
    GradedThreshold,
    Network,
    Population,
    Projection,
    Source,
    TemporalFIR,
)
from neurodeploy.network.fixed_point import DECAY_UNITY, STATE_LIMIT

BITS = 8
GAIN, LARGEST = 16, 255
"""Inputs count in sixteenths of a standard deviation; of 256 channels none is beyond 16."""

HEADROOM = 2
"""How much louder than anything in the calibration the graded sums may become."""

CALIBRATED = 8
"""Mixtures of a second for that."""


def grid(values: NDArray[np.float64], bits: int) -> tuple[NDArray[np.int32], float]:
    """Round to even integers, as the chip stores weights of both signs; give what 1 becomes."""
    step = 1 << (9 - bits)
    scale = ((1 << bits - 1) - 1) * step / float(np.abs(values).max())
    whole = np.rint(values * scale / step) * step
    return whole.astype(np.int32), scale


def rounded(values: NDArray[np.float64] | float) -> NDArray[np.int32]:
    """Round to int32."""
    return np.rint(np.asarray(values, np.float64)).astype(np.int32)


def decays(kept: NDArray[np.float64]) -> NDArray[np.int32]:
    """12-bit decays of what is kept of a state from frame to frame."""
    return rounded((1 - kept) * DECAY_UNITY)


def network_of(model: DPSNN, bits: int = BITS, exponent: int = 6) -> tuple[Network, float]:
    """Round a model's parameters.

    Parameters
    ----------
    model : DPSNN
    bits : int
        Of all weights, 2 to 8.
    exponent : int
        Of the readout's current: how finely its graded messages count.

    Returns
    -------
    Network
        Takes normalised channels in 1/16, gives the mask before its bias and sigmoid.
    float
        What of its output is 1.
    """
    held = {k: v.detach().double().numpy() for k, v in model.state_dict().items()}
    channels, neurons = model.shape.channels, model.shape.neurons
    off = DECAY_UNITY  # a state that keeps nothing

    project, scale = grid(held["project.weight"], bits)
    populations = [Population("input", (channels,), Source(signed=True))]
    populations.append(
        Population(
            "project",
            (neurons,),
            CubaLIF(off, off, 0, rounded(held["project.bias"] * scale * GAIN)),
        )
    )

    gate = float(model.temporal.decay)
    taps, scale = grid(held["temporal.weight"] * gate, bits)
    bias = rounded(held["temporal.bias"] * gate * scale)
    populations.append(
        Population(
            "temporal",
            (neurons,),
            CubaLIF(off, int(rounded(gate * off)), int(rounded(scale)), bias),
        )
    )

    both = np.concatenate([held["adaptive.forth.weight"], held["adaptive.back.weight"]], 1)
    whole, scale = grid(both, bits)
    forth, back = np.split(whole, 2, 1)
    kept, stays = (_sigmoid(held[f"adaptive.{name}"]) for name in ("leak", "relax"))
    populations.append(
        Population(
            "adaptive",
            (neurons,),
            ALIF(
                current_decay=off,
                voltage_decay=decays(kept),
                threshold_decay=decays(stays),
                refractory_decay=decays(kept),
                threshold=int(rounded(model.adaptive.threshold * scale)),
                threshold_step=rounded(model.adaptive.rise * (1 - stays) * scale),
                bias=rounded(held["adaptive.forth.bias"] * scale),
            ),
        )
    )

    readout, scale = grid(held["readout.forth.weight"], bits)
    scale *= 2.0 ** (exponent - 6)
    populations.append(
        Population(
            "readout",
            (neurons,),
            # No reset: what a spike adds to r is gone by the next frame.
            ALIF(
                current_decay=off,
                voltage_decay=decays(_sigmoid(held["readout.leak"])),
                threshold_decay=off,
                refractory_decay=off,
                threshold=max(1, int(rounded(held["readout.threshold"] * scale))),
                threshold_step=0,
                bias=rounded(held["readout.forth.bias"] * scale),
                graded_spike=True,
                input_exponent=exponent,
            ),
        )
    )

    mask, mask_scale = grid(held["mask.weight"], bits)
    populations.append(Population("mask", (channels,), GradedThreshold(0)))
    chain = zip(
        populations,
        populations[1:],
        (Dense(project), TemporalFIR(taps), Dense(forth), Dense(readout), Dense(mask)),
        strict=False,
    )
    projections = [Projection(a.name, b.name, synapse) for a, b, synapse in chain]
    projections.append(Projection("adaptive", "adaptive", Dense(back)))
    # In training all layers begin with the first frame.
    started = [replace(p, starts=lag) for lag, p in enumerate(populations)]
    return Network(started, projections), 64 * scale * mask_scale


def codec_of(model: DPSNN, unit: float) -> MaskCodec:
    """What of a model stays on the host."""
    held = {k: v.detach().double().numpy() for k, v in model.state_dict().items()}
    return MaskCodec(
        encoder=held["encoder.weight"][:, 0],
        bias=held["encoder.bias"],
        decoder=held["decoder.weight"][:, 0],
        mask_bias=held["mask.bias"],
        mask_unit=unit,
        gain=GAIN,
        largest=LARGEST,
        epsilon=EPSILON,
        hop=STRIDE,
    )


def deploy(
    model: DPSNN, calibration: list[NDArray[np.float32]], bits: int = BITS
) -> tuple[Network, MaskCodec]:
    """Round a model; its graded messages as finely as 24-bit states hold them.

    Parameters
    ----------
    model : DPSNN
    calibration : list of float32 [samples]
        Noisy sound.
    bits : int
        Of all weights.
    """
    for exponent in range(6, -7, -1):
        network, unit = network_of(model, bits, exponent)
        codec = codec_of(model, unit)
        if HEADROOM * max(_largest(network, codec, sound) for sound in calibration) < STATE_LIMIT:
            return network, codec
    raise NeurodeployError(
        "readout: its sums leave 24 bits at any exponent; train with a larger --sparing"
    )


def _largest(network: Network, codec: MaskCodec, sound: NDArray[np.float32]) -> int:
    """Largest magnitude that readout and mask reach."""
    recording = nd.run(network, MaskFront(codec).encode(sound), record=["spikes", "v"])
    reached = (recording["readout"].v, recording.output)
    return max(int(np.abs(values).max()) for values in reached)


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    made: NDArray[np.float64] = 1 / (1 + np.exp(-x))
    return made


def main() -> None:
    from train import load

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("dpsnn.net"))
    parser.add_argument("--bits", type=int, default=BITS)
    given = parser.parse_args()
    model, _ = load(given.checkpoint)
    mixtures = Mixtures(given.recordings, "train")
    calibration = [mixtures.draw(number, RATE)[0] for number in range(CALIBRATED)]
    network, codec = deploy(model, calibration, given.bits)
    nd.save(network, given.out)
    codec.save(given.out.with_suffix(".npz"))
    print(f"{given.out}, {given.out.with_suffix('.npz')}: {network.input.size} channels")


if __name__ == "__main__":
    with one_line_errors():
        main()
