"""Runs a user's module on an example: its first forward pass, and the one that is followed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode

from ...errors import InputError, NeurodeployError
from .importing import quiet
from .module_kinds import BOOTSTRAP, Rested, is_bootstrap, kind_of
from .tracing import Emitter, Tracer, Wire
from .user_changes import Inner, find_used_weights
from .weights import Kept, Used


def run(module: Any, x: Any) -> Any:
    """Call a module; one of bootstrap blocks that asks for a mode gets SNN for every block.

    lava-dl's tutorial passes ``scheduler.mode(...)``, which gives one mode for each block.
    """
    asked = list(inspect.signature(module.forward).parameters.values())
    needs_mode = any(p.name == "mode" and p.default is p.empty for p in asked[1:])
    if needs_mode and any(is_bootstrap(m) for m in module.modules()):
        import importlib

        routine = importlib.import_module(f"{BOOTSTRAP}.routine")
        return module(x, mode=routine.LayerMode(0, routine.Mode.SNN))
    return module(x)


def as_module_takes_it(torch: Any, example: Any, static: bool = False) -> Any:
    """What a module is called with: time last; a static image has none."""
    return torch.from_numpy(
        np.ascontiguousarray(example if static else np.moveaxis(example, 1, -1))
    )


class Lenient(TorchFunctionMode):
    """Gives ``torch.abs`` of truth values, which torch 2.3 has on CUDA but not on the CPU.

    lava-dl's YOLO-KP asks for it (``object_detection/models/yolo_kp.py:162``,
    lava-dl 0.6.0), so that its forward pass fails on every CPU.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a torch function."""
        name = getattr(func, "__name__", "")
        if name == "abs" and not kwargs and str(args[0].dtype) == "torch.bool":
            return args[0]
        return func(*args, **(kwargs or {}))


def run_once(torch: Any, module: Any, x: Any, static: bool = False) -> None:
    """Let blocks learn their shapes, and draw what they have not learnt, in a first pass.

    Parameters
    ----------
    torch : module
    module : torch.nn.Module
    x : tensor [samples, *shape, steps], or [samples, *shape]
    static : bool
        Whether `x` has no time.

    Raises
    ------
    InputError
        With the words of whatever the module raises.
    """
    try:
        with Rested(torch, module), torch.no_grad(), quiet(), Lenient():
            run(module, x)
    except NeurodeployError:
        raise
    except Exception as error:  # whatever a user's module raises
        line = (str(error).strip().splitlines() or [""])[0]
        shape = tuple(x.shape) if static else tuple(np.moveaxis(x.numpy(), -1, 1).shape)
        if not static and _runs(torch, module, x[..., 0]):
            line += "; it runs on an image without time: give --static (static=True)"
        raise InputError(
            f"{type(module).__name__}: SLAYER's forward pass fails on an example of shape "
            f"{shape}: {type(error).__name__}: {line}"
        ) from error


def _runs(torch: Any, module: Any, x: Any) -> bool:
    """Whether a module can be run on this at all."""
    try:
        run_once(torch, module, x, static=True)
    except Exception:  # whatever a user's module raises
        return False
    return True


@dataclass(frozen=True, eq=False)
class Trace:
    """What one forward pass showed.

    Attributes
    ----------
    emitters : list of Emitter
        Inputs first; those that nothing was fed with have no part in the network.
    returned : list of Wire
        What is known of the tensors that the module returned.
    after_first : Kept
        Parameters as they were after a first forward pass, before the one that was followed.
    used : dict of int to Used
        By the synapse's ``id``: what synapses compute with that are not quite SLAYER's.
    """

    emitters: list[Emitter]
    returned: list[Wire]
    after_first: Kept
    used: dict[int, Used] = field(default_factory=dict)


def trace(torch: Any, module: Any, example: NDArray[np.float32], static: bool = False) -> Trace:
    """Run a module on an example and follow what its blocks send.

    Parameters
    ----------
    torch : module
    module : torch.nn.Module
    example : float32 [samples, steps, *shape], or [samples, *shape]
    static : bool
        Whether the example has no time, which the module gives it.

    Raises
    ------
    UnsupportedError
        If a block is fed what cannot be followed; it names the block and the operation.
    """
    leaves = [found for found in module.modules() if kind_of(found)]
    x = as_module_takes_it(torch, example, static)
    run_once(torch, module, x, static)
    after_first = Kept(module)
    hooks: list[Any] = []
    with Rested(torch, module), torch.no_grad(), _without_onednn(torch):
        tracer = Tracer(torch, module, x, static)
        inner = Inner(torch, tracer.names)
        try:
            for leaf in _outermost(leaves):
                inner.watch(leaf)
            for leaf in leaves:
                hooks.append(leaf.register_forward_pre_hook(tracer.enter, with_kwargs=True))
                hooks.append(leaf.register_forward_hook(tracer.leave))
            with quiet(), Lenient(), tracer:
                result = run(module, x)
        finally:
            inner.remove()
            for hook in hooks:
                hook.remove()
        used = {
            id(part): find_used_weights(torch, part, inner.given[id(part)], tracer.names[id(part)])
            for part in module.modules()
            if id(part) in inner.given
        }
    found_wires = [tracer.wire(t) for t in tracer._tensors(result)]
    returned = [wire for wire in found_wires if wire is not None]
    return Trace(tracer.emitters, returned, after_first, used)


@contextmanager
def _without_onednn(torch: Any) -> Iterator[None]:
    """Keep torch off oneDNN; ``mkldnn.flags`` would set TF32 too, and today's torch warns of it."""
    before = torch.backends.mkldnn.set_flags(False)[0]
    try:
        yield
    finally:
        torch.backends.mkldnn.set_flags(before)


def _outermost(leaves: list[Any]) -> list[Any]:
    """Blocks, and synapses and neurons that stand alone."""
    within = {id(part) for leaf in leaves for part in leaf.modules() if part is not leaf}
    return [leaf for leaf in leaves if id(leaf) not in within]
