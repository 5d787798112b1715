"""neurodeploy of whatever commit stands first on Python's path, by `nd.run` or the engine alone.

Only names that the commits to be compared share are used here.
"""

import subprocess
import zlib

import numpy as np

import neurodeploy as nd
from benchmarks import ours
from benchmarks.networks import dense_network, shipped, spikes


def pilotnet(samples, steps):
    from neurodeploy.demo import pilotnet as demo

    place = demo.folder()
    if place is None:
        raise FileNotFoundError("needs lava-dl (extra lava)")
    model = demo.load_pilotnet(place)
    frames = np.broadcast_to(model.frame, (samples, steps, *model.frame.shape))
    return model.network, frames, {"apply_transform": False, "reset_interval": demo.RESET_INTERVAL}


def mnist(samples, steps):
    path = shipped("mnist.net")
    if path is None:
        raise FileNotFoundError("needs lava-dl (extra lava)")
    inputs = 140 * spikes((samples, steps, 784), 0.1).astype(np.int32)
    return nd.load(path), inputs, {"apply_transform": False}


def random(samples, steps):
    return dense_network((700, 256, 20), 0.02), spikes((samples, steps, 700), 0.02), {}


def dense(samples, steps):
    return dense_network((1024, 1024), 0.05), spikes((samples, steps, 1024), 0.05), {}


WORKS = {work.__name__: work for work in (pilotnet, mnist, random, dense)}


def prepare(arrays, options):
    network, inputs, more = WORKS[options["work"]](options["samples"], options["steps"])
    recording = nd.run(network, inputs, **more)
    counts = [np.asarray(recording[p.name].counts, np.int64) for p in network.populations]
    if options["way"] == "profile":
        placement = nd.fit(network, "loihi2")
        run = lambda: nd.profile(recording, "loihi2", placement)  # noqa: E731
    elif options["way"] == "run":
        run = ours.as_user(network, inputs, **more)
    else:  # asked for what `nd.run` asks for
        run = ours.engine_alone(network, inputs, messages=(network.output.name,), **more)
    return run, [zlib.crc32(c.tobytes()) for c in counts], f"{sum(c.sum() for c in counts):,}"


def version():
    folder = nd.__path__[0]
    command = ["git", "-C", folder, "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or nd.__version__
