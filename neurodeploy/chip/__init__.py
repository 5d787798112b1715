"""Chip specifications: constants with their units and sources."""

from .specification import Chip, Constant, load_chip

__all__ = ["Chip", "Constant", "load_chip"]
