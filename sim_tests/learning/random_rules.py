"""Random learning rules, as text that our parser and Lava's both read."""

from __future__ import annotations

import numpy as np

from neurodeploy.network import LearningRule

TRACES = ("x1", "x2", "y1", "y2", "y3")
BITS = {**dict.fromkeys(TRACES, 7), "w": 9, "t": 9, "d": 9, "x0": 1, "y0": 1}


def number(rng, whole=False):
    mantissa, exponent = int(rng.integers(1, 8)), int(rng.integers(-6, 7))
    form = rng.integers(4)
    if whole or form == 0:
        return str(mantissa)
    if form == 1:
        return f"2^{exponent}"
    return f"{mantissa}*2^{exponent}" if form == 2 else f"({'-' * rng.integers(2)}{mantissa})"


def factor(rng, names):
    name = str(rng.choice(names))
    constant = int(rng.integers(1, 60))
    forms = [name, name, f"({name}+{constant})", f"({name}-{constant})", f"({constant}-{name})"]
    if name in ("w", "t", "d"):
        forms += [f"sgn({name})", f"sgn({name}-{constant})"]
    return str(rng.choice(forms)), BITS[name]


def product(rng, k, names, spread):
    """A product small enough that weights move and do not all saturate at once."""
    dependency = str(rng.choice(["x0", "y0", f"u{k}"]))
    factors, bits = [], 4
    for _ in range(rng.integers(0, 4)):
        text, width = factor(rng, names)
        if bits + width <= 32:
            factors.append(text)
            bits += width
    terms = [dependency, *factors]
    if spread:
        terms.append(number(rng))
    else:
        terms.append(f"{int(rng.integers(1, 8))}*2^{int(rng.integers(-7, -2 if factors else 3))}")
    if not dependency.startswith("u"):  # behind another dependency, Lava refuses u
        rng.shuffle(terms)
    return "*".join(terms)


def text_of(rng, learns=("dw",), spread=False, three=False):
    k = int(rng.integers(0, 3))
    names = [*TRACES, "w"] + [name[1] for name in learns if name != "dw"]
    equations = []
    for target in learns:
        text = ""
        for place in range(rng.integers(1, 4)):
            sign = str(rng.choice(["+", "-"]))
            if place or sign == "-":
                text += f" {sign} "
            text += product(rng, k, names, spread)
        equations.append(f"{target} = {text.strip()}")
    return "; ".join(equations)


def random_rule(seed, factors="two", **given):
    """A rule that may learn w, d and t, with all that the engine can be told."""
    rng = np.random.default_rng(seed)
    learns = ["dw", *(t for t in ("dd", "dt") if rng.random() < 0.4)]
    told = {"epoch": int(rng.choice([1, 1, 2, 3, 4, 7])), "seed": int(rng.integers(1, 1000))}
    told["sign"] = str(rng.choice(["mixed", "mixed", "excitatory", "inhibitory"]))
    told["factors"] = factors
    traces = TRACES[:2] if factors == "three" else TRACES
    for name in traces:
        told[f"{name}_impulse"] = float(rng.choice([0, 20, 127, rng.random() * 60]))
        told[f"{name}_tau"] = float(rng.choice([0, 1, 10, rng.random() * 40]))
    told |= given
    if told.get("payload", "impulse") != "impulse":
        told["x1_impulse"] = 0.0
    return LearningRule(text_of(rng, learns), **told)
