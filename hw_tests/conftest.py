"""Tests that need a Loihi 2; off-chip they are skipped, in one line that says what is missing.

`NEURODEPLOY_LOIHI2_HOST` says where the chip is (an interpreter with lava-loihi,
``srun:partition=NAME``, ``ssh:HOST``); without it, this interpreter. Settings of the chip come
from `NEURODEPLOY_CHIP`, as ``partition=oheogulch,window_seconds=20``.
"""

from __future__ import annotations

import os

import pytest

from neurodeploy.backends import available
from neurodeploy.backends.loihi2.settings import ChipSettings

SETTINGS = "NEURODEPLOY_CHIP"


@pytest.fixture(scope="session", autouse=True)
def chip() -> dict[str, str]:
    """Settings of the chip; skips where there is none."""
    present, reason = available("loihi2")
    if not present:
        pytest.skip(f"no Loihi 2 from here: {reason}")
    given = [item.partition("=") for item in os.environ.get(SETTINGS, "").split(",") if item]
    settings = {name.strip(): value.strip() for name, _, value in given}
    ChipSettings.read(settings)
    return settings
