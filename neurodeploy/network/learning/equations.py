"""What a learning rule's text says: sums of products, in Lava's syntax.

``dw = 2^-2*x1*y0 - 2^-2*y1*x0; dt = x0*y1 - 2^-4*u0*t``. The grammar::

    rule      equation (";" equation)*
    equation  ("dw" | "dd" | "dt") "=" ["+" | "-"] product (("+" | "-") product)*
    product   term ("*" term)*          one of them, the first x0, y0 or u0..u9, is the dependency
    term      variable | number | "(" variable ("+" | "-") number ")" | "(" number ")"
              | "sgn(" ("w" | "d" | "t") [("+" | "-") number] ")"
    number    integer | "2^" integer | integer "*2^" integer

Everything that is read here means what it means to Lava (``product_series.py``,
``symbolic_equation.py``, lava-nc 0.10.0). Where Lava takes a text for something else than it says
- it drops the minus of ``(-w)``, and ``x0*-2`` is two products to it - the text is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from .widths import CONSTANT_BITS, EXPONENTS, FACTOR_BITS, MANTISSA_BITS, PRODUCT_BITS

TARGETS = {"dw": "w", "dd": "d", "dt": "t"}
"""Left-hand sides, in the order in which Lava applies them, and the variable that each changes."""

TRACES = ("x1", "x2", "y1", "y2", "y3")
SYNAPTIC = ("w", "d", "t")
SPIKES = ("x0", "y0")

_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_]\w*)|([-+*^()=;]))")
_LARGEST = 1 << 40


class RuleError(ValueError):
    """What is wrong with a rule's text, and where."""


@dataclass(frozen=True)
class Factor:
    """``variable + constant``, or its sign.

    Attributes
    ----------
    variable : str
        A trace, w, d or t, or x0 or y0 beside another dependency.
    constant : int
    sign_only : bool
    """

    variable: str
    constant: int = 0
    sign_only: bool = False


@dataclass(frozen=True)
class Product:
    """``mantissa * 2^exponent * dependency * factor * ...``.

    Attributes
    ----------
    dependency : {"x0", "y0", "u"}
        When it counts, and when its traces are read: at the last spike of the source or of the
        target within the epoch, or at the end of every 2^k-th epoch.
    mantissa : int
        -8..7.
    exponent : int
        -7..8.
    factors : tuple of Factor
    """

    dependency: str
    mantissa: int
    exponent: int
    factors: tuple[Factor, ...]

    @property
    def bits(self) -> int:
        """Bits of the product before it is shifted into the accumulator."""
        return MANTISSA_BITS + sum(FACTOR_BITS[f.variable] for f in self.factors)


@dataclass(frozen=True)
class Equation:
    """What one synaptic variable changes by.

    Attributes
    ----------
    changes : {"w", "d", "t"}
    products : tuple of Product
    """

    changes: str
    products: tuple[Product, ...]


@dataclass(frozen=True)
class _Token:
    text: str
    at: int

    @property
    def is_number(self) -> bool:
        return self.text.isdigit()


