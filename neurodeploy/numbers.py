"""Numbers as people read them: SI prefixes, thousands apart, three digits."""

from __future__ import annotations

import math

_PREFIXES = {
    12: "T",
    9: "G",
    6: "M",
    3: "k",
    0: "",
    -3: "m",
    -6: "µ",
    -9: "n",
    -12: "p",
    -15: "f",
}

NOTHING = "\N{EN DASH}"
"""What stands where there is no number."""


def si(value: float, unit: str) -> str:
    """Three significant digits with an SI prefix: ``si(1.234e-5, "J") == "12.3 µJ"``."""
    if math.isnan(value):
        return NOTHING
    if value == 0:
        return f"0 {unit}"
    value = float(f"{value:.2e}")  # round first: 999.6 nJ is 1.00 µJ
    exponent = 3 * math.floor(math.floor(math.log10(abs(value))) / 3)
    exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    scaled = value / 10**exponent
    digits = max(0, 2 - math.floor(math.log10(abs(scaled)) + 1e-12))
    return f"{scaled:.{min(digits, 3)}f} {_PREFIXES[exponent]}{unit}"


def si_range(low: float, high: float, unit: str) -> str:
    """Two ends: ``4.10 µJ to 38.0 mJ``."""
    if math.isnan(low) or math.isnan(high):
        return NOTHING
    return f"{si(low, unit)} to {si(high, unit)}"


def count(value: float | None) -> str:
    """Thousands apart; a decimal only for small means: ``1,234``, ``12.5``."""
    if value is None or math.isnan(value):
        return NOTHING
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3f}"


def signed(value: float) -> str:
    """A difference, with its sign: ``+12``, ``0``."""
    if value == 0:
        return "0"
    return ("+" if value > 0 else "\N{MINUS SIGN}") + count(abs(value))


def percent(fraction: float, digits: int = 2) -> str:
    """``percent(0.9731) == "97.31 %"``."""
    return NOTHING if math.isnan(fraction) else f"{100 * fraction:.{digits}f} %"


def shape(dimensions: tuple[int, ...]) -> str:
    """``2 × 34 × 34``."""
    return " \N{MULTIPLICATION SIGN} ".join(str(n) for n in dimensions)


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927, JASA 22:209).

    Used because the usual ``p ± 1.96 s`` leaves [0, 1] near full marks.
    """
    if total < 1:
        return math.nan, math.nan
    z = 1.959964
    p = correct / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, centre - half), min(1.0, centre + half)
