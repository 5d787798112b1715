"""SpikingJelly in multi-step mode; the synaptic current, which it lacks, as a scripted loop."""

import math
import time
from importlib.metadata import version as version_of

import numpy as np
import torch
from spikingjelly.activation_based import functional, layer, neuron


def version() -> str:
    """Name and version."""
    return f"spikingjelly {version_of('spikingjelly')}, torch {torch.__version__}"


@torch.jit.script
def decay_loop(a: torch.Tensor, keep: float):
    """Filter currents [steps, ...] with ``u[t] = keep u[t-1] + a[t]``."""
    u = torch.empty_like(a)
    u[0] = a[0]
    for t in range(1, a.shape[0]):
        torch.add(a[t], u[t - 1], alpha=keep, out=u[t])
    return u


class Current(torch.nn.Module):
    """Synaptic current of a layer."""

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, a):
        """Filter [steps, samples, ...]."""
        return decay_loop(a, self.keep)


class CurrentByProduct(Current):
    """The same as one matrix product with a lower triangular matrix [steps, steps]."""

    def forward(self, a):
        """Filter [steps, samples, ...]."""
        lag = torch.arange(a.shape[0])
        lag = lag[:, None] - lag[None, :]
        kernel = torch.where(lag >= 0, self.keep ** lag.clamp(min=0).float(), 0.0)
        return (kernel @ a.reshape(a.shape[0], -1)).reshape(a.shape)


def prepare(arrays, options):
    """Build the network; time both filters and both memory formats, keep the fastest."""
    torch.set_num_threads(options["threads"])
    torch.set_grad_enabled(False)
    inputs = torch.from_numpy(np.ascontiguousarray(arrays["inputs"].swapaxes(0, 1))).float()
    images = inputs.dim() == 5
    best, best_seconds, best_name = None, math.inf, ""
    for filter_type in (Current, CurrentByProduct):
        for channels_last in (False, True) if images else (False,):
            net = _network(arrays, filter_type).eval()
            if channels_last:
                net = net.to(memory_format=torch.channels_last)

            def run(net=net):
                functional.reset_net(net)
                with torch.inference_mode():
                    return net(inputs)

            run()
            seconds = []
            for _ in range(3):
                started = time.perf_counter()
                run()
                seconds.append(time.perf_counter() - started)
            if np.median(seconds) < best_seconds:
                best, best_seconds = run, np.median(seconds)
                best_name = "current by " + ("loop" if filter_type is Current else "product")
                best_name += ", channels last" if channels_last else ""
                best_net = net
    counts: list[int] = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, out: counts.append(int(out.sum())))
        for module in best_net.modules()
        if isinstance(module, neuron.LIFNode)
    ]
    best()
    for hook in hooks:
        hook.remove()
    return best, counts, best_name


def _network(arrays, filter_type):
    modules: list[torch.nn.Module] = []
    for i in range(int(arrays["layers"])):
        weight = torch.from_numpy(arrays[f"{i}.weight"])
        if str(arrays[f"{i}.kind"]) == "conv":
            out, channels, *kernel = weight.shape
            synapse = layer.Conv2d(
                channels,
                out,
                tuple(kernel),
                stride=tuple(int(n) for n in arrays[f"{i}.stride"]),
                padding=tuple(int(n) for n in arrays[f"{i}.padding"]),
                bias=False,
                step_mode="m",
            )
        else:
            if i and len(arrays[f"{i - 1}.shape"]) == 3:
                modules.append(layer.Flatten(step_mode="m"))
            synapse = layer.Linear(weight.shape[1], weight.shape[0], bias=False, step_mode="m")
        synapse.weight.data = weight
        # It spikes where v >= threshold, we where v > threshold.
        above = float(np.nextafter(np.float32(arrays[f"{i}.threshold"]), np.float32(np.inf)))
        lif = neuron.LIFNode(
            tau=1 / (1 - float(arrays[f"{i}.keep_v"])),
            decay_input=False,
            v_threshold=above,
            v_reset=0.0,
            step_mode="m",
        )
        modules += [synapse, filter_type(float(arrays[f"{i}.keep_u"])), lif]
    return torch.nn.Sequential(*modules)
