"""A learning rule as data: its equations, its traces, its epochs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...errors import NetworkError
from ..fields import RULE, Declared, Metadata, choice, one_integer
from .equations import TRACES, Equation, read_rule
from .widths import LONGEST_EPOCH, TRACE_BITS


def _number(low: float, high: float) -> Metadata:
    """Declare one number in low..high."""

    def accept(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"is {value!r}; give a number")
        if not low <= value <= high:  # NaN, too
            raise ValueError(f"is {value}, needs {low:g}..{high:g}")
        return float(value)

    return {RULE: accept}


def _text() -> Metadata:
    def accept(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"is {value!r}; give text")
        read_rule(value)
        return value

    return {RULE: accept}


def _impulse() -> Any:
    return field(default=0.0, metadata=_number(0, (1 << TRACE_BITS) - 1))


def _tau() -> Any:
    return field(default=0.0, metadata=_number(0, 1 << 16))


@dataclass(frozen=True, eq=False)
class LearningRule(Declared):
    r"""How the synapses of a projection learn, as Loihi's learning engine does in Lava.

    At the end of every epoch each synaptic variable z (weight w, delay variable d, tag t) becomes

    .. math::
        z \leftarrow round\Big(z + \sum_i m_i 2^{e_i} D_i \prod_j clip(f_{ij} + c_{ij})\Big)

    with a dependency D (x0, y0: the source or the target sent within the epoch; u_k: every
    2^k-th epoch) and factors f. Source: Davies et al., "Loihi", IEEE Micro 38(1) 2018, and Lava's
    ``LearningConnectionModelBitApproximate`` (``magma/core/model/py/connection.py``, lava-nc
    0.10.0), which is followed to the bit; see docs/learning.md.

    Attributes
    ----------
    text : str
        Equations in Lava's syntax, ``dw = ...; dt = ...``; see `equations`.
    x1_impulse, x2_impulse, y1_impulse, y2_impulse, y3_impulse : float
        0..127, what a spike adds to a trace; y's are of two-factor rules alone.
    x1_tau, x2_tau, y1_tau, y2_tau, y3_tau : float
        Steps in which a trace decays to 1/e. With 0 it holds nothing but the step of the spike.
    epoch : int
        Steps of an epoch, 1..63 (Lava's ``t_epoch``).
    factors : {"two", "three"}
        With three, y1, y2 and y3 are written by the target's neurons, see `ModulatedLIF`.
    payload : {"impulse", "overwrite", "add-saturating", "add-overflow"}
        What a message's payload p does to x1: nothing, the impulse is added; x1 becomes p / 2;
        p / 2 is added and cut at 127; p / 2 is added, and of what passes 127 the rest is kept, x2
        gets its impulse, and x0 counts then alone (Lava's ``GradedSpikeCfg`` 0..3).
    sign : {"mixed", "excitatory", "inhibitory"}
        Of the weights: -256..255, 0..255, -255..0 (Lava's ``SignMode``). Before the first step
        mixed weights are cut to even ones, as Lava does.
    seed : int
        Of the generators that round traces (Lava's ``rng_seed``): the same seed, the same run.

    Examples
    --------
    >>> rule = LearningRule("dw = 2^-2*x1*y0 - 2^-2*y1*x0", x1_impulse=20, x1_tau=10,
    ...                     y1_impulse=20, y1_tau=10)
    >>> rule.traces
    ('x1', 'y1')
    """

    text: str = field(metadata=_text())
    x1_impulse: float = _impulse()
    x1_tau: float = _tau()
    x2_impulse: float = _impulse()
    x2_tau: float = _tau()
    y1_impulse: float = _impulse()
    y1_tau: float = _tau()
    y2_impulse: float = _impulse()
    y2_tau: float = _tau()
    y3_impulse: float = _impulse()
    y3_tau: float = _tau()
    epoch: int = field(default=1, metadata=one_integer(1, LONGEST_EPOCH))
    factors: str = field(default="two", metadata=choice("two", "three"))
    payload: str = field(
        default="impulse",
        metadata=choice("impulse", "overwrite", "add-saturating", "add-overflow"),
    )
    sign: str = field(default="mixed", metadata=choice("mixed", "excitatory", "inhibitory"))
    seed: int = field(default=1, metadata=one_integer(0, (1 << 31) - 8))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factors == "three":
            for name in ("y1", "y2", "y3"):
                if getattr(self, f"{name}_impulse") or getattr(self, f"{name}_tau"):
                    raise NetworkError(
                        f"{self.label}: {name}_impulse and {name}_tau of a three-factor rule; its "
                        f"target's neurons write {name}, leave them out"
                    )
        if self.payload != "impulse" and self.x1_impulse:
            raise NetworkError(
                f"{self.label}: x1_impulse {self.x1_impulse:g} beside payload {self.payload!r}, "
                f"which sets x1 itself; leave it out"
            )

    @property
    def label(self) -> str:
        """What an error calls it."""
        return "learning rule"

    @cached_property
    def _read(self) -> tuple[tuple[Equation, ...], int | None]:
        return read_rule(self.text)

    @property
    def equations(self) -> tuple[Equation, ...]:
        """What is learned, in the order in which it is applied."""
        return self._read[0]

    @property
    def decimation(self) -> int | None:
        """Exponent k of the dependency u_k; None where no product has it."""
        return self._read[1]

    @cached_property
    def traces(self) -> tuple[str, ...]:
        """Traces that its products read."""
        read = {
            factor.variable
            for equation in self.equations
            for product in equation.products
            for factor in product.factors
        }
        return tuple(name for name in TRACES if name in read)

    def equation_of(self, changes: str) -> Equation | None:
        """Equation of w, d or t; None where it is not learned."""
        return next((e for e in self.equations if e.changes == changes), None)

    @property
    def weight_range(self) -> tuple[int, int]:
        """Smallest and largest weight."""
        return {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[self.sign]
