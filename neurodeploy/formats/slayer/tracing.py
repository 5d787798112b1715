"""Runs a module once and finds out which block feeds which, however it is wired."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from torch.overrides import TorchFunctionMode

from ...errors import UnsupportedError
from .module_kinds import is_bootstrap, kind_of
from .origins import NOTHING, label_outputs

MOVES = {
    "__getitem__", "broadcast_to", "cat", "chunk", "clone", "concat", "concatenate", "contiguous",
    "cpu", "detach", "double", "expand", "flatten", "flip", "float", "hstack", "index_select",
    "movedim", "moveaxis", "narrow", "permute", "repeat", "reshape", "roll", "select", "split",
    "squeeze", "stack", "swapaxes", "swapdims", "tile", "to", "transpose", "type",
    "unbind", "unflatten", "unsqueeze", "view", "vstack",
}  # fmt: skip
"""Functions that only move numbers about."""

SAME = {
    "clone", "contiguous", "cpu", "detach", "double", "dropout", "dropout2d", "dropout3d", "float",
    "requires_grad_", "to", "type",
}  # fmt: skip
"""Of them, and beside them, those that leave every number where it is (in evaluation mode)."""

SUMS = {"add", "__add__", "__radd__", "__iadd__", "add_"}


@dataclass(eq=False)
class Wire:
    """What is known of a tensor: the shadows that add up to it, or what was done to it.

    Attributes
    ----------
    terms : list of shadow
    spoilt : str
        The operation after which it is no longer a sum of messages.
    host : bool
        Whether it depends on the network's input alone.
    static : bool
        Whether it comes of an image without time, which the module repeats itself.
    version : int
        Of the tensor when this was known of it; torch counts changes in place.
    """

    terms: list[Any]
    spoilt: str = ""
    host: bool = False
    static: bool = False
    version: int = 0


@dataclass(eq=False)
class Emitter:
    """Something that sends: the input (``module`` is None), or a SLAYER module.

    Attributes
    ----------
    name : str
        The module's path in the whole.
    kind : str
        See `module_kinds.kind_of`; ``input`` for the input.
    inputs : list of list of shadow
        For each call, the terms that add up to what it was given.
    shape : tuple of int
        Of what it was given, without samples and steps.
    sent : list of tensor [samples, *shape, steps]
        For each call, what it sent.
    steps : int
        Steps sent so far.
    """

    name: str
    kind: str
    module: Any = None
    inputs: list[list[Any]] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    sent: list[Any] = field(default_factory=list)
    steps: int = 0


class Tracer(TorchFunctionMode):
    """Follows a forward pass; see `origins` for how."""

    def __init__(self, torch: Any, module: Any, x: Any, static: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.torch = torch
        self.steps = 0
        self.emitters: list[Emitter] = []
        self.wires: dict[int, Wire] = {}
        self.alive: list[Any] = []  # so that no id is given twice
        self.inside = 0
        self.names = {id(m): name or type(m).__name__ for name, m in module.named_modules()}
        self.latest: dict[int, int] = {}
        if static:
            self._keep(x, Wire([], host=True, static=True))
        else:
            self._start(x)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a torch function; where it concerns a followed tensor, follow on."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self.inside:
            return result
        name = getattr(func, "__name__", "")
        given = self._tensors((args, kwargs))
        if name == "__setitem__":
            self._set(*args)
        elif any(id(t) in self.wires for t in given):
            self._follow(name, func, args, kwargs, result)
        for tensor in given:
            self._changed(name, tensor)
        return result

    def enter(self, module: Any, args: Any, kwargs: Any) -> None:
        """Forward pre-hook of a SLAYER module."""
        if not self.inside and is_bootstrap(module) and kind_of(module) != "block.Affine":
            mode = kwargs.get("mode", args[1] if len(args) > 1 else None)
            if getattr(mode, "name", "ANN") != "SNN":
                raise UnsupportedError(
                    f"{self.names[id(module)]}: runs in bootstrap's mode "
                    f"{getattr(mode, 'name', 'ANN')}, which computes rates and no spikes; let the "
                    f"module's forward give it mode=bootstrap.Mode.SNN"
                )
        self.inside += 1

    def leave(self, module: Any, args: Any, result: Any) -> None:
        """Forward hook of a SLAYER module: it has become an emitter."""
        self.inside -= 1
        if self.inside:
            return
        sent = result[0] if isinstance(result, tuple) else result
        given = args[0]
        self.inside += 1  # what follows is ours
        try:
            self._call(module, given, sent)
        finally:
            self.inside -= 1

    def wire(self, tensor: Any) -> Wire | None:
        """What is known of a tensor."""
        return self.wires.get(id(tensor))

    def _start(self, x: Any) -> None:
        self.steps = x.shape[-1]
        self.emitters.append(Emitter("input", "input", sent=[x], shape=tuple(x.shape[1:-1])))
        shadow = label_outputs(self.torch, len(self.emitters) - 1, tuple(x.shape))
        self._keep(x, Wire([shadow], host=True))

    def _changed(self, name: str, tensor: Any) -> None:
        """See whether a function changed a followed tensor in place, behind its wire."""
        wire = self.wires.get(id(tensor))
        if wire is None or tensor._version == wire.version:
            return
        wire.version = tensor._version
        if wire.static:
            return
        if wire.host:
            self._start(tensor)
        else:
            wire.spoilt = wire.spoilt or name

    def _keep(self, tensor: Any, wire: Wire) -> None:
        wire.version = tensor._version
        self.wires[id(tensor)] = wire
        self.alive.append(tensor)

    def _call(self, module: Any, given: Any, sent: Any) -> None:
        name, kind = self.names[id(module)], kind_of(module)
        wire = self.wire(given) or self._constant(given, name)
        if wire is not None and wire.static:  # what the first block takes is the input
            if given.shape[-1] < 2:
                raise UnsupportedError(
                    f"{name}: is given one step of the image; repeat it in time before the first "
                    f"block (slayer.utils.time.replicate)"
                )
            self._start(given)
            wire = self.wires[id(given)]
        if wire is not None and wire.version != given._version and not wire.host:
            wire.spoilt = wire.spoilt or "an operation in place on a view"
        if wire is None:
            raise UnsupportedError(
                f"{name}: is given numbers that are neither the input nor sent by a block; feed it "
                f"what the module itself is given"
            )
        if wire.spoilt:
            raise UnsupportedError(
                f"{name}: torch's {wire.spoilt!r} stands between it and what feeds it; a chip "
                f"passes messages on as they are: move the operation into a block, or before the "
                f"first one"
            )
        if kind == "block.TimeDecimation":
            if wire.host:  # the host's business
                self._start(sent)
                return
            self._keep(sent, Wire([], spoilt="TimeDecimation"))
        elif sent.shape[-1] != given.shape[-1]:
            raise UnsupportedError(f"{name}: changes the number of time steps")
        stepwise = given.shape[-1] < self.steps
        index = self.latest.get(id(module)) if stepwise else None
        if index is None:
            index = len(self.emitters)
            self.emitters.append(Emitter(name, kind, module, shape=tuple(given.shape[1:-1])))
            self.latest[id(module)] = index
        emitter = self.emitters[index]
        emitter.inputs.append(wire.terms)
        emitter.sent.append(sent)
        if kind != "block.TimeDecimation":
            shadow = label_outputs(self.torch, index, tuple(sent.shape), emitter.steps)
            self._keep(sent, Wire([shadow]))
        emitter.steps += sent.shape[-1]

    def _constant(self, tensor: Any, name: str) -> Wire | None:
        if bool((tensor != 0).any()):
            return None
        return Wire([self.torch.full(tuple(tensor.shape), NOTHING)])

    def _follow(self, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        outs = [t for t in self._tensors(result) if t.dim() and id(t) not in self.wires]
        if not outs and name not in ("__iadd__", "add_"):
            return
        self.inside += 1
        try:
            wires = self._moved(name, func, args, kwargs, result)
        finally:
            self.inside -= 1
        if wires is not None:
            for tensor, wire in wires:
                self._keep(tensor, wire)
            return
        given = [self.wires[id(t)] for t in self._tensors((args, kwargs)) if id(t) in self.wires]
        if any(wire.static for wire in given):
            for tensor in outs:
                self._keep(tensor, Wire([], host=True, static=True))
            return
        if all(wire.host for wire in given):  # the host prepares the input
            for tensor in outs:
                if tensor.is_floating_point() and tensor.dim() >= 3:
                    self._start(tensor)
            return
        spoilt = next((wire.spoilt for wire in given if wire.spoilt), name)
        for tensor in outs:
            self._keep(tensor, Wire([], spoilt=spoilt))

    def _moved(
        self, name: str, func: Any, args: Any, kwargs: Any, result: Any
    ) -> list[tuple[Any, Wire]] | None:
        """Wires of the results of a function that moves or adds; None for any other."""
        tensors = self._tensors((args, kwargs))
        if any((w := self.wires.get(id(t))) and (w.spoilt or w.static) for t in tensors):
            return None
        if name in SAME:
            wire = self.wires[id(tensors[0])]
            if (
                result is not tensors[0]
            ):  # what is written into one of them later is not the other's
                wire = replace(wire, terms=[term.clone() for term in wire.terms])
            return [(result, wire)]
        if name in SUMS:
            return self._summed(tensors, args, kwargs, result)
        if name == "pad":
            if any(kwargs.get("value") or v for v in args[3:]):
                return None
            padded = [
                func(term, args[1] if len(args) > 1 else kwargs["pad"], value=NOTHING)
                for term in self.wires[id(tensors[0])].terms
            ]
            return [(result, Wire(padded, host=self.wires[id(tensors[0])].host))]
        if name not in MOVES:
            return None
        wires = [self.wires.get(id(t)) or self._constant(t, name) for t in tensors]
        if any(wire is None for wire in wires):
            return None
        known = [wire for wire in wires if wire is not None]
        count = max(len(wire.terms) for wire in known)
        moved = []
        for term in range(count):
            shadows = {
                id(t): (w.terms[term] if term < len(w.terms) else self._blank(t))
                for t, w in zip(tensors, known, strict=True)
            }
            moved.append(func(*self._swapped(args, shadows), **self._swapped(kwargs, shadows)))
        host = all(wire.host for wire in known)
        results = self._tensors(result)
        parts = [self._tensors(m) for m in moved]
        return [
            (tensor, Wire([part[i] for part in parts], host=host))
            for i, tensor in enumerate(results)
        ]

    def _summed(
        self, tensors: list[Any], args: Any, kwargs: Any, result: Any
    ) -> list[tuple[Any, Wire]] | None:
        numbers = [a for a in args if isinstance(a, (int, float))]
        if any(numbers) or kwargs:
            return None
        terms: list[Any] = []
        for tensor in tensors:
            wire = self.wires.get(id(tensor)) or self._constant(tensor, "add")
            if wire is None or tuple(tensor.shape) != tuple(result.shape) or wire.host:
                return None
            terms += [t for t in wire.terms if bool((t != NOTHING).any())]
        return [(result, Wire(terms or [self._blank(result)]))]

    def _set(self, target: Any, index: Any, value: Any) -> None:
        before = self.wires.get(id(target))
        if not self.torch.is_tensor(value) or id(value) not in self.wires:
            self._set_numbers(before, target, index, value)
            return
        wire = self.wires[id(value)]
        if before is None:
            before = Wire([])
            self._keep(target, before)
        before.spoilt = before.spoilt or wire.spoilt
        self.inside += 1
        while len(before.terms) < len(wire.terms):
            before.terms.append(self._blank(target))
        for term, shadow in zip(before.terms, wire.terms, strict=False):
            term[index] = shadow
        self.inside -= 1
        before.version = target._version

    def _set_numbers(self, wire: Wire | None, target: Any, index: Any, value: Any) -> None:
        """Zeros blot out what was sent; other numbers were sent by nobody."""
        if wire is None or wire.host or bool((self.torch.as_tensor(value) != 0).any()):
            return
        wire.terms[:] = [term.clone() for term in wire.terms]  # a shadow may be another's, too
        for term in wire.terms:
            term[index] = NOTHING
        wire.version = target._version

    def _blank(self, tensor: Any) -> Any:
        return self.torch.full(tuple(tensor.shape), NOTHING)

    def _tensors(self, value: Any) -> list[Any]:
        if self.torch.is_tensor(value):
            return [value]
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (tuple, list)):
            return [tensor for item in value for tensor in self._tensors(item)]
        return []

    def _swapped(self, value: Any, shadows: dict[int, Any]) -> Any:
        if self.torch.is_tensor(value):
            return shadows.get(id(value), value)
        if isinstance(value, dict):
            return {key: self._swapped(item, shadows) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self._swapped(item, shadows) for item in value)
        return value
