"""Hypotheses of other neurons: rules, parameters, delays, a clock that is off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.replay import Messages, Replayed
from ...network import CubaLIF, Network, Neuron
from ...network.fixed_point import DECAY_UNITY, MAX_DELAY, wrap_signed
from ...network.fixed_point import saturate_voltage as saturate
from ..alignment import shift_steps
from .cuba_rules import CubaRules, round_down, round_to_nearest, unlimited
from .hypothesis import Hypothesis, MessageChange, with_population

LONGEST_REFRACTORY = 8

_DECAYS = (
    (" of u", ("round_u",)),
    (" of v", ("round_v",)),
    ("s of u and v", ("round_u", "round_v")),
)
_RULES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("threshold-at-least", "compares v >= threshold, not v > threshold", {"at_least": True}),
    ("late-reset", "clears v one step late, after it could spike once more", {"reset": "late"}),
    ("late-reset", "clears v one step late", {"reset": "late-silent"}),
    ("soft-reset", "subtracts the threshold from v in place of clearing it", {"reset": "subtract"}),
    ("no-reset", "does not clear v after a spike", {"reset": "none"}),
    ("resets-current", "clears u as well as v after a spike", {"reset": "both"}),
    *(
        (
            "decay-rounding",
            f"rounds the decay{which} {said}, not towards zero",
            dict.fromkeys(of, how),
        )
        for how, said in ((round_down, "down"), (round_to_nearest, "to nearest"))
        for which, of in _DECAYS
    ),
    ("wrap-or-saturate", "saturates u at 24 bits where it should wrap", {"limit_u": saturate}),
    ("wrap-or-saturate", "wraps v at 24 bits where it should saturate", {"limit_v": wrap_signed}),
    ("no-limit", "lets u leave 24 bits where it should wrap", {"limit_u": unlimited}),
    ("no-limit", "lets v leave 24 bits where it should saturate", {"limit_v": unlimited}),
)


def neuron_hypotheses(network: Network, name: str) -> Iterator[Hypothesis]:
    """Suppose other neurons in one population."""
    neuron = network[name].neuron
    if network[name].starts:
        yield from _start_hypotheses(network, name)
    if type(neuron) is CubaLIF:  # what derives from it may have rules of its own
        yield from _rule_hypotheses(network, name, neuron)
    yield from _bias_hypotheses(network, name, neuron)
    yield from _parameter_hypotheses(network, name, neuron)
    yield from _delay_hypotheses(network, name)
    yield from _clock_hypotheses(network, name)
    if not network[name].starts:
        yield from _start_hypotheses(network, name)


def _start_hypotheses(network: Network, name: str) -> Iterator[Hypothesis]:
    """Suppose that the neurons begin at another step, be it that a bias acts on them or not."""
    given = network[name].starts
    for step in range(max(given, network.hops(name)) + 1):
        if step != given:
            words = f"begins at step {step}, where the network says {given} (`starts`)"
            yield Hypothesis("starts", words, with_population(network, name, starts=step))


def _rule_hypotheses(network: Network, name: str, neuron: CubaLIF) -> Iterator[Hypothesis]:
    for key, words, rules in _RULES:
        yield Hypothesis(key, words, network, CubaRules(**rules))
    for steps in range(2, LONGEST_REFRACTORY + 1):
        words = f"holds v for {steps - 1} steps after a spike: a refractory period of {steps}"
        yield Hypothesis("refractory", words, network, CubaRules(refractory=steps))
    if np.any(neuron.bias):
        hops = network.hops(name)
        early = [(-1, "one step early"), (-2, "two steps early")]
        late = [(1, "one step late"), (2, "two steps late")]
        if hops > 2:
            late.append((hops, f"{hops} steps late, with the first inputs"))
        for first, said in early + late:
            key = "bias-early" if first < 0 else "bias-late"
            yield Hypothesis(key, f"adds the bias {said}", network, CubaRules(bias_from=first))


def _bias_hypotheses(network: Network, name: str, neuron: Neuron) -> Iterator[Hypothesis]:
    bias = neuron.parameters.get("bias", 0)
    if not np.any(bias):
        return
    for key, words, changed in (
        ("lost-bias", "has lost its bias", 0),
        ("bias-sign", "has the bias with the wrong sign", -bias),
        ("bias-scale", "has its bias doubled", bias * 2),
        ("bias-scale", "has its bias times 64", bias * 64),
        ("bias-scale", "has its bias halved", bias // 2),
    ):
        yield Hypothesis(key, words, _with_parameters(network, name, bias=changed))


def _parameter_hypotheses(network: Network, name: str, neuron: Neuron) -> Iterator[Hypothesis]:
    given = neuron.parameters
    for what, limit in (
        ("threshold", 1 << 30),
        ("current_decay", DECAY_UNITY),
        ("voltage_decay", DECAY_UNITY),
    ):
        if what not in given:
            continue
        value = given[what]
        said = what.replace("_", " ")
        for change in (1, -1):
            moved = np.clip(np.asarray(value) + change, 0, limit)
            if np.array_equal(moved, value):
                continue
            changed = moved.astype(np.int32) if np.ndim(value) else int(moved)
            words = f"has a {said} that is {abs(change)} too {'high' if change > 0 else 'low'}"
            key = "decay-off-by-one" if "decay" in what else "threshold-off-by-one"
            yield Hypothesis(key, words, _with_parameters(network, name, **{what: changed}))
    if {"current_decay", "voltage_decay"} <= set(given):
        u, v = given["current_decay"], given["voltage_decay"]
        if not np.array_equal(u, v):
            changed_net = _with_parameters(network, name, current_decay=v, voltage_decay=u)
            yield Hypothesis("decays-swapped", "has the decays of u and v swapped", changed_net)


def _delay_hypotheses(network: Network, name: str) -> Iterator[Hypothesis]:
    delay = network[name].axon_delay
    if delay is None:
        return
    lost = with_population(network, name, axon_delay=None)
    yield Hypothesis("missing-delay", "sends without the delays of its axons", lost)
    for change, said in ((-1, "short"), (1, "long")):
        moved = np.where(delay > 0, np.clip(delay + change, 0, MAX_DELAY), 0).astype(np.int32)
        changed = with_population(network, name, axon_delay=moved)
        yield Hypothesis("delay-off-by-one", f"has axon delays one step too {said}", changed)


def _clock_hypotheses(network: Network, name: str) -> Iterator[Hypothesis]:
    sources = tuple(dict.fromkeys(p.source for p in network.into(name)))
    choices = [("its inputs", sources)]
    if len(sources) > 1:  # a loop's own messages may come in time, or one source alone late
        choices += [(f"the messages of {source!r}", (source,)) for source in sources]
        others = tuple(source for source in sources if source != name)
        if name in sources and len(others) > 1:
            choices.append(("the messages of all others", others))
    for steps in (1, -1, 2, -2):
        many, when = "" if abs(steps) == 1 else "s", "late" if steps > 0 else "early"
        said = f"{abs(steps)} step{many} {when}"
        for which, moved in choices:
            words = f"takes in {which} {said}"
            yield Hypothesis(
                "off-by-one-step", words, network, messages=_shift_sources(moved, steps)
            )
        yield Hypothesis(
            "off-by-one-step",
            f"is {said} as a whole",
            network,
            output=lambda found, _, steps=steps: _shift_outcome(found, steps),  # type: ignore[misc]
        )


def _shift_sources(sources: tuple[str, ...], steps: int) -> MessageChange:
    """Move the messages of some sources on."""
    return lambda given, sample: {
        source: shift_messages(messages, steps) if source in sources else messages
        for source, messages in given.items()
    }


def shift_messages(messages: Messages, steps: int) -> Messages:
    """Move messages on by some steps; those that leave the run are lost."""
    counts = messages.step_counts
    total = counts.shape[1]
    step = np.repeat(np.tile(np.arange(total), len(counts)), counts.ravel()) + steps
    kept = (step >= 0) & (step < total)
    payload = None if messages.payload is None else messages.payload[kept]
    return Messages(shift_steps(counts, steps, axis=1), messages.neuron[kept], payload)


def _shift_outcome(found: Replayed, steps: int) -> Replayed:
    spikes, fired = (shift_steps(array, steps, axis=1) for array in (found.spikes, found.fired))
    states = {name: shift_steps(values, steps, axis=1) for name, values in found.states.items()}
    return Replayed(spikes, fired, states)


def _with_parameters(network: Network, name: str, **parameters: object) -> Network:
    return with_population(network, name, neuron=replace(network[name].neuron, **parameters))
