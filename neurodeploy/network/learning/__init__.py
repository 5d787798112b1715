"""Learning rules as data, and published ones ready-made."""

from .equations import Equation, Factor, Product, read_rule
from .rule import LearningRule
from .shipped import (
    delta_rule,
    eprop,
    eprop_without_tags,
    etlp,
    imprint,
    oja,
    reward_modulated_stdp,
    stdp,
)

__all__ = [
    "Equation",
    "Factor",
    "LearningRule",
    "Product",
    "delta_rule",
    "eprop",
    "eprop_without_tags",
    "etlp",
    "imprint",
    "oja",
    "read_rule",
    "reward_modulated_stdp",
    "stdp",
]
