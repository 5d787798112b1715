"""Rules as data: what their text says, what is refused, how they are stored."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import NetworkError
from neurodeploy.network import (
    Conv,
    CubaLIF,
    Dense,
    LearningRule,
    ModulatedLIF,
    Network,
    Population,
    Projection,
    Source,
)
from neurodeploy.network.canonical import flatten, unflatten
from sim_tests.learning.random_rules import random_rule, text_of

STDP = "dw = 2^-2*x1*y0 - 2^-2*y1*x0"


def test_a_rule_says_what_its_text_says():
    rule = LearningRule("dt = x0*y1 - 2^-4*u0*t; dw = 3*2^-2*u0*(w-20)*sgn(t)")
    weight, tag = rule.equations  # as Lava applies them, whatever the order in the text
    assert (weight.changes, tag.changes) == ("w", "t")
    (product,) = weight.products
    assert (product.dependency, product.mantissa, product.exponent) == ("u", 3, -2)
    assert [(f.variable, f.constant, f.sign_only) for f in product.factors] == [
        ("w", -20, False),
        ("t", 0, True),
    ]
    assert rule.decimation == 0
    assert rule.traces == ("y1",)


def of_lava(text):
    """The same text, read by Lava."""
    from lava.magma.core.learning.product_series import ProductSeries
    from lava.magma.core.learning.symbolic_equation import SymbolicEquation

    found = []
    for equation in text.split(";"):
        target, _, right = equation.partition("=")
        series = ProductSeries(SymbolicEquation(target.strip(), right.strip()))
        products = [
            (
                p.dependency,
                p.s_mantissa,
                p.s_exp - 7,
                p.decimate_exponent,
                [(f.state_var, f.const or 0, f.is_sgn) for f in p.factors],
            )
            for p in series.products
        ]
        found.append((target.strip()[1], products))
    return sorted(found, key=lambda one: "wdt".index(one[0]))


@pytest.mark.usefixtures("lava")
@pytest.mark.parametrize("seed", range(300))
def test_random_rules_are_read_as_lava_reads_them(seed):
    rng = np.random.default_rng(seed)
    learns = [t for t in ("dw", "dd", "dt") if rng.random() < 0.6] or ["dw"]
    text = text_of(rng, learns, spread=True)
    try:
        theirs = of_lava(text)
    except ValueError:
        with pytest.raises(NetworkError):
            LearningRule(text)
        return
    rule = LearningRule(text)
    ours = [
        (
            e.changes,
            [
                (
                    p.dependency,
                    p.mantissa,
                    p.exponent,
                    rule.decimation if p.dependency == "u" else None,
                    [(f.variable, f.constant, f.sign_only) for f in p.factors],
                )
                for p in e.products
            ],
        )
        for e in rule.equations
    ]
    assert ours == theirs


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("dw = x3*y0", 6, "no factor"),
        ("dw = x1", 6, "without x0, y0 or u_k"),
        ("dq = x0", 1, "begins no equation"),
        ("dw = 17*x0", 6, "mantissa 17"),
        ("dw = 2^-8*x0", 6, "exponent -8"),
        ("dw = 2^9*x0", 6, "exponent 9"),
        ("dw = x0 + u0*x1*y1*w*t", 11, "36 bits, the engine holds 32"),
        ("dw = x0*(-w)", 11, "Lava drops"),
        ("dw = x0*-2", 9, "no factor"),
        ("dw = x0*u1", 9, "write it first"),
        ("dw = u0*x1 + u1*x2", 14, "one u_k"),
        ("dw = u0*u0", 9, "stands twice"),
        ("dw = u10*x1", 6, "no epoch dependency"),
        ("dw = x0*", 9, "the end"),
        ("dw = 3^2*x0", 6, "powers of 2"),
        ("dw = x0 x1", 9, "is needed"),
        ("dw = x0*sgn(x1)", 9, "takes w, d or t"),
        ("dw = x0*(w+300)", 12, "no constant of 8 bits"),
        ("dw = x0*(w+2^-1)", 12, "no constant"),
        ("dw = (x0)*x1", 7, "Lava leaves out"),
        ("dw = x0*(w", 11, "in a bracket"),
        ("dw = x0; dw = y0", 10, "stands twice"),
        ("dw = x0 $", 9, "no part of a rule"),
        ("", 1, "an equation is needed"),
        ("dw = 99999999999999*x0", 6, "too large"),
        ("dw = x0*2^9999", 11, "no exponent"),
    ],
)
def test_what_cannot_run_is_refused_with_its_place(text, place, says):
    with pytest.raises(NetworkError, match=r"^learning rule: text ") as refused:
        LearningRule(text)
    line = str(refused.value)
    assert "\n" not in line
    assert f"character {place}: " in line
    assert says in line


def refusal_of(text):
    try:
        LearningRule(text)
    except NetworkError as error:
        return str(error)
    return ""


def test_any_text_is_read_or_refused_in_one_line():
    rng = np.random.default_rng(0)
    pieces = ["dw", "dt", "=", "x0", "y0", "u1", "x1", "w", "sgn", "(", ")", "*", "+", "-", "^"]
    pieces += ["2", "17", ";", " ", "\n", "\x1b", "é"]
    for _ in range(3000):
        text = "".join(rng.choice(pieces, rng.integers(1, 14)))
        line = refusal_of(text)
        assert line == "" or ("\n" not in line and re.search(r"character \d+: ", line))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"x1_impulse": 128}, "x1_impulse is 128, needs 0..127"),
        ({"x1_tau": -1}, "x1_tau is -1"),
        ({"x1_tau": float("nan")}, "x1_tau is nan"),
        ({"epoch": 0}, "epoch holds 0"),
        ({"epoch": 64}, "epoch holds 64, needs one integer in 1..63"),
        ({"factors": "four"}, "factors is 'four'"),
        ({"payload": "graded"}, "payload is 'graded'"),
        ({"sign": "null"}, "sign is 'null'"),
        ({"seed": -1}, "seed holds -1"),
        ({"factors": "three", "y1_impulse": 3}, "target's neurons write y1"),
        ({"payload": "overwrite", "x1_impulse": 3}, "which sets x1 itself"),
    ],
)
def test_settings_are_checked(given, says):
    with pytest.raises(NetworkError, match=re.escape(says)):
        LearningRule(STDP, **given)


def network_of(rule, synapse=None, target=None, **how):
    return Network(
        (
            Population("in", (3,), Source(), **how.pop("source", {})),
            Population("out", (2,), target or CubaLIF(4096, 100, 5), **how.pop("population", {})),
        ),
        (Projection("in", "out", synapse or Dense(np.ones((2, 3), int)), rule=rule, **how),),
    )


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"rule": "dw = x0"}, "is no LearningRule"),
        ({"synapse": Dense(np.full((2, 3), 256))}, "a weight is 256, mixed weights that learn"),
        ({"synapse": Dense(-np.ones((2, 3), int)), "rule": LearningRule(STDP, sign="excitatory")},
         "a weight is -1, excitatory weights that learn are 0..255"),
        ({"rule": LearningRule(STDP, factors="three")}, "make the target's neurons modulated-lif"),
        ({"into": "third-factor"}, "which have none"),
        ({"into": "third-factor", "target": ModulatedLIF(4096, 100, 5)}, "leave their rule out"),
        ({"source": {"axon_delay": np.ones(3, int)}}, "delays on its axons"),
        ({"population": {"starts": 2}}, "starts late"),
    ],
)  # fmt: skip
def test_a_network_checks_where_a_rule_stands(how, says):
    with pytest.raises(NetworkError, match=re.escape(says)):
        network_of(how.pop("rule", LearningRule(STDP)), **how)


def test_convolutions_do_not_learn():
    with pytest.raises(NetworkError, match="conv synapses cannot learn"):
        Network(
            (Population("in", (1, 3, 3), Source()), Population("out", (1, 3, 3), CubaLIF(1, 1, 1))),
            (Projection("in", "out", Conv(np.ones((1, 1, 1, 1), int)), rule=LearningRule(STDP)),),
        )


@pytest.mark.parametrize("seed", range(20))
def test_rules_are_stored_and_hashed(seed, tmp_path):
    rule = random_rule(seed)
    weight = np.random.default_rng(seed).integers(*rule.weight_range, (2, 3))
    network = network_of(rule, Dense(weight))
    arrays = {}
    tree = json.loads(json.dumps(flatten(network.projections, arrays)))
    (again,) = unflatten(tree, arrays)
    assert again.rule.text == rule.text
    assert vars(again.rule).items() >= {"seed": rule.seed, "epoch": rule.epoch}.items()
    nd.save(network, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == network
    plain = network_of(None, Dense(weight))
    assert plain.fingerprint != network.fingerprint
    other = network_of(LearningRule(rule.text, sign=rule.sign), Dense(weight))
    assert other.fingerprint != network.fingerprint


def test_a_projection_without_a_rule_is_stored_as_before():
    tree = flatten(network_of(None).projections[0], {})
    assert set(tree["fields"]) == {"source", "target", "synapse"}
