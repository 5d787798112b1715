"""Tests that need a Loihi 2; off-chip they are skipped, saying why."""

from __future__ import annotations

import importlib.util

import pytest

from neurodeploy.backends import BACKENDS


@pytest.fixture(scope="session", autouse=True)
def chip() -> None:
    """Skip unless a Loihi 2 can be reached from here."""
    if importlib.util.find_spec("lava") is None:
        pytest.skip("no Loihi 2 here: Lava is not installed")
    from lava.utils import loihi

    if not loihi.is_installed():
        pytest.skip("no Loihi 2 here: lava-loihi is not installed")
    if "loihi2" not in BACKENDS:
        pytest.skip("neurodeploy has no loihi2 backend yet")
