"""Training on one thread, so that sums have one order, and from the same seed."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _seeded():
    torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
