r"""Gradients of a recurrent layer by eligibility traces, forwards in time: e-prop, offline.

Bellec et al. 2020, Nature Communications 11:3625. Each synapse keeps what it did to its neuron,

.. math::
    \epsilon^u \leftarrow k_u \epsilon^u + p, \quad
    \epsilon^v \leftarrow k_v (1 - s_{last})\, \epsilon^v + \epsilon^u, \quad
    e = \psi\, \epsilon^v

(without the factor :math:`1 - s_{last}` where a reset subtracts), and the gradient is
:math:`\sum_t L_t e_t` with a learning signal from the readout. This is the gradient of
backpropagation through time in which messages of the recurrence are constants. Memory is that of
the traces, whatever the number of steps is; of all steps, outputs alone are kept. Where u or v
leaves its 24 bits, which is a fault of the scale, the traces do not know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from ..errors import InputError, UnsupportedError
from ..network.fixed_point import DECAY_UNITY
from .cells import Cells
from .layers import LIF

Tensor = torch.Tensor
Values = dict[str, Tensor]


def gradients(
    module: torch.nn.Module,
    x: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    feedback: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Add the gradients of e-prop to the parameters' ``grad``, for an optimiser's next step.

    Parameters
    ----------
    module : torch.nn.Sequential
        Two `LIF` of Linear synapses: one that spikes, with a recurrence or without, and a readout
        that sends its voltage. Without delays, refractory steps or trained decays.
    x : tensor [samples, steps, sources]
    loss : callable
        From outputs [samples, steps, outputs] to a scalar.
    feedback : tensor [outputs, neurons], optional
        In place of the readout's weights in the learning signal: random e-prop.

    Returns
    -------
    loss, outputs : tensor
        Without gradients.

    Raises
    ------
    UnsupportedError
        If the module is another.
    InputError
        If the feedback has another shape.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training import eprop
    >>> from neurodeploy.training.layers import LIF
    >>> recurrent = torch.nn.Linear(30, 30, bias=False)
    >>> model = torch.nn.Sequential(
    ...     LIF(torch.nn.Linear(8, 30), recurrent=recurrent),
    ...     LIF(torch.nn.Linear(30, 2), sends="voltage"),
    ... )
    >>> x = (torch.rand(4, 300, 8) < 0.2).float()
    >>> loss, sent = eprop.gradients(model, x, lambda sent: sent.square().mean())
    >>> model[0].recurrent.weight.grad.shape
    torch.Size([30, 30])
    """
    hidden, readout = _layers(module)
    neurons, outputs = hidden.synapse.out_features, readout.synapse.out_features
    if feedback is not None and tuple(feedback.shape) != (outputs, neurons):
        raise InputError(
            f"feedback: {list(feedback.shape)}; give [{outputs}, {neurons}], outputs and neurons"
        )
    values, read = hidden.values(neurons), readout.values(outputs)
    with torch.no_grad():
        found = _outputs(hidden, values, readout, read, x).to(x.dtype)
    found.requires_grad_()
    result = loss(found)
    (by_output,) = torch.autograd.grad(result, found)
    with torch.no_grad():
        # A current of 1 adds 64 to v, which the readout sends divided by 64 and the scale.
        by_voltage = by_output.double() / readout.scale
        by_current, by_bias = _backwards(readout.cells(outputs, read), by_voltage)
    weight = read["synapse"].detach() if feedback is None else feedback.double()
    totals = _traced(hidden, values, x, by_current, weight)
    readout_totals = {"synapse": totals.pop("readout"), "bias": by_bias.sum(dim=(0, 1))}
    ends, grads = [], []
    for of, sums in ((values, totals), (read, readout_totals)):
        for name, value in of.items():
            if value.requires_grad:
                ends.append(value)
                grads.append(sums[name])
    torch.autograd.backward(ends, grads)
    return result.detach(), found.detach()


def _layers(module: torch.nn.Module) -> tuple[LIF, LIF]:
    layers = list(module.children()) if isinstance(module, torch.nn.Sequential) else []
    pair = [layer for layer in layers if isinstance(layer, LIF)]
    if len(layers) != 2 or len(pair) != 2:
        raise UnsupportedError(
            f"{type(module).__name__}: e-prop takes a Sequential of two LIF, one that spikes and a "
            f"readout"
        )
    hidden, readout = pair
    for name, layer, sends in (("0", hidden, "spike"), ("1", readout, "voltage")):
        wrong = ""
        if layer.sends != sends:
            wrong = f"sends its {layer.sends}"
        elif not isinstance(layer.synapse, torch.nn.Linear):
            wrong = f"synapses of {type(layer.synapse).__name__}"
        elif layer.delay or layer.refractory > 1 or layer.trains:
            wrong = "delays, refractory steps or trained decays"
        elif sends == "voltage" and layer.recurrent is not None:
            wrong = "a recurrence in the readout"
        if wrong:
            raise UnsupportedError(
                f"{name}: {wrong}; e-prop takes Linear synapses without delays, refractory steps "
                f"and trained decays, a layer that spikes and then a readout"
            )
    return hidden, readout


