"""Placeholder."""

from __future__ import annotations

from ...network import Network
from .graph import Graph


def fixed_network(graph: Graph) -> Network | None:
    """Soon."""
    return None
