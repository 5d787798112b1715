"""Runs many small networks on Lava in one process: importing Lava takes longer than running it.

    python -m sim_tests.lava_batch lava JOB...     our own Lava processes
    python -m sim_tests.lava_batch netx JOB...     lava-dl's importer, the way its users run it

A JOB is a folder as `neurodeploy.remote.job` writes it; ``lava`` leaves
``recording.h5`` in it, ``netx`` leaves ``output.npy`` [steps, neurons].
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurodeploy.remote.job import read_job


def run_lava(folder: Path) -> None:
    from neurodeploy.backends.lava import processes as lava_processes

    _, network, values, options = read_job(folder)
    lava_processes.run_network(network, values, replace(options, out=folder / "recording.h5"))


def run_netx(folder: Path) -> None:
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc import io
    from lava.proc.conv import utils

    from neurodeploy.formats import save

    utils.TORCH_IS_AVAILABLE = False
    _, network, values, options = read_job(folder)
    save(network, folder / "network.net")
    shape = network.input.shape
    imported = netx.hdf5.Network(
        str(folder / "network.net"),
        input_message_bits=24 if getattr(network.input.neuron, "signed", False) else 0,
        input_shape=shape[::-1] if len(shape) == 3 else None,
    )
    # netx wants (W, H, C, steps), and the input neurons fed by hand.
    data = values[0].transpose(*range(values.ndim - 2, 0, -1), 0)
    if len(imported.in_layer.inp.shape) == 1:  # netx flattens nothing before the first layer
        data = values[0].reshape(options.steps, -1).T
    source = io.source.RingBuffer(data=data)
    sink = io.sink.RingBuffer(shape=imported.out_layer.out.shape, buffer=options.steps)
    is_port = network.input.neuron.kind == "source"
    source.s_out.connect(imported.inp if is_port else imported.in_layer.neuron.a_in)
    imported.out_layer.out.connect(sink.a_in)
    imported.run(condition=RunSteps(options.steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    output = sink.data.get()
    imported.stop()
    # Back to [steps, C, H, W], flat.
    np.save(folder / "output.npy", output.T.reshape(options.steps, -1))


if __name__ == "__main__":
    run = {"lava": run_lava, "netx": run_netx}[sys.argv[1]]
    for name in sys.argv[2:]:
        run(Path(name))
        print(name, flush=True)
