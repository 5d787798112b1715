"""Lava's fixed-point learning in NumPy, slow and clear; it shares nothing with the core.

Written from ``lava/magma/core/model/py/connection.py`` and ``learning_rule_applier.py``
(lava-nc 0.10.0), with the text of a rule read by a regular expression of its own.
"""

from __future__ import annotations

import re

import numpy as np

BITS = {
    **dict.fromkeys(("x1", "x2", "y1", "y2", "y3"), 7),
    "w": 9,
    "t": 9,
    "d": 9,
    "x0": 1,
    "y0": 1,
}
X, Y = ("x1", "x2"), ("y1", "y2", "y3")


def terms_of(text):
    """Targets and their products: [dependency, mantissa, exponent, factors]."""
    found = {}
    for equation in re.sub(r"\s", "", text).split(";"):
        target, right = equation.split("=")
        products = []
        for sign, product in re.findall(r"([+-]?)((?:[^+\-(^]|\^-?|\([^)]*\))+)", right):
            scale, factors, dependency = (-1 if sign == "-" else 1), [], None
            exponent = 0
            for term in re.findall(r"sgn\([^)]*\)|\([^)]*\)|[^*]+", product):
                if re.fullmatch(r"\(?-?\d+\)?", term):
                    scale *= int(term.strip("()"))
                elif power := re.fullmatch(r"2\^(-?\d+)", term):
                    exponent += int(power[1])
                elif re.fullmatch(r"x0|y0|u\d", term) and dependency is None:
                    dependency = term
                else:
                    flip, factor = factor_of(term)
                    scale *= flip
                    factors.append(factor)
            while abs(scale) > 7 and scale % 2 == 0 and exponent < 8:
                scale, exponent = scale // 2, exponent + 1
            products.append((dependency, scale, exponent, factors))
        found[target[1]] = products
    return {name: found[name] for name in "wdt" if name in found}


def factor_of(term):
    sgn, inside = term.startswith("sgn"), re.sub(r"sgn|[()]", "", term)
    name = re.search(r"[a-z]\d?", inside)[0]
    number = re.search(r"([+-]?)(\d+)[+-]?$", inside.replace(name, ""))
    constant = int("".join(number.groups())) if number else 0
    flip = -1 if f"-{name}" in inside else 1
    return flip, (name, flip * constant, sgn)


class Draws:
    """What rounds traces: one draw for all neurons, made anew twice in each step."""

    def __init__(self, seed):
        self.decay_rng, self.impulse_rng = (np.random.default_rng(seed + k) for k in (0, 1))
        self.advance()

    def advance(self):
        self.decay = self.decay_rng.random(1)[0]
        self.impulse = self.impulse_rng.integers(0, 128, size=1, dtype=int)[0]


