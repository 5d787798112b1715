"""What lava-dl's importer makes of files, in a process of its own.

    python -m sim_tests.netx_changes FOLDER

For each ``NAME.net`` in the folder, ``facts.json`` says what netx made of it; where
there is ``NAME.npy`` [steps, *shape] too, it runs on Lava and leaves ``NAME.out.npy``
[steps, neurons] in (C, H, W) order. A name that starts with ``graded`` is run with
24 message bits at the input, with ``bits8_`` with 8, any other with netx's default of 0. One with
``begin_`` in it begins at the voltages that the file holds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import neurodeploy as nd
from neurodeploy.targets.netx_importer import begin


def facts_of(imported) -> dict:
    """Attributes of the first layer, and of its synapses."""
    first = imported.layers[0]
    neuron, synapse = first.neuron, getattr(first, "synapse", None)
    found = {
        "neuron": type(neuron).__name__ if neuron is not None else None,
        "connected": bool(first.inp.out_connections),
        "synapse": type(synapse).__name__,
        "transform": {k: float(v) for k, v in (getattr(first, "transform", None) or {}).items()},
    }
    for name in ("du", "dv", "vth", "bias_mant"):
        var = getattr(neuron, name, None)
        found[name] = None if var is None else np.ravel(var.init).tolist()[:4]
    recurrent = getattr(first, "synapse_rec", None)
    found["message_bits"] = [
        None if s is None else int(np.ravel(s.proc_params.get("num_message_bits", 0))[0])
        for s in (synapse, recurrent)
    ]
    return found


def run(imported, values: np.ndarray, by_hand: bool) -> np.ndarray:
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc import io

    steps = len(values)
    data = values.transpose(*range(values.ndim - 1, 0, -1), 0)
    if not by_hand and len(imported.inp.shape) == 1:  # a flatten layer first: a port in (C, H, W)
        data = values.reshape(steps, -1).T
    source = io.source.RingBuffer(data=data)
    sink = io.sink.RingBuffer(shape=imported.out_layer.out.shape, buffer=steps)
    source.s_out.connect(imported.in_layer.neuron.a_in if by_hand else imported.inp)
    imported.out_layer.out.connect(sink.a_in)
    imported.run(condition=RunSteps(steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    output = sink.data.get()
    imported.stop()
    return output.T.reshape(steps, -1)


def main(folder: Path) -> None:
    from lava.lib.dl import netx
    from lava.proc.conv import utils

    utils.TORCH_IS_AVAILABLE = False
    facts = {}
    for path in sorted(folder.glob("*.net")):
        values = path.with_suffix(".npy")
        given = np.load(values) if values.exists() else None
        shape = given.shape[:0:-1] if given is not None and given.ndim == 4 else None
        bits = 24 if path.stem.startswith("graded") else 0
        if path.stem.startswith("bits"):
            bits = int(path.stem[4:].partition("_")[0])
        try:
            imported = netx.hdf5.Network(str(path), input_message_bits=bits, input_shape=shape)
            facts[path.stem] = facts_of(imported)
            if "begin_" in path.stem:
                begin(imported, nd.load(path))
            if given is not None:
                by_hand = facts[path.stem]["neuron"] is not None and path.stem.startswith("input")
                np.save(path.with_suffix(".out.npy"), run(imported, given, by_hand))
        except Exception as error:  # what it fails with is a fact, too
            facts[path.stem] = {"failed": f"{type(error).__name__}: {error}"[:300]}
    (folder / "facts.json").write_text(json.dumps(facts, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
