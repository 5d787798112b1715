"""``nd.sketch``: text, a file or a torch module as a network without weights, to be placed."""

from __future__ import annotations

import math
import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeGuard

from ..chip.description import read_description
from ..chip.sketch import Kept, Kernels, Layer, Link, Lists, Shape, Sketch, sketch_of, stand_in
from ..errors import InputError, NetworkError
from ..formats import is_torch_module
from ..formats.slayer.module_kinds import kind_of
from ..network import CubaLIF, Network, OneToOne, Pool, Source
from .loading import load

DEFAULT_BITS = 8


def reads_as_description(source: object) -> TypeGuard[str]:
    """Whether it is text that describes a network, and no name of a file."""
    return isinstance(source, str) and re.match(r"\s*(#[^\n]*\s*)*in\s+\d", source) is not None


def sketch(
    source: Network | str | os.PathLike[str] | Any,
    *,
    bits: int | None = None,
    shape: tuple[int, ...] | None = None,
    **reading: Any,
) -> Network:
    """Make a network without weights, which can be placed before anything is trained.

    Parameters
    ----------
    source : str, path, Network or torch.nn.Module
        A description such as ``"in 2x34x34; conv 16k5s2; dense 10"`` (see `chip.description`), a
        ``.txt`` file that holds one, a file that `nd.load` reads, or a module: of SLAYER blocks, or
        of torch's layers in a chain, with neurons of any framework between them.
    bits : int, optional
        1 to 8, of every weight whose layer does not say it. By default a network in integers keeps
        its own, and anything else has 8.
    shape : tuple of int
        Of the input of a module, (C, H, W) or (neurons,).
    **reading
        As `nd.load`, for a file.

    Returns
    -------
    Network
        For `neurodeploy.fit`. No backend runs it.

    Raises
    ------
    NeurodeployError
        If it cannot be read, or shapes contradict each other.

    Examples
    --------
    >>> nd.fit(nd.sketch("in 2x34x34; conv 16k5s2; dense 10", bits=4)).cores_used
    2
    """
    if bits is not None:
        stand_in(bits)  # refuses what is no width of a weight
    if reads_as_description(source):
        return read_description(source, bits or DEFAULT_BITS).network()
    if is_torch_module(source):
        return _of_module(source, bits or DEFAULT_BITS, shape).network()
    if not isinstance(source, Network):
        path = Path(source)
        if path.suffix == ".txt":
            return read_description(_text_of(path), bits or DEFAULT_BITS).network()
        source = load(path, **reading)
    if bits is None and source.is_float:
        bits = DEFAULT_BITS
    return sketch_of(source, bits).network()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"{path}: cannot be read ({why}); give a description in text") from error


def _of_module(module: Any, bits: int, shape: tuple[int, ...] | None) -> Sketch:
    if any(kind_of(part) for part in module.modules()):  # SLAYER's blocks
        given = {} if shape is None else {"shape": shape}
        return sketch_of(load(module, measure=False, **given), bits)
    if shape is None:
        raise InputError(
            f"{type(module).__name__}: nothing tells the shape of its input; give shape=(C, H, W) "
            f"or (neurons,)"
        )
    layers = [Layer("input", shape, Source())]
    for name, part, took, gave in _calls(module, shape):
        if name.endswith("recurrent"):  # within a neuron, of what it sent to what it gets
            last = layers.pop()
            layers.append(_with_loop(last, part, bits))
        elif found := _template(part, name, bits):
            _check_chain(name, took, layers[-1])
            layers.append(Layer(name, gave, CubaLIF(0, 0, 1), (Link(layers[-1].name, found),)))
    if len(layers) == 1:
        raise InputError(f"{type(module).__name__}: no layer with weights in it")
    return Sketch(tuple(layers))


def _calls(module: Any, shape: Shape) -> list[tuple[str, Any, Shape, Shape]]:
    """Run a module on one empty input; name, part and both shapes of every layer that was called.

    A layer that is called at each of several time steps counts once.
    """
    import torch

    calls: dict[str, tuple[str, Any, Shape, Shape]] = {}

    def watch(name: str, part: Any) -> Any:
        def note(_: Any, given: Any, out: Any) -> None:
            if name not in calls and isinstance(out, torch.Tensor):
                took, gave = (tuple(one.shape[1:]) for one in (given[0], out))
                calls[name] = name, part, took, gave

        return part.register_forward_hook(note)

    was_training = module.training
    with ExitStack() as stack:
        for name, part in module.named_modules():
            if not list(part.children()):
                stack.callback(watch(name or type(part).__name__, part).remove)
        stack.callback(module.train, was_training)
        try:
            with torch.no_grad():
                module.eval()(torch.zeros(1, *shape))
        except Exception as error:  # whatever a user's forward raises
            raise InputError(
                f"{type(module).__name__}: cannot be run on zeros of shape {(1, *shape)} "
                f"({str(error).splitlines()[0] if str(error) else type(error).__name__:.120}); "
                f"give the shape of one step, or describe it in text: in 2x34x34; conv 16k5s2; "
                f"dense 10"
            ) from error
    return list(calls.values())


def _template(part: Any, name: str, bits: int) -> Lists | Kernels | Kept | None:
    """Synapses of a layer; None for what takes no cores: neurons, norms, dropout, reshaping."""
    kind = type(part).__name__
    if kind == "Linear":
        return Lists(bits)
    if kind == "Conv2d" and not isinstance(part.padding, str):
        geometry = part.kernel_size, part.stride, part.padding, part.dilation, part.groups
        return Kernels(bits, *geometry)
    if kind in ("AvgPool2d", "MaxPool2d", "LPPool2d"):
        kernel, padding = _both(part.kernel_size), _both(getattr(part, "padding", 0))
        stride = kernel if part.stride is None else _both(part.stride)
        pool = Pool.sums(kernel, stride=stride)
        return Kept(Pool(pool.weight, stride, padding))
    if any(weight.dim() > 1 for weight in part.parameters()) or "Pool" in kind or "Conv" in kind:
        raise NetworkError(
            f"layer {name!r}: {kind} has no place in a description of shapes; put Linear, Conv2d, "
            f"AvgPool2d or MaxPool2d in its place, or describe the network in text"
        )
    return None


def _both(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _with_loop(layer: Layer, part: Any, bits: int) -> Layer:
    loop = Link(layer.name, _template(part, layer.name, bits) or Kept(OneToOne(stand_in(bits))))
    return Layer(layer.name, layer.shape, layer.neuron, (*layer.links, loop))


def _check_chain(name: str, took: Shape, before: Layer) -> None:
    if math.prod(took) != math.prod(before.shape):
        raise NetworkError(
            f"layer {name!r}: takes {math.prod(took):,} values and {before.name!r}, which was "
            f"called before it, gives {math.prod(before.shape):,}: no chain; describe the network "
            f"in text, with from="
        )
