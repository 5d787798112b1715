"""Parts of blocks that a user changed: forwards of their own, and hooks that change numbers.

A synapse with a forward of its own, or with hooks of its user, is asked what it uses: the
weights that reach torch's convolution count, if SLAYER's forward with those does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from torch.overrides import TorchFunctionMode

from ...errors import UnsupportedError
from .importing import SLAYER
from .module_kinds import name_of, own_forward
from .weights import Used, computing_hooks

CONVOLUTIONS = {"conv3d", "conv_transpose3d"}
"""What SLAYER's synapses are computed by (``synapse/layer.py``)."""


TRIED = ("activation", "pre_hook_fx", "_pre_hook_fx")
"""Modules that are not read but tried: what they make of numbers counts, whatever they are."""


def _is_tried(where: str) -> bool:
    return where.rsplit(".", 1)[-1] in TRIED or ".parametrizations." in where


def is_synapse(module: Any) -> bool:
    """Whether a module is a real synapse of SLAYER, or derived from one."""
    return hasattr(module, "weight_norm_enabled") and hasattr(module, "stride")


class Inner:
    """Watches the parts of blocks during a forward pass.

    Attributes
    ----------
    given : dict of int to tensor
        By ``id``: what the synapses that are not quite SLAYER's were given.
    """

    def __init__(self, torch: Any, names: dict[int, str]) -> None:
        self.torch = torch
        self.names = names
        self.given: dict[int, Any] = {}
        self.hooks: list[Any] = []

    def watch(self, leaf: Any) -> None:
        """Refuse what was rewritten, and hook what has hooks.

        Raises
        ------
        UnsupportedError
            If a part other than a synapse has a forward of its own.
        """
        for part in leaf.modules():
            where = self.names[id(part)]
            changed = own_forward(part)
            if is_synapse(part):
                if changed or _hooks_of(part):
                    self.hooks.append(part.register_forward_hook(self._keep, prepend=True))
            elif changed and not _is_tried(where):
                raise UnsupportedError(
                    f"{where}: its {changed} is not SLAYER's; read are SLAYER's own neurons, "
                    f"delays and norms: derive from one without changing what it computes"
                )
            if own := [h for h in part._forward_hooks.values() if not _is_ours(h)]:
                self._compare(part.register_forward_hook, own, where, "forward hook", "gives")
            if part is not leaf and (own := _hooks_of(part)):
                register = part.register_forward_pre_hook
                self._compare(register, own, where, "forward pre-hook", "is given")

    def remove(self) -> None:
        """Take all hooks away again."""
        for hook in self.hooks:
            hook.remove()

    def _keep(self, module: Any, args: Any, result: Any) -> None:
        self.given[id(module)] = args[0].detach().clone()

    def _compare(
        self, register: Callable[..., Any], hooks: Collection[Any], where: str, kind: str, what: str
    ) -> None:
        """See whether the user's hooks change numbers: the last that a hook is called with."""
        names = ", ".join(map(name_of, hooks))
        raw: list[Any] = []

        def before(module: Any, *values: Any) -> None:
            raw[:] = [t.detach().clone() for t in _tensors(self.torch, values[-1])]

        def after(module: Any, *values: Any) -> None:
            if not _same(self.torch, raw, _tensors(self.torch, values[-1])):
                raise UnsupportedError(
                    f"{where}: its {kind} ({names}) changes what it {what}, and a chip has no "
                    f"place for that; remove the hook, or make the change a block"
                )

        self.hooks += [register(before, prepend=True), register(after)]


def _hooks_of(part: Any) -> list[Any]:
    """A user's forward pre-hooks, without those of torch that compute weights."""
    computing = [hook for hook, _ in computing_hooks(part)]
    return [h for h in part._forward_pre_hooks.values() if h not in computing and not _is_ours(h)]


def _is_ours(hook: Any) -> bool:
    return (getattr(hook, "__module__", None) or "").startswith(__name__.rsplit(".", 1)[0])


def _tensors(torch: Any, value: Any) -> list[Any]:
    values = value if isinstance(value, (tuple, list)) else (value,)
    return [v for v in values if torch.is_tensor(v)]


def _same(torch: Any, first: list[Any], second: list[Any]) -> bool:
    pairs = zip(first, second, strict=False)
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in pairs)


class _Convolutions(TorchFunctionMode):
    """Writes down what torch's convolutions are given."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.seen: list[Used] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run a torch function."""
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in CONVOLUTIONS:
            weight, bias = (
                args[place] if len(args) > place else kwargs.get(key)
                for place, key in ((1, "weight"), (2, "bias"))
            )
            bias = None if bias is None else bias.detach().clone()
            self.seen.append(Used(weight.detach().clone(), bias))
        return func(*args, **kwargs)


def find_used_weights(torch: Any, synapse: Any, given: Any, where: str) -> Used:
    """Find out what a synapse that is not quite SLAYER's computes with.

    It is run on what it was given, and on the negative of that. Both times the
    same weights must reach one convolution, and SLAYER's own forward with
    these must give the same, every number.

    Parameters
    ----------
    torch : module
    synapse : torch.nn.Module
        Derived from a real synapse of SLAYER.
    given : tensor
        What the forward pass gave it.
    where : str
        The synapse's path.

    Raises
    ------
    UnsupportedError
        If it does more, naming what.
    """
    changed = own_forward(synapse)
    what = f"its forward ({changed}) is not SLAYER's" if changed else "it has hooks"
    cure = "change its weights in pre_hook_fx or by torch.nn.utils.parametrize"
    found: list[Used] = []
    for probe in (given, -given):
        with torch.no_grad(), _Convolutions() as convolutions:
            result = synapse(probe)
        if len(convolutions.seen) != 1:
            raise UnsupportedError(
                f"{where}: {what}, and calls torch's conv3d {len(convolutions.seen)} times, where "
                f"SLAYER's does once; {cure}"
            )
        found += convolutions.seen
        with torch.no_grad():
            same = torch.equal(_slayers(torch, synapse, found[-1])(probe), result)
        if not same:
            raise UnsupportedError(
                f"{where}: {what}, and does more than multiply by weights and add a bias; {cure}"
            )
    first, second = found
    both = (first.bias, second.bias)
    alike = [b is None for b in both]
    same = all(alike) or (not any(alike) and torch.equal(*both))
    if not (same and torch.equal(first.weight, second.weight)):
        raise UnsupportedError(
            f"{where}: {what}, and its weights hang on what it is given, or are drawn anew; {cure}"
        )
    return first


def _slayers(torch: Any, synapse: Any, used: Used) -> Any:
    """SLAYER's synapse of the same kind with these weights."""
    base = next(c for c in type(synapse).__mro__ if c.__module__.startswith(f"{SLAYER}.synapse"))
    plain: Any = object.__new__(base)
    torch.nn.Module.__init__(plain)
    for key, value in vars(synapse).items():
        if not key.startswith("_") and key not in ("forward", "weight", "bias"):
            setattr(plain, key, value)
    plain._pre_hook_fx = None
    plain.weight = torch.nn.Parameter(used.weight, requires_grad=False)
    plain.bias = None if used.bias is None else torch.nn.Parameter(used.bias, requires_grad=False)
    return plain.eval()
