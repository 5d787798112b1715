"""Quantization-aware fine-tuning: training sees the integers that will run. Needs torch."""

from .tune import Tuned, fine_tune, from_torch

__all__ = ["Tuned", "fine_tune", "from_torch"]