def _spikes(
    hidden: LIF, values: Values, x: Tensor, traced: bool
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield, step by step, the last messages, the new ones, and their derivative by a current."""
    cells = hidden.cells(values["bias"].numel(), values)
    state = cells.rest(len(x))
    weight = values["synapse"].detach()
    back, bias = values.get("recurrent"), values["bias"].detach()
    last = x.new_zeros((len(x), bias.numel()), dtype=torch.float64)
    for now in x.double().unbind(1):
        with torch.no_grad():
            current = now @ weight.T
            if back is not None:
                current = current + last @ back.detach().T
        with torch.set_grad_enabled(traced):
            current.requires_grad_(traced)
            sent, state = cells.step(current, state.detached(), bias)
            slope = torch.autograd.grad(sent.sum(), current)[0] if traced else current
        yield last, sent.detach(), slope
        state, last = state.detached(), sent.detach()


def _outputs(hidden: LIF, values: Values, readout: LIF, read: Values, x: Tensor) -> Tensor:
    cells = readout.cells(read["bias"].numel(), read)
    state, found = cells.rest(len(x)), []
    for _, sent, _ in _spikes(hidden, values, x, traced=False):
        v, state = cells.step(sent @ read["synapse"].T, state, read["bias"])
        found.append(readout.message(v))
    return torch.stack(found, dim=1)


def _keeps(cells: Cells) -> tuple[Tensor, Tensor]:
    kept = [(DECAY_UNITY - d) / DECAY_UNITY for d in (cells.current_decay, cells.voltage_decay)]
    return kept[0], kept[1]


def _backwards(cells: Cells, by_voltage: Tensor) -> tuple[Tensor, Tensor]:
    """Give the gradients by a readout's currents and by its bias, of those by its voltages."""
    keep_u, keep_v = _keeps(cells)
    by_v = by_u = torch.zeros_like(by_voltage[:, 0])
    currents, biases = [], []
    for now in reversed(by_voltage.unbind(1)):
        by_v = now + keep_v * by_v
        by_u = by_v + keep_u * by_u
        currents.append(by_u)
        biases.append(by_v)
    return torch.stack(currents[::-1], dim=1), torch.stack(biases[::-1], dim=1)


def _traced(hidden: LIF, values: Values, x: Tensor, by_current: Tensor, feedback: Tensor) -> Values:
    """Sum over steps of learning signals times eligibilities, and the readout's own gradient."""
    size, sources = values["synapse"].shape
    cells = hidden.cells(size, values)
    keep_u, keep_v = _keeps(cells)
    names: list[str] = [name for name in ("synapse", "recurrent") if name in values]
    widths = {"synapse": sources, "recurrent": size}
    start = {name: values["bias"].new_zeros((len(x), size, widths[name])) for name in names}
    traces = {name: (zeros, zeros) for name, zeros in start.items()}
    of_bias = values["bias"].new_zeros((len(x), size))
    totals: Values = {name: torch.zeros_like(values[name]) for name in names}
    totals["bias"] = torch.zeros_like(values["bias"])
    totals["readout"] = values["bias"].new_zeros((by_current.shape[2], size))
    steps = _spikes(hidden, values, x, traced=True)
    for t, (last, sent, slope) in enumerate(steps):
        with torch.no_grad():
            kept = keep_v * (1 - last) if hidden.reset == "zero" else keep_v.expand_as(last)
            signal = (by_current[:, t] @ feedback) * slope
            for name in names:
                before = x[:, t].double() if name == "synapse" else last
                u, v = traces[name]
                u = keep_u[:, None] * u + before[:, None, :]
                v = kept[..., None] * v + u
                traces[name] = (u, v)
                totals[name] += torch.einsum("sj,sji->ji", signal, v)
            of_bias = kept * of_bias + 1
            totals["bias"] += (signal * of_bias).sum(dim=0)
            totals["readout"] += by_current[:, t].T @ sent
    return totals


__all__ = ["gradients"]
