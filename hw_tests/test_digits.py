"""The digits network gives the same spikes on the chip as on the engine."""

from __future__ import annotations

import neurodeploy as nd
from neurodeploy.demo.shipped import shipped_digits


def test_digits_on_the_chip_equal_the_engine() -> None:
    shipped = shipped_digits()
    network = nd.load(shipped.network)
    inputs = shipped.inputs[:40]
    record = ("counts", "spikes")
    engine = nd.run(network, inputs, record=record)
    chip = nd.run(network, inputs, record=record, backend="loihi2")
    result = nd.compare(engine, chip)
    assert result.equal, result.summary()
