r"""Derivatives that stand in for a spike's, by name.

A spike is :math:`s = [v > \theta]`. Backward its derivative by :math:`x = v / \theta - 1`, the
distance from the threshold in thresholds, is a bell :math:`g(x)` with a slope :math:`\beta`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..errors import InputError

Tensor = torch.Tensor
Bell = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Kind:
    """A family of surrogates.

    Attributes
    ----------
    bell : callable
        The derivative by x, of beta x; to be multiplied by beta where `scales`.
    slope : float
        beta if none is given.
    scales : bool
        Whether it is the derivative of a function from 0 to 1, so that its integral is 1 whatever
        beta is. Else its peak is 1.
    source : str
    """

    bell: Bell
    slope: float
    scales: bool
    source: str


KINDS: dict[str, Kind] = {
    "super-spike": Kind(
        lambda y: 1 / (1 + y.abs()) ** 2, 5.0, False,
        "fast sigmoid: Zenke and Ganguli 2018, SuperSpike, arXiv:1705.11146",
    ),
    "atan": Kind(
        lambda y: 0.5 / (1 + (math.pi / 2 * y) ** 2), 2.0, True,
        "arc tangent: Fang et al. 2021, arXiv:2007.05785",
    ),
    "sigmoid": Kind(
        lambda y: torch.sigmoid(y) * torch.sigmoid(-y), 4.0, True,
        "logistic function: Neftci, Mostafa and Zenke 2019, arXiv:1901.09948",
    ),
    "triangle": Kind(
        lambda y: (1 - y.abs()).clamp(min=0), 1.0, False,
        "piecewise linear: Esser et al. 2016, arXiv:1603.08270; times 0.3 Bellec et al. 2018, "
        "arXiv:1803.09574",
    ),
    "gaussian": Kind(
        lambda y: torch.exp(-0.5 * y**2) / math.sqrt(2 * math.pi), 2.0, True,
        "normal density of standard deviation 1 / beta: Yin, Corradi and Bohte 2021, "
        "arXiv:2103.12593",
    ),
    "box": Kind(
        lambda y: 0.5 * (y.abs() <= 1).to(y.dtype), 1.0, True,
        "the exact one of a threshold with uniform noise of +- 1 / beta: Gygax and Zenke 2024, "
        "arXiv:2404.14964",
    ),
}  # fmt: skip
"""By name, with source."""


@dataclass(frozen=True)
class Surrogate:
    r"""The derivative that training takes for a spike's.

    By name, g is

    - ``super-spike``: :math:`1 / (1 + \beta |x|)^2`
    - ``atan``: :math:`(\beta / 2) / (1 + (\pi \beta x / 2)^2)`
    - ``sigmoid``: :math:`\beta\, \sigma(\beta x)\, \sigma(-\beta x)`
    - ``triangle``: :math:`\max(0, 1 - \beta |x|)`
    - ``gaussian``: :math:`\beta\, \exp(-(\beta x)^2 / 2) / \sqrt{2 \pi}`
    - ``box``: :math:`\beta / 2` where :math:`\beta |x| \le 1`, else 0

    Attributes
    ----------
    name : str
        Of `KINDS`, which names the sources.
    slope : float, optional
        beta, above 0; the kind's own if not given.
    height : float
        Multiplies it, such as 0.3 (the dampening of Bellec et al. 2018).

    Raises
    ------
    InputError
        If the name is unknown or the slope or height is not above 0.

    Examples
    --------
    >>> import torch
    >>> from neurodeploy.training.surrogates import Surrogate
    >>> Surrogate("triangle", height=0.3)(torch.tensor([-0.5, 0.0, 2.0]))
    tensor([0.1500, 0.3000, 0.0000])
    """

    name: str = "super-spike"
    slope: float | None = None
    height: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise InputError(f"surrogate {self.name!r}: unknown; there are {', '.join(KINDS)}")
        if (self.slope is not None and self.slope <= 0) or self.height <= 0:
            raise InputError(
                f"surrogate {self.name!r}: slope {self.slope}, height {self.height}; give more "
                f"than 0"
            )

    @classmethod
    def of(cls, given: str | Surrogate) -> Surrogate:
        """Give the surrogate of a name, or what is one already."""
        return cls(given) if isinstance(given, str) else given

    @property
    def beta(self) -> float:
        """The slope in use."""
        return KINDS[self.name].slope if self.slope is None else self.slope

    def __call__(self, x: Tensor) -> Tensor:
        """Give the derivative at distances from the threshold, in thresholds."""
        kind = KINDS[self.name]
        return kind.bell(self.beta * x) * (self.height * (self.beta if kind.scales else 1.0))


DEFAULT = Surrogate()

__all__ = ["DEFAULT", "KINDS", "Kind", "Surrogate"]
