"""Pruning in rounds: a share of the smallest weights goes, the rest trains, and again.

Iterative magnitude pruning (Han et al. 2015, arXiv:1506.02626); the default course is that of the
finger decoder tinyRSNN. What was pruned stays 0 in floats and in the chip's integers.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from .layers import LIF
from .pruning import largest_of_each

Tensor = torch.Tensor

LARGEST_HALF = 65504.0
"""Of 16-bit floats."""


@dataclass(frozen=True)
class Schedule:
    """How far pruning goes.

    Attributes
    ----------
    first : float
        Share of the weights that the first round prunes, above 0 and below 1.
    steps : tuple of float
        What later rounds add. Once a round loses too much it is taken back, and the next, finer
        step goes on from there.
    tolerance : float
        Share of the first score that may be lost, at least 0.
    most : float
        Share beyond which no round goes, below 1.

    Raises
    ------
    InputError
        If one is out of its range.

    Examples
    --------
    >>> from neurodeploy.training.sparsity import Schedule
    >>> Schedule(first=0.5, steps=(0.1, 0.02)).most
    0.95
    """

    first: float = 0.4
    steps: tuple[float, ...] = (0.1, 0.05)
    tolerance: float = 0.02
    most: float = 0.95

    def __post_init__(self) -> None:
        shares = (self.first, *self.steps, self.most)
        if not all(0 < share < 1 for share in shares) or self.tolerance < 0:
            raise InputError(
                f"Schedule: first {self.first:g}, steps {self.steps}, most {self.most:g}, "
                f"tolerance {self.tolerance:g}; give shares above 0 and below 1, a tolerance of "
                f"at least 0"
            )


@dataclass(frozen=True)
class Round:
    """One round of pruning.

    Attributes
    ----------
    share : float
        Share of the weights that were 0 in it.
    score : float
        After it had trained.
    kept : bool
        Whether it lost no more than is allowed; else the module went back to the round before.
    """

    share: float
    score: float
    kept: bool


def prune_smallest(module: torch.nn.Module, share: float) -> float:
    """Prune the smallest weights of each `LIF` layer, for good, until a share of them is 0.

    Recurrent weights are counted with those from outside. Pruning to less than there is already
    changes nothing.

    Parameters
    ----------
    module : torch.nn.Module
    share : float
        0..1, 1 excluded; of a layer's weights, kernels counted once. Pools are left alone.

    Returns
    -------
    float
        Share of all weights that are pruned now.

    Raises
    ------
    InputError
        If the share is out of its range.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training.layers import LIF
    >>> from neurodeploy.training.sparsity import prune_smallest
    >>> prune_smallest(LIF(torch.nn.Linear(20, 10)), 0.4)
    0.4
    """
    if not 0 <= share < 1:
        raise InputError(f"share: {share:g}; give 0 or more, below 1")
    gone = total = 0
    for layer in _layers(module):
        keeps = [getattr(layer, f"keep{i}") for i in range(len(layer.weights()))]
        values = [
            (w.detach().abs() * keep).cpu().numpy().ravel()
            for w, keep in zip(layer.weights(), keeps, strict=True)
        ]
        size = np.concatenate(values).astype(np.float64)
        alive = np.concatenate([keep.cpu().numpy().ravel() for keep in keeps])
        # A weight that is 0 and was not pruned may come back; it goes before those that are not.
        ranked = np.where(alive, size + np.finfo(np.float64).tiny, 0.0)
        stay = size.size - round(share * size.size)
        left = largest_of_each(np.zeros(size.size, np.int64), ranked, stay) & alive
        start = 0
        for keep in keeps:
            part = left[start : start + keep.numel()].reshape(tuple(keep.shape))
            keep.copy_(torch.from_numpy(part))
            start += keep.numel()
        gone, total = gone + int(np.count_nonzero(~left)), total + size.size
    return gone / total if total else 0.0


def prune_in_rounds(
    module: torch.nn.Module,
    train: Callable[[], None],
    score: Callable[[], float],
    schedule: Schedule | None = None,
) -> tuple[Round, ...]:
    """Prune, train and score, as long as little is lost.

    Parameters
    ----------
    module : torch.nn.Module
        Trained; of `LIF` layers. It ends as it was in the last round that was kept.
    train : callable
        Trains it further, with an optimiser of its own.
    score : callable
        Gives what is to stay high, on data that it was not trained with: an accuracy, an R^2.
    schedule : Schedule, optional

    Returns
    -------
    tuple of Round
        The first is the module as it was given, with the share that was pruned already.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training.layers import LIF
    >>> from neurodeploy.training.sparsity import Schedule, prune_in_rounds
    >>> layer = LIF(torch.nn.Linear(20, 10))
    >>> rounds = prune_in_rounds(layer, lambda: None, lambda: 1.0, Schedule(most=0.6))
    >>> [one.share for one in rounds]
    [0.0, 0.4, 0.5, 0.6]
    """
    schedule = schedule or Schedule()
    share, first = prune_smallest(module, 0.0), score()
    rounds, steps = [Round(share, first, True)], list(schedule.steps)
    wanted = schedule.first
    while wanted <= schedule.most + 1e-9:
        before = deepcopy(module.state_dict())
        found = prune_smallest(module, wanted)
        train()
        reached = score()
        kept = first - reached <= schedule.tolerance * abs(first)
        rounds.append(Round(found, reached, kept))
        if kept:
            share = wanted
        else:
            module.load_state_dict(before)
            steps = steps[1:]
        if not steps:
            break
        wanted = share + steps[0]
    return tuple(rounds)


def half_precision(module: torch.nn.Module) -> dict[str, Tensor]:
    """Give the ``state_dict`` with weights as 16-bit floats, and 0 where they were pruned.

    ``torch.save`` it; a module that loads it computes with these weights. Scales, exponents and
    masks stay as they are.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    dict of str to tensor

    Raises
    ------
    InputError
        If a number is beyond what 16 bits hold.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training.layers import LIF
    >>> from neurodeploy.training.sparsity import half_precision
    >>> half_precision(LIF(torch.nn.Linear(2, 2)))["synapse.weight"].dtype
    torch.float16
    """
    found = {name: value.detach().clone() for name, value in module.state_dict().items()}
    names = {id(p): name for name, p in module.named_parameters()}
    for layer in _layers(module):
        for index, weight in enumerate(layer.weights()):
            found[names[id(weight)]] *= getattr(layer, f"keep{index}")
    for name in names.values():
        largest = float(found[name].abs().max()) if found[name].numel() else 0.0
        if not largest <= LARGEST_HALF:
            raise InputError(
                f"{name}: holds {largest:g}, 16-bit floats end at {LARGEST_HALF:g}; scale it down"
            )
        found[name] = found[name].half()
    return found


def _layers(module: torch.nn.Module) -> list[LIF]:
    """Those with weights that are trained."""
    return [
        layer
        for layer in module.modules()
        if isinstance(layer, LIF) and not isinstance(layer.synapse, torch.nn.AvgPool2d)
    ]


__all__ = ["Round", "Schedule", "half_precision", "prune_in_rounds", "prune_smallest"]
