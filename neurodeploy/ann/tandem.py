"""Layer-by-layer fine-tuning of rates: a spiking prefix, frozen, feeds the rest in floats.

Progressive tandem learning (Wu et al., "Progressive Tandem Learning for Pattern Recognition with
Deep Spiking Neural Networks", IEEE TPAMI 2021, arXiv:2007.01204): what few steps lose in one layer,
the layers behind it learn to live with before they are converted themselves.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..backends import run
from ..errors import InputError
from .convert import SCALE, convert_ann
from .graph import Array

SAMPLES_AT_ONCE = 256
"""On the engine."""

ACTIVATIONS = ("ReLU", "ReLU6", "Hardtanh", "Hardsigmoid", "LeakyReLU", "PReLU")
"""Modules of torch behind which a prefix ends."""


def tandem(
    module: Any,
    calibration: Any,
    labels: Any = None,
    *,
    steps: int = 8,
    epochs: int = 10,
    learning_rate: float = 1e-2,
    batch: int = 32,
    seed: int = 0,
    **how: Any,
) -> Any:
    """Fine-tune a network for its conversion to rates.

    Behind each activation, in order: all up to it is converted and run on the engine, in the
    chip's integers; the layers behind it are trained in floats on the rates that it sends (Adam).
    What was converted is not trained again, so the conversion of the module returned has the same
    prefixes.

    Parameters
    ----------
    module : torch.nn.Sequential
        Stays as it is.
    calibration : array or tensor [samples, *shape]
        Inputs to train on, which are also those of the conversion.
    labels : array or tensor [samples], optional
        Classes, from 0; by default the outputs of `module` are what is learned (mean square).
    steps : int
        That an input will be presented for.
    epochs : int
        Behind each activation.
    learning_rate : float
    batch : int
        Samples in a step of training.
    seed : int
        Of their order.
    **how
        As `convert_ann` takes them: bits, activation_bits, percentile.

    Returns
    -------
    torch.nn.Sequential
        Give it to ``convert_ann(..., to="rate", steps=steps, **how)`` with the same inputs.

    Raises
    ------
    InputError
        If the module is no Sequential, or an argument is none of these.
    UnsupportedError
        As `convert_ann`.

    Examples
    --------
    >>> from neurodeploy.ann import tandem
    >>> tuned = tandem(torch_module, images, labels, steps=4)  # doctest: +SKIP
    >>> net = nd.convert_ann(tuned, images, to="rate", steps=4)  # doctest: +SKIP
    """
    import torch

    if not isinstance(module, torch.nn.Sequential):
        raise InputError(f"module: {type(module).__name__}; give a torch.nn.Sequential of layers")
    for name, value in (("steps", steps), ("epochs", epochs), ("batch", batch)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InputError(f"{name}: {value!r}; give a whole number, 1 or more")
    if not learning_rate > 0:
        raise InputError(f"learning_rate: {learning_rate}; give a number above 0")
    layers = _flat(module)
    tuned = torch.nn.Sequential(*(copy.deepcopy(layer) for layer in layers)).eval()
    inputs = torch.as_tensor(calibration).detach().float()
    with torch.no_grad():
        wanted = torch.nn.Sequential(*layers).eval()(inputs)
    if labels is not None:
        wanted = torch.as_tensor(labels).detach().long()
        if wanted.shape != inputs.shape[:1]:
            raise InputError(
                f"labels: shape {tuple(wanted.shape)} of {len(inputs)} samples; give one each"
            )
    order = torch.Generator().manual_seed(seed)
    for end in range(1, len(tuned)):
        rest = tuned[end:]
        trained = list(rest.parameters())
        if type(tuned[end - 1]).__name__ not in ACTIVATIONS or not trained:
            continue
        sent = rates(tuned[:end], inputs, steps, **how)
        optimizer = torch.optim.Adam(trained, learning_rate)
        for _ in range(epochs):
            shuffled = torch.randperm(len(sent), generator=order)
            for first in range(0, len(sent), batch):
                chosen = shuffled[first : first + batch]
                loss = _loss(rest(sent[chosen]), wanted[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return tuned


def rates(prefix: Any, inputs: Any, steps: int, **how: Any) -> Any:
    """Give what a prefix sends once it is converted to rates, in the unit of its activations.

    Parameters
    ----------
    prefix : torch.nn.Module
    inputs : tensor [samples, *shape]
        Shown, and calibrated on.
    steps : int
        That each is presented for.
    **how
        As `convert_ann`.

    Returns
    -------
    float32 tensor, as ``prefix(inputs)``
        Mean over the steps.

    Examples
    --------
    >>> from neurodeploy.ann.tandem import rates
    >>> rates(torch_module[:2], images, steps=4).shape  # doctest: +SKIP
    torch.Size([1000, 48])
    """
    import torch

    net = convert_ann(prefix, inputs, to="rate", steps=steps, measure=False, **how)
    last = net.output
    what = "v" if last.neuron.is_readout else "spikes"
    first, found = net.hops(last.name), []
    for some in _parts(inputs.numpy().reshape(-1, 1, *net.input.shape)):
        shown = np.broadcast_to(some, (len(some), steps, *net.input.shape))
        record = run(net, shown, drain=True, record=(what,))[last.name]
        sent = getattr(record, what)[:, first : first + steps]
        found.append(sent.mean(axis=1, dtype=np.float64) / float(net.metadata[SCALE + last.name]))
    with torch.no_grad():
        shape = prefix(inputs[:1]).shape[1:]
    return torch.from_numpy(np.concatenate(found)).float().reshape(-1, *shape)


def _parts(inputs: Array) -> list[Array]:
    return [inputs[i : i + SAMPLES_AT_ONCE] for i in range(0, len(inputs), SAMPLES_AT_ONCE)]


def _flat(module: Any) -> list[Any]:
    """Give the layers of a Sequential, those of one within it in its place."""
    import torch

    layers: list[Any] = []
    for part in module:
        layers += _flat(part) if type(part) is torch.nn.Sequential else [part]
    return layers


def _loss(found: Any, wanted: Any) -> Any:
    from torch.nn import functional

    if wanted.dtype.is_floating_point:
        return functional.mse_loss(found, wanted)
    return functional.cross_entropy(found, wanted)
