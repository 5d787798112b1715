"""Quantization-aware training: it sees the integers that will run. Needs torch.

`fine_tune` for networks; `slayer.quantized` for modules of SLAYER blocks, which needs lava-dl;
`layers` for spiking modules in plain torch, `delays` for delays that are trained.
"""

from .delays import Annealing, LearnedDelays
from .fine_tuning import Stage, Tuned, fine_tune
from .from_torch import from_torch
from .pruning import Limits, Pruned

__all__ = [
    "Annealing",
    "LearnedDelays",
    "Limits",
    "Pruned",
    "Stage",
    "Tuned",
    "fine_tune",
    "from_torch",
]
