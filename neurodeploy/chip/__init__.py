"""Chips as data, and the placement of a network onto their cores."""

from .fitting import boards, fit
from .placement import Misfit, Placement, Utilisation
from .specification import DEFAULT_CHIP, Chip, Constant, load_chip

__all__ = [
    "DEFAULT_CHIP",
    "Chip",
    "Constant",
    "Misfit",
    "Placement",
    "Utilisation",
    "boards",
    "fit",
    "load_chip",
]
