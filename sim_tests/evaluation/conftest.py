from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source

from .data import CLASSES


@pytest.fixture(scope="session")
def network():
    """Four outputs, each driven by two of eight input lines."""
    weight = 40 * (np.arange(8) // 2 == np.arange(CLASSES)[:, None]) - 10
    return Network(
        (Population("input", (8,), Source()), Population("output", (CLASSES,), CubaLIF(0, 400, 1))),
        (Projection("input", "output", Dense(weight.astype(np.int32))),),
    )
