"""Brian2Loihi: Loihi 1's integer rules in Brian2, compiled by Cython where there is a compiler."""

import logging
import time
from importlib.metadata import version as version_of

import numpy as np
from brian2 import BrianLogger, prefs
from brian2_loihi import (
    LoihiNetwork,
    LoihiNeuronGroup,
    LoihiSpikeGeneratorGroup,
    LoihiSpikeMonitor,
    LoihiSynapses,
)

UNITY = 4096
BrianLogger.suppress_name("method_choice")
logging.getLogger("brian2").setLevel(logging.ERROR)


def version() -> str:
    """Name and version."""
    return (
        f"brian2-loihi {version_of('brian2-loihi')}, brian2 {version_of('brian2')}, "
        f"target {prefs.codegen.target}"
    )


def prepare(arrays, options):
    """Build the network; its one sample is run again from the stored state."""
    steps = arrays["inputs"].shape[1]
    times, indices = np.nonzero(arrays["inputs"][0])
    source = LoihiSpikeGeneratorGroup(arrays["inputs"].shape[2], indices, times)
    parts, monitors = [source], []
    for i in range(int(arrays["layers"])):
        weight = arrays[f"{i}.weight"].T
        group = LoihiNeuronGroup(
            weight.shape[1],
            refractory=1,
            threshold_v_mant=int(arrays[f"{i}.threshold"]),
            decay_v=round(UNITY * (1 - float(arrays[f"{i}.keep_v"]))),
            decay_I=round(UNITY * (1 - float(arrays[f"{i}.keep_u"]))),
        )
        synapses = LoihiSynapses(source, group, sign_mode=1)
        before, after = np.indices(weight.shape).reshape(2, -1)
        synapses.connect(i=before, j=after)
        synapses.w = weight.ravel().astype(int)
        monitor = LoihiSpikeMonitor(group)
        parts += [group, synapses, monitor]
        monitors.append(monitor)
        source = group
    net = LoihiNetwork(*parts)
    net.store()

    def run() -> float:
        net.restore()
        began = time.perf_counter()
        net.run(steps, report=None)
        all_steps = time.perf_counter() - began
        began = time.perf_counter()
        net.run(1, report=None)  # what every run() costs beside its steps
        one_step = time.perf_counter() - began
        return (all_steps - one_step) * steps / (steps - 1)

    net.run(steps, report=None)
    counts = [int(m.num_spikes) for m in monitors]
    return run, counts, "per step, without what each run() costs before its first"
