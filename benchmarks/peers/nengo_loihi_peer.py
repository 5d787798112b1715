"""nengo-loihi's emulator of Loihi 1, blocks built by hand; it discretizes the weights itself."""

import time
import warnings
from importlib.metadata import version as version_of

import numpy as np
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.builder.discretize import discretize_model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput
from nengo_loihi.probe import LoihiProbe

LOWEST_VOLTAGE = -(2**22) + 1


def version() -> str:
    """Name and version."""
    return f"nengo-loihi {version_of('nengo-loihi')}, numpy {np.__version__}"


def prepare(arrays, options):
    """Build the model; a run's time is that of ``run_steps`` on an emulator just made."""
    warnings.simplefilter("ignore")
    steps = arrays["inputs"].shape[1]
    model = Model()
    source = SpikeInput(arrays["inputs"].shape[2])
    for t, spikes in enumerate(arrays["inputs"][0], start=1):
        source.add_spikes(t, np.flatnonzero(spikes), permanent=True)
    model.add_input(source)
    probes = []
    for i in range(int(arrays["layers"])):
        weight = arrays[f"{i}.weight"].T
        block = LoihiBlock(weight.shape[1])
        compartment = block.compartment
        compartment.configure_relu()
        compartment.decay_u[:] = 1 - arrays[f"{i}.keep_u"]
        compartment.decay_v[:] = 1 - arrays[f"{i}.keep_v"]
        compartment.scale_u = compartment.scale_v = False
        # A weight of 1 moves a voltage of 64 on the chip but of 1 here.
        compartment.vth[:] = arrays[f"{i}.threshold"]
        model.add_block(block)
        synapse = Synapse(weight.shape[0])
        synapse.set_weights(weight)
        block.add_synapse(synapse)
        axon = Axon(weight.shape[0])
        axon.target = synapse
        if i:
            axon.set_compartment_axon_map(np.arange(weight.shape[0]))
        source.add_axon(axon)
        probe = LoihiProbe(target=block, key="spiked")
        model.add_probe(probe)
        probes.append(probe)
        source = block
    discretize_model(model)
    for block in model.blocks:
        block.compartment.vmin = LOWEST_VOLTAGE  # its own default clips at 0
    EmulatorInterface.strict = False
    counts = [0] * len(probes)

    def run() -> float:
        with EmulatorInterface(model) as emulator:
            started = time.perf_counter()
            emulator.run_steps(steps)
            seconds = time.perf_counter() - started
            for i, probe in enumerate(probes):
                counts[i] = int(np.count_nonzero(emulator.collect_probe_output(probe)))
        return seconds

    run()
    return run, counts, "it discretizes the weights anew"
