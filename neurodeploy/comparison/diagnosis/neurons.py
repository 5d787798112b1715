"""Trials that suppose other neurons: rules, parameters, delays, a clock that is off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from ...core.replay import Messages, Replayed
from ...network import CubaLIF, Network, Neuron
from ...network.fixed_point import DECAY_UNITY, MAX_DELAY
from .rules import Rules
from .trial import Trial, with_neuron, with_population

LONGEST_REFRACTORY = 8

_RULES = (
    (
        "threshold-at-least",
        "compares v >= threshold where v > threshold is meant",
        "at_least",
        True,
    ),
    ("late-reset", "clears v one step late, after it could spike once more", "reset", "late"),
    ("late-reset", "clears v one step late", "reset", "late-silent"),
    ("soft-reset", "subtracts the threshold from v in place of clearing it", "reset", "subtract"),
    ("no-reset", "does not clear v after a spike", "reset", "none"),
    ("resets-current", "clears u as well as v after a spike", "reset", "both"),
    ("decay-rounding", "rounds the decay of u down, not towards zero", "round_u", "floor"),
    ("decay-rounding", "rounds the decay of v down, not towards zero", "round_v", "floor"),
    ("decay-rounding", "rounds the decay of u to nearest, not towards zero", "round_u", "nearest"),
    ("decay-rounding", "rounds the decay of v to nearest, not towards zero", "round_v", "nearest"),
    ("wrap-or-saturate", "saturates u at 24 bits where it should wrap", "limit_u", "saturate"),
    ("wrap-or-saturate", "wraps v at 24 bits where it should saturate", "limit_v", "wrap"),
    ("no-limit", "lets u leave 24 bits where it should wrap", "limit_u", "none"),
    ("no-limit", "lets v leave 24 bits where it should saturate", "limit_v", "none"),
)


def neuron_trials(network: Network, name: str) -> Iterator[Trial]:
    """Suppose other neurons in one population."""
    neuron = network[name].neuron
    if network[name].starts:
        yield from _start_trials(network, name)
    if isinstance(neuron, CubaLIF):
        yield from _rule_trials(network, name, neuron)
    yield from _bias_trials(network, name, neuron)
    yield from _parameter_trials(network, name, neuron)
    yield from _delay_trials(network, name)
    yield from _clock_trials(network, name)
    if not network[name].starts:
        yield from _start_trials(network, name)


def _start_trials(network: Network, name: str) -> Iterator[Trial]:
    """Suppose that the neurons begin at another step, be it that a bias acts on them or not."""
    given = network[name].starts
    for step in range(max(given, network.hops(name)) + 1):
        if step != given:
            words = f"begins at step {step}, where the network says {given} (`starts`)"
            yield Trial("starts", words, with_population(network, name, starts=step))


def _rule_trials(network: Network, name: str, neuron: CubaLIF) -> Iterator[Trial]:
    for key, words, what, value in _RULES:
        yield Trial(key, words, network, Rules(**{what: value}))  # type: ignore[arg-type]
    for how, said in (("floor", "down"), ("nearest", "to nearest")):
        words = f"rounds the decays of u and v {said}, not towards zero"
        yield Trial("decay-rounding", words, network, Rules(round_u=how, round_v=how))
    for steps in range(2, LONGEST_REFRACTORY + 1):
        words = f"holds v for {steps - 1} steps after a spike: a refractory period of {steps}"
        yield Trial("refractory", words, network, Rules(refractory=steps))
    if np.any(neuron.bias):
        hops = network.hops(name)
        early = [(-1, "one step early"), (-2, "two steps early")]
        late = [(1, "one step late"), (2, "two steps late")]
        if hops > 2:
            late.append((hops, f"{hops} steps late, with the first inputs"))
        for first, said in early + late:
            key = "bias-early" if first < 0 else "bias-late"
            yield Trial(key, f"adds the bias {said}", network, Rules(bias_from=first))


def _bias_trials(network: Network, name: str, neuron: Neuron) -> Iterator[Trial]:
    bias = getattr(neuron, "bias", 0)
    if not np.any(bias):
        return
    yield Trial("lost-bias", "has lost its bias", _with(network, name, bias=0))
    yield Trial("bias-sign", "has the bias with the wrong sign", _with(network, name, bias=-bias))
    for shift, said in ((1, "doubled"), (6, "times 64")):
        changed = _with(network, name, bias=bias * (1 << shift))
        yield Trial("bias-scale", f"has its bias {said}", changed)
    halved = _with(network, name, bias=np.asarray(bias) // 2 if np.ndim(bias) else bias // 2)
    yield Trial("bias-scale", "has its bias halved", halved)


def _parameter_trials(network: Network, name: str, neuron: Neuron) -> Iterator[Trial]:
    named = {field.name for field in fields(neuron)}
    for what, limit in (
        ("threshold", 1 << 30),
        ("current_decay", DECAY_UNITY),
        ("voltage_decay", DECAY_UNITY),
    ):
        if what not in named:
            continue
        value = getattr(neuron, what)
        said = what.replace("_", " ")
        for change in (1, -1):
            moved = np.clip(np.asarray(value) + change, 0, limit)
            if np.array_equal(moved, value):
                continue
            changed = moved.astype(np.int32) if np.ndim(value) else int(moved)
            words = f"has a {said} that is {abs(change)} too {'high' if change > 0 else 'low'}"
            key = "decay-off-by-one" if "decay" in what else "threshold-off-by-one"
            yield Trial(key, words, _with(network, name, **{what: changed}))
    if {"current_decay", "voltage_decay"} <= named:
        u, v = neuron.current_decay, neuron.voltage_decay  # type: ignore[attr-defined]
        if not np.array_equal(u, v):
            changed_net = _with(network, name, current_decay=v, voltage_decay=u)
            yield Trial("decays-swapped", "has the decays of u and v swapped", changed_net)


def _delay_trials(network: Network, name: str) -> Iterator[Trial]:
    delay = network[name].axon_delay
    if delay is None:
        return
    lost = with_population(network, name, axon_delay=None)
    yield Trial("missing-delay", "sends without the delays of its axons", lost)
    for change, said in ((-1, "short"), (1, "long")):
        moved = np.where(delay > 0, np.clip(delay + change, 0, MAX_DELAY), 0).astype(np.int32)
        changed = with_population(network, name, axon_delay=moved)
        yield Trial("delay-off-by-one", f"has axon delays one step too {said}", changed)


def _clock_trials(network: Network, name: str) -> Iterator[Trial]:
    sources = tuple(dict.fromkeys(p.source for p in network.into(name)))
    choices = [("its inputs", sources)]
    if len(sources) > 1:  # a loop's own messages may come in time, or one source alone late
        choices += [(f"the messages of {source!r}", (source,)) for source in sources]
        others = tuple(source for source in sources if source != name)
        if name in sources and len(others) > 1:
            choices.append(("the messages of all others", others))
    for steps in (1, -1, 2, -2):
        said = f"{abs(steps)} {'step' if abs(steps) == 1 else 'steps'} {_when(steps)}"
        for which, moved in choices:
            words = f"takes in {which} {said}"
            yield Trial("off-by-one-step", words, network, messages=_Shift(moved, steps))
        yield Trial(
            "off-by-one-step",
            f"is {said} as a whole",
            network,
            output=lambda found, _, steps=steps: _late(found, steps),  # type: ignore[misc]
        )


class _Shift:
    """Moves the messages of some sources on."""

    def __init__(self, sources: tuple[str, ...], steps: int) -> None:
        self.sources, self.steps = sources, steps

    def __call__(self, given: dict[str, Messages], sample: int) -> dict[str, Messages]:
        return {
            source: shifted(messages, self.steps) if source in self.sources else messages
            for source, messages in given.items()
        }


def _when(steps: int) -> str:
    return "late" if steps > 0 else "early"


def shifted(messages: Messages, steps: int) -> Messages:
    """Move messages on by some steps; those that leave the run are lost."""
    counts = messages.step_counts
    total = counts.shape[1]
    step = np.repeat(np.tile(np.arange(total), len(counts)), counts.ravel()) + steps
    kept = (step >= 0) & (step < total)
    moved = np.zeros_like(counts)
    if steps >= 0:
        moved[:, steps:] = counts[:, : total - steps]
    else:
        moved[:, :steps] = counts[:, -steps:]
    payload = None if messages.payload is None else messages.payload[kept]
    return Messages(moved, messages.neuron[kept], payload)


def _late(found: Replayed, steps: int) -> Replayed:
    def move(array: NDArray[np.generic]) -> NDArray[np.generic]:
        moved = np.zeros_like(array)
        if steps >= 0:
            moved[:, steps:] = array[:, : array.shape[1] - steps]
        else:
            moved[:, :steps] = array[:, -steps:]
        return moved

    states = {name: move(values) for name, values in found.states.items()}
    return Replayed(move(found.spikes), move(found.fired), states)  # type: ignore[arg-type]


def _with(network: Network, name: str, **parameters: object) -> Network:
    return with_neuron(network, name, replace(network[name].neuron, **parameters))