def read_rule(text: str) -> tuple[tuple[Equation, ...], int | None]:
    """Read a rule's text.

    Returns
    -------
    tuple of Equation
        In the order in which they are applied.
    int or None
        k of the dependency u_k; None where no product has it.

    Raises
    ------
    RuleError
        One line with the position of what is wrong, counted from 1.
    """
    return _Reader(text).rule()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[_Token] = []
        self.next = 0
        self.decimation: int | None = None
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if not found:
                at += len(text[at:]) - len(text[at:].lstrip())
                self.fail(_Token(text[at], at), "is no part of a rule; remove it")
            token = found.group(found.lastindex or 0)
            self.tokens.append(_Token(token, found.end() - len(token)))
            at = found.end()
        self.tokens.append(_Token("", len(text)))

    def fail(self, token: _Token, problem: str) -> NoReturn:
        what = repr(token.text) if token.text else "the end"
        raise RuleError(f"{self.text!r}, character {token.at + 1}: {what} {problem}")

    @property
    def here(self) -> _Token:
        return self.tokens[self.next]

    def take(self) -> _Token:
        token = self.here
        self.next += 1
        return token

    def taken(self, *texts: str) -> _Token | None:
        """Take the next token if it is one of these."""
        return self.take() if self.here.text in texts and self.here.text else None

    def needs(self, text: str) -> None:
        if not self.taken(text):
            self.fail(self.here, f"where {text!r} is needed")

    def rule(self) -> tuple[tuple[Equation, ...], int | None]:
        found: dict[str, Equation] = {}
        while self.here.text:
            target = self.take()
            if target.text not in TARGETS:
                self.fail(target, f"begins no equation; give one of {', '.join(TARGETS)}")
            if target.text in found:
                self.fail(target, "stands twice; add the two up")
            self.needs("=")
            found[target.text] = Equation(TARGETS[target.text], tuple(self.products()))
            if self.here.text:
                self.needs(";")
        if not found:
            self.fail(self.here, "where an equation is needed, as in 'dw = 2^-2*x1*y0'")
        return tuple(found[name] for name in TARGETS if name in found), self.decimation

    def products(self) -> list[Product]:
        sign = self.taken("+", "-")
        made = [self.product(sign is not None and sign.text == "-")]
        while sign := self.taken("+", "-"):
            made.append(self.product(sign.text == "-"))
        return made

    def product(self, negative: bool) -> Product:
        first = self.here
        dependency: str | None = None
        mantissa, exponent = -1 if negative else 1, 0
        factors: list[Factor] = []
        while True:
            token = self.here
            if token.is_number:
                number, power = self.number(within=False)
                mantissa, exponent = mantissa * number, exponent + power
            elif self.taken("("):
                number, power, factor = self.bracket()
                mantissa, exponent = mantissa * number, exponent + power
                factors += factor
            elif self.taken("sgn"):
                factors.append(self.sign(token))
            elif self.taken(*SPIKES):
                if dependency is None:
                    dependency = token.text
                else:
                    factors.append(Factor(token.text))
            elif re.fullmatch(r"u\d*", token.text):
                self.decimate(self.take(), dependency)
                dependency = "u"
            elif self.taken(*TRACES, *SYNAPTIC):
                factors.append(Factor(token.text))
            else:
                self.fail(token, f"is no factor; there are {_KNOWN}")
            if abs(mantissa) > _LARGEST:
                self.fail(token, "makes the product's number too large")
            if not self.taken("*"):
                break
        if self.here.text not in ("", ";", "+", "-"):
            self.fail(self.here, "where '*', '+', '-', ';' or the end is needed")
        return self.checked(first, dependency, mantissa, exponent, factors)

    def decimate(self, token: _Token, dependency: str | None) -> None:
        if len(token.text) != 2:
            self.fail(token, "is no epoch dependency; there are u0..u9, for every 2^k-th epoch")
        if dependency == "u":
            self.fail(token, "stands twice in a product; once is enough")
        if dependency is not None:
            self.fail(token, f"stands behind {dependency}; write it first in its product")
        k = int(token.text[1])
        if self.decimation not in (None, k):
            self.fail(
                token, f"beside u{self.decimation}: a rule has one u_k; write all with the same k"
            )
        self.decimation = k

    def number(self, within: bool) -> tuple[int, int]:
        """A number as mantissa and exponent; within a bracket an integer may stand before 2^k."""
        token = self.take()
        if not token.is_number:
            self.fail(token, "where a number is needed")
        if len(token.text) > 12:
            self.fail(token, "is too large")
        if self.taken("^"):
            if token.text != "2":
                self.fail(token, "before '^': powers of 2 alone are known, as in 2^-3")
            negative = self.taken("-")
            if not negative:
                self.taken("+")
            power = self.take()
            if not power.is_number or len(power.text) > 3:
                self.fail(power, "is no exponent")
            return 1, -int(power.text) if negative else int(power.text)
        if within and self.here.text == "*":
            self.take()
            return int(token.text), self.number(within=False)[1]
        return int(token.text), 0

    def bracket(self) -> tuple[int, int, list[Factor]]:
        """What a bracket multiplies the number by, and its factor; the opening one is taken."""
        start = self.here
        signs, variable, constant = [], None, None
        while not self.taken(")"):
            sign = self.taken("+", "-")
            signs.append(-1 if sign is not None and sign.text == "-" else 1)
            token = self.here
            if variable is None and self.taken(*TRACES, *SYNAPTIC, *SPIKES):
                variable = (token, signs[-1])
            elif constant is None and token.is_number:
                constant = (token, signs[-1], *self.number(within=True))
            else:
                self.fail(token, "in a bracket; give (variable + number) or (number)")
            if self.here.text not in (")", "+", "-"):
                self.fail(self.here, "in a bracket where '+', '-' or ')' is needed")
        if variable is None and constant is None:
            self.fail(start, "where a variable or a number is needed")
        if variable is None:
            assert constant is not None
            return constant[1] * constant[2], constant[3], []
        token, sign_of_variable = variable
        if constant is None:
            if token.text in SPIKES:
                self.fail(token, "alone in a bracket, which Lava leaves out; remove the bracket")
            if sign_of_variable < 0:
                self.fail(
                    token,
                    "has its minus in a bracket, which Lava drops; write it before the product",
                )
            return 1, 0, [Factor(token.text)]
        added = self.whole(constant[0], *constant[2:]) * constant[1]
        # -x + c is -(x - c): the minus goes to the product's number.
        return sign_of_variable, 0, [Factor(token.text, sign_of_variable * added)]

    def whole(self, token: _Token, mantissa: int, exponent: int) -> int:
        limit = 1 << CONSTANT_BITS
        if exponent < 0 or exponent > 16 or mantissa << exponent > limit - 1:
            self.fail(token, f"is no constant of {CONSTANT_BITS} bits; give 0..{limit - 1}")
        return mantissa << exponent

    def sign(self, token: _Token) -> Factor:
        self.needs("(")
        number, _, factors = self.bracket()
        if not factors or factors[0].variable not in SYNAPTIC:
            self.fail(token, "takes w, d or t, as in sgn(w) or sgn(t-2)")
        if number < 0:
            self.fail(token, "takes no variable with a minus; write it before sgn")
        return Factor(factors[0].variable, factors[0].constant, sign_only=True)

    def checked(
        self,
        first: _Token,
        dependency: str | None,
        mantissa: int,
        exponent: int,
        factors: list[Factor],
    ) -> Product:
        # As Lava brings a number into its four bits: halved while it is even.
        while abs(mantissa) > 7 and mantissa % 2 == 0 and exponent < EXPONENTS[1]:
            mantissa, exponent = mantissa // 2, exponent + 1
        if dependency is None:
            self.fail(first, "begins a product without x0, y0 or u_k, which say when it counts")
        lowest = -(1 << (MANTISSA_BITS - 1))
        if not lowest <= mantissa < -lowest:
            self.fail(
                first,
                f"begins a product with mantissa {mantissa}, the engine holds {lowest}.."
                f"{-lowest - 1} times a power of 2; scale it",
            )
        if not EXPONENTS[0] <= exponent <= EXPONENTS[1]:
            self.fail(
                first,
                f"begins a product with exponent {exponent}, the engine holds {EXPONENTS[0]}.."
                f"{EXPONENTS[1]}; scale it",
            )
        product = Product(dependency, mantissa, exponent, tuple(factors))
        if product.bits > PRODUCT_BITS:
            self.fail(
                first,
                f"begins a product of {len(factors)} factors and {product.bits} bits, the engine "
                f"holds {PRODUCT_BITS}; leave factors out",
            )
        return product


_KNOWN = (
    "x0, y0, u0..u9, x1, x2, y1, y2, y3, w, d, t, sgn(...), (variable + number), numbers and 2^k"
)
