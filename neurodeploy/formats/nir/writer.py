"""Placeholder."""

from __future__ import annotations

import os

from ...network import Network


def save_nir(network: Network, path: str | os.PathLike[str], dt: float | None = None) -> None:
    """Soon."""
    raise NotImplementedError
