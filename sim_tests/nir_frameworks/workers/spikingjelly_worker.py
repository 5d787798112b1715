"""SpikingJelly through its own NIR import."""

import nir
from spikingjelly.activation_based.nir_exchange import import_from_nir
from stepping import last_node, run_steps


def run(path, inputs, dt):
    last = last_node(nir.read(path))
    net = import_from_nir(path, dt=dt)
    return run_steps(net, inputs, lambda state: state[last][0] if state[last] else None)
