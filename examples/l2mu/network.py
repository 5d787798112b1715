"""The published L2MU for seven Braille letters (neuromorphic-polito/L2MU-Braille, Apache-2.0).

A Legendre memory unit of spiking neurons: an encoder u, a memory m of 70 channels of order 7 whose
recurrence is the unit's A and whose input is its B, a hidden layer h, and the letters. All are
snnTorch's Leaky neurons, which lose a threshold in the step after a spike.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InputError
from neurodeploy.network import Dense, FloatLIF, Network, Population, Projection, Source
from neurodeploy.numpy_files import read_archive

NEURONS = ("u", "m", "h", "output")
MATRICES = (
    "e_x", "W_x", "B", "A", "W_m", "W_h", "e_h", "e_m", "output_transformation",
)  # fmt: skip


def load(path: Path) -> Network:
    """Read the weights.

    Raises
    ------
    InputError
        If one is missing.
    """
    held = read_archive(path, cure="give l2mu_7class.npz")
    wanted = [f"{name}.weight" for name in MATRICES]
    wanted += [f"spk_{name}.{what}" for name in NEURONS for what in ("beta", "threshold")]
    if missing := [name for name in (*wanted, "output_transformation.bias") if name not in held]:
        raise InputError(f"{path}: no {missing[0]}; give l2mu_7class.npz")
    return l2mu(held)


def letters(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Spikes [280, 256, 12] and letters of NIR's validation part."""
    held = read_archive(path, ("spikes", "labels"), cure="give braille7/val_0.npz")
    if not {"spikes", "labels"} <= held.keys():
        raise InputError(f"{path}: needs spikes and labels; give braille7/val_0.npz")
    return held["spikes"], held["labels"]


def l2mu(weights: Mapping[str, NDArray[np.float32]]) -> Network:
    """The network of a state dict; each channel of the memory has the same A and B."""
    order = len(weights["A.weight"])
    neurons = {name: weights[f"{name}.weight"].shape[0] for name in ("e_x", "W_x")}
    channels, hidden = neurons["e_x"], neurons["W_x"]

    def leaky(name: str, bias: float | NDArray[np.float32] = 0.0) -> FloatLIF:
        keep = float(np.clip(weights[f"spk_{name}.beta"], 0, 1))
        threshold = float(weights[f"spk_{name}.threshold"])
        return FloatLIF(
            voltage_keep=keep, threshold=threshold, voltage_bias=bias,
            reset="subtract", reset_time="after",
        )  # fmt: skip

    def dense(source: str, target: str, name: str, blocks: int = 1) -> Projection:
        weight = weights[f"{name}.weight"].astype(np.float32)
        return Projection(source, target, Dense(np.kron(np.eye(blocks, dtype=np.float32), weight)))

    bias = weights["output_transformation.bias"].astype(np.float32)
    return Network(
        (Population("input", (weights["e_x.weight"].shape[1],), Source()),
         Population("u", (channels,), leaky("u")),
         Population("m", (channels * order,), leaky("m")),
         Population("h", (hidden,), leaky("h")),
         Population("out", (len(bias),), leaky("output", bias))),
        (dense("input", "u", "e_x"), dense("input", "h", "W_x"), dense("u", "m", "B", channels),
         dense("m", "m", "A", channels), dense("m", "h", "W_m"), dense("h", "h", "W_h"),
         dense("h", "u", "e_h"), dense("m", "u", "e_m"),
         dense("h", "out", "output_transformation")),
    )  # fmt: skip