class Learning:
    """The synapses of a projection with a rule; weight [targets, sources]."""

    def __init__(self, weight, rule):
        self.rule = rule
        self.products = terms_of(rule.text)
        targets, sources = weight.shape
        w = np.array(weight, np.int64)
        self.variables = {
            "w": w >> 1 << 1 if rule.sign == "mixed" else w,
            "d": np.zeros_like(w),
            "t": np.zeros_like(w),
        }
        self.x, self.y = np.zeros((2, sources), int), np.zeros((3, targets), int)
        self.tx, self.ty = np.zeros(sources, int), np.zeros(targets, int)
        self.x_draws, self.y_draws = Draws(rule.seed), Draws(rule.seed + 2)
        self.rng = np.random.default_rng(2)
        self.rng.random(1)
        self.time = 0
        three = rule.factors == "three"
        self.impulse = {n: (getattr(rule, f"{n}_impulse")) for n in (*X, *Y)}
        self.tau = {n: 65535.0 if three and n in Y else getattr(rule, f"{n}_tau") for n in (*X, *Y)}

    def risen(self, trace, name, draw):
        whole = int(np.floor(self.impulse[name]))
        fraction = int(np.round((self.impulse[name] - whole) * 256))
        return np.clip(trace + whole + int(draw < fraction), 0, 127)

    def step(self, payloads, fired, y_of_neurons=None):
        """Take what sources and targets sent in a step; give what it brings as a current."""
        current = self.variables["w"] @ payloads
        self.time += 1
        now = self.time % self.rule.epoch or self.rule.epoch
        self.pre(payloads, now)
        self.x_draws.advance(), self.y_draws.advance()
        again = (self.ty > 0) & fired
        for k, name in enumerate(Y):
            self.y[k, again] = self.risen(self.y[k, again], name, self.y_draws.impulse)
        self.ty[fired] = now
        if y_of_neurons is not None:
            self.y[:] = y_of_neurons
        self.x_draws.advance(), self.y_draws.advance()
        if self.time % self.rule.epoch == 0:
            self.learn()
        return current

    def pre(self, payloads, now):
        spiked, mode = payloads != 0, self.rule.payload
        again = (self.tx > 0) & spiked
        half = np.round(payloads / 2).astype(np.int64) & 255
        timed = spiked
        if mode == "impulse":
            self.x[0, again] = self.risen(self.x[0, again], "x1", 0)
        elif mode == "overwrite":
            self.x[0, spiked] = half[spiked]
        else:
            total = (self.x[0] + half) & 255
            if mode == "add-saturating":
                self.x[0] = np.clip(total, 0, 127)
            else:
                over = total > 127
                self.x[0] = np.where(over, total - 127, total)
                timed, again = spiked & over, again & over
        self.x[1, again] = self.risen(self.x[1, again], "x2", 0)
        self.tx[timed] = now

    def history(self, traces, names, spiked, draws):
        found = [traces.copy()]
        for t in range(1, self.rule.epoch + 1):
            now = np.zeros_like(traces)
            for k, name in enumerate(names):
                if self.tau[name]:
                    kept = np.exp(-1 / np.array([self.tau[name]]))[0] * found[-1][k]
                    now[k] = np.floor(kept) + (draws.decay < kept % 1)
                at = spiked == t
                now[k, at] = self.risen(now[k, at], name, draws.impulse)
            found.append(now)
        return np.array(found)

    def learn(self):
        draw = self.rng.random(1)[0]
        hx = self.history(self.x, X, self.tx, self.x_draws)
        hy = self.history(self.y, Y, self.ty, self.y_draws)
        self.x = hx[-1].copy()
        if self.rule.factors == "two":
            self.y = hy[-1].copy()
        old = {name: value.copy() for name, value in self.variables.items()}
        for name, products in self.products.items():
            total = old[name] << 7
            for dependency, mantissa, exponent, factors in products:
                part = self.dependency(dependency) * np.ones_like(total)
                width = 4
                for variable, constant, sgn in factors:
                    width += BITS[variable]
                    value = self.value(variable, dependency, hx, hy, old) + constant
                    value = np.sign(value) if sgn else value
                    part = part * np.clip(value, -(1 << BITS[variable]), (1 << BITS[variable]) - 1)
                part = (part * mantissa) >> max(0, width - 15) << (exponent + 7)
                part = np.clip(part, -(1 << 15) - 1, (1 << 15) - 1)
                total = np.clip(total + part, -(1 << 15) - 1, (1 << 15) - 1)
            self.variables[name] = self.written(name, total, draw)
        self.tx[:] = 0
        self.ty[:] = 0

    def dependency(self, name):
        if name == "x0":
            return (self.tx > 0).astype(int)[None, :]
        if name == "y0":
            return (self.ty > 0).astype(int)[:, None]
        return int((self.time // self.rule.epoch) % 2 ** int(name[1]) == 0)

    def value(self, name, dependency, hx, hy, old):
        if name in old:
            return old[name]
        if name in ("x0", "y0"):
            return self.dependency(name)
        sources, targets = np.arange(len(self.tx)), np.arange(len(self.ty))
        if name in X:
            k = X.index(name)
            if dependency == "x0":
                return hx[self.tx, k, sources][None, :]
            return hx[self.ty, k] if dependency == "y0" else hx[-1, k][None, :]
        k = Y.index(name)
        if dependency == "x0":
            return hy[self.tx, k].T
        return hy[self.ty, k, targets][:, None] if dependency == "y0" else hy[-1, k][:, None]

    def written(self, name, total, draw):
        if name == "d" or (name == "w" and self.rule.sign == "excitatory"):
            total = np.maximum(total, 0)
        if name == "w" and self.rule.sign == "inhibitory":
            total = np.minimum(total, 0)
        whole = total / 128
        value = (np.floor(whole) + (draw < whole % 1)).astype(np.int64)
        if name == "d":
            return np.clip(value, 0, 255)
        if name == "t":
            return np.clip(value, -257, 255)
        low, high = {"mixed": (-256, 255), "excitatory": (0, 255), "inhibitory": (-255, 0)}[
            self.rule.sign
        ]
        return np.clip(value, low, high)


def run_chain(rule, weight, neuron_step, inputs, third=None):
    """Source -> neurons through synapses that learn: all that is recorded after every step.

    Parameters
    ----------
    neuron_step : callable (current, third) -> (fired bool [targets], y [3, targets] or None)
    inputs : int [steps, sources]
    third : int [steps, targets] or None
        What arrives at the third factor in each step.
    """
    learning = Learning(weight, rule)
    current = np.zeros(len(weight), np.int64)
    kept = {name: [] for name in ("w", "d", "t", *X, *Y, "s")}
    for t, payloads in enumerate(inputs):
        fired, y = neuron_step(current, None if third is None else third[t])
        current = learning.step(payloads, fired, y)
        for name in ("w", "d", "t"):
            kept[name].append(learning.variables[name].copy())
        for k, name in enumerate(X):
            kept[name].append(learning.x[k].copy())
        for k, name in enumerate(Y):
            kept[name].append(learning.y[k].copy())
        kept["s"].append(fired.copy())
    return {name: np.array(values) for name, values in kept.items()}


class LIF:
    """CubaLIF, and with `signal` the traces of ModulatedLIF, step by step."""

    def __init__(self, size, du, dv, vth, bias=0, modulated=None):
        self.u, self.v = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.du, self.dv, self.vth, self.bias, self.modulated = du, dv, vth, bias, modulated
        self.y = np.zeros((3, size), np.int64)

    def __call__(self, current, third):
        def kept(x, decay):
            return np.sign(x) * (np.abs(x) * (4096 - decay) >> 12)

        u = kept(self.u, self.du) + (current << 6)
        self.u = (u + (1 << 23)) % (1 << 24) - (1 << 23)
        reached = np.clip(
            kept(self.v, self.dv) + self.u + 64 * self.bias, 1 - (1 << 23), (1 << 23) - 1
        )
        fired = reached > self.vth << 6
        self.v = np.where(fired, 0, reached)
        if self.modulated is None:
            return fired, None
        m = self.modulated
        error = third - m["cost"] * fired
        if m.get("surrogate"):
            y1 = np.maximum(m["size"] - (np.abs(reached - (self.vth << 6)) >> m["width"]), 0)
        else:
            y1 = np.minimum((self.y[0] * m["keep_y1"] >> 7) + m["size"] * fired, 127)
        y2 = np.minimum((self.y[1] * m["keep"] >> 7) + np.maximum(error, 0), 127)
        y3 = np.minimum((self.y[2] * m["keep"] >> 7) + np.maximum(-error, 0), 127)
        self.y = np.array([y1, y2, y3])
        return fired, self.y
