"""Each neuron, synapse, delay, reset and payload gives the engine's numbers on the chip."""

from __future__ import annotations

import pytest

import neurodeploy as nd

from .cases import CASES


@pytest.mark.parametrize("name", CASES)
def test_the_chip_equals_the_engine(name: str, chip: dict[str, str]) -> None:
    case = CASES[name]()
    record = ("counts", "spikes", "u", "v")
    engine = nd.run(case.network, case.inputs, record=record, **case.options)
    made = nd.run(
        case.network,
        case.inputs,
        record=record,
        backend="loihi2",
        board_settings={**chip, "measure": "no"},
        **case.options,
    )
    result = nd.compare(engine, made, net=case.network, inputs=case.inputs)
    if case.corner and not result.equal:
        pytest.xfail(f"silicon differs from Lava's CPU models here: {result.summary()}")
    assert result.equal, result.summary()
