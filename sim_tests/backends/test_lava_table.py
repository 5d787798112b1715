"""The table in docs/lava.md is what building each process gives; the chip's rules follow Lava's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import NeurodeployError
from neurodeploy.network import Average, Source
from neurodeploy.targets import lava_rules, loihi2_rules
from sim_tests import lava_table

pytestmark = pytest.mark.usefixtures("lava")

NO_NEURONS = {
    "Allocator", "BitCheck", "DeltaEncoder", "Extractor", "Injector", "Monitor", "NoveltyDetector",
    "Read", "Readout", "Receiver", "Reset", "RingBuffer", "SpikeDataloader", "Spiker",
    "StateDataloader", "VarWire",
}  # fmt: skip


def test_the_page_holds_the_table_as_it_is():
    """If not: ``python -m sim_tests.lava_table``."""
    assert lava_table.START + lava_table.table() + lava_table.END in lava_table.PAGE.read_text()


def test_every_process_of_lava_is_in_the_table_or_named_beside_it():
    assert lava_table.others() == NO_NEURONS
    page = lava_table.PAGE.read_text()
    beside = NO_NEURONS - {"SpikeDataloader", "StateDataloader"}  # "the data loaders"
    assert all(f"`{name}`" in page for name in beside)


def test_rules_and_builder_hold_the_same_models():
    from neurodeploy.backends.lava.build import PROCESSES

    assert {type(neuron) for neuron in lava_table.NEURONS} == set(PROCESSES)
    assert set(lava_rules.PROCESSES) - set(PROCESSES) == {Source, Average}
    assert set(loihi2_rules.ONE_VALUE) <= set(PROCESSES)


@pytest.mark.parametrize("neuron", lava_table.NEURONS, ids=lambda neuron: type(neuron).__name__)
def test_the_chips_rules_know_what_lava_has_one_value_of(neuron):
    """A variable of Lava's that only grows with an array of ours had room for one."""
    from neurodeploy.backends.lava.build import neurons

    shapes = {var.name: var.shape for var in neurons(neuron, (lava_table.SIZE,)).vars}
    shared = []
    for name, value in neuron.parameters.items():
        if type(value) is not int or name in ("shift", "fraction_bits", "message_shift"):
            continue
        try:
            each = replace(neuron, **{name: value + np.arange(lava_table.SIZE, dtype=np.int32)})
        except NeurodeployError:  # one for all neurons with us as well
            continue
        made = neurons(each, (lava_table.SIZE,))
        shared += [name] * any(var.shape != shapes[var.name] for var in made.vars)
    assert set(shared) == set(loihi2_rules.ONE_VALUE.get(type(neuron), ()))
