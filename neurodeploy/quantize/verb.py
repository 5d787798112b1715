"""`quantize`: the verb."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, NetworkError
from ..network import FloatLIF, Network
from .calibration import Calibration
from .choice import Choice, Site
from .config import QuantConfig
from .floats import as_float
from .rounding import Rounding
from .scales import chosen

CONFIG = "quantize/config"
"""Fact in `Network.metadata`: the configuration as JSON."""

STEPS = "quantize/steps/"
"""Starts the name of a fact: a population's choice (factor, steps, bias, balance) as JSON."""

CALIBRATION = "quantize/calibration"
"""Fact in `Network.metadata`: SHA-256 of the calibration inputs."""


def quantize(
    network: Network, config: QuantConfig | None = None, calibration: NDArray[Any] | None = None
) -> Network:
    """Round a network to the chip's integers.

    Each population has a scale by which its weights, bias and threshold are multiplied before
    they are rounded, and each projection into it a weight exponent of its own, so that the scale
    can be as fine as threshold and states allow whatever the weights are. Input factors of
    neurons are folded into the weights before. Decays become 12 bits. A bias of a current that
    lasts, which the chip's neurons do not have, becomes a neuron that spikes at every step. A
    weight beyond the range becomes two parallel synapses where that is worth it.

    Parameters
    ----------
    network : Network
        In float32, or in integers that are to have fewer bits (CUBA neurons).
    config : QuantConfig, optional
    calibration : array [samples, steps, *input shape] or [steps, *input shape], optional
        Inputs as the network will see them; no labels. They decide how far states go, how often
        each neuron spikes and, by `QuantConfig.method` ``search``, what differs least.

    Returns
    -------
    Network
        In integers; its audit says what each element lost. Facts in ``metadata``:
        ``quantize/scale/<name>``, a population's scale (its v / 64 / scale is the float network's
        v); ``quantize/config``, the configuration as JSON; ``quantize/calibration``, SHA-256 of
        the inputs. The same network, configuration and inputs give the same bits.

    Raises
    ------
    NetworkError
        If the configuration names what there is not.
    UnsupportedError
        If an element has no counterpart on the chip.
    InputError
        If the calibration inputs do not fit, or the configuration needs some and there are none.
    """
    config = config or QuantConfig()
    if not network.is_float:
        network = as_float(network)
    _check(network, config, calibration is not None)
    reference = None if calibration is None else Calibration.of(network, calibration)
    sites = {
        p.name: Site(network, p, config, reference)
        for p in network.populations
        if isinstance(p.neuron, FloatLIF)
    }
    choices = settled(network, sites, config, reference)
    return finished(network, sites, choices, config, reference)


def finished(
    network: Network,
    sites: Mapping[str, Site],
    choices: Mapping[str, Choice],
    config: QuantConfig,
    reference: Calibration | None,
) -> Network:
    """Round as chosen, and note in the network how it was made."""
    fixed = Rounding(network, sites, choices).result()
    facts: dict[str, str | int | float] = {**fixed.metadata, CONFIG: config.to_json()}
    for name, choice in choices.items():
        facts[f"{STEPS}{name}"] = json.dumps(
            [choice.factor, choice.steps, choice.bias, choice.balance]
        )
    if reference is not None:
        facts[CALIBRATION] = reference.digest
    return replace(fixed, metadata=facts)


def choice_of(fixed: Network, name: str) -> Choice:
    """Read back what was chosen for a population."""
    factor, steps, *more = json.loads(str(fixed.metadata[f"{STEPS}{name}"]))
    return Choice(float(factor), tuple(steps), *(tuple(some) for some in more))


def settled(
    network: Network,
    sites: Mapping[str, Site],
    config: QuantConfig,
    reference: Calibration | None,
) -> dict[str, Choice]:
    """Choose for every population, and correct biases and thresholds where the user asks for it."""
    choices = choose(network, sites, config, reference)
    if config.correct_bias:
        assert reference is not None
        choices = corrected(network, sites, choices, reference)
    if config.balance != "none":
        from .balance import balanced  # brings numba

        assert reference is not None
        choices = balanced(network, sites, choices, reference, config.balance == "neuron")
    return choices


def choose(
    network: Network,
    sites: Mapping[str, Site],
    config: QuantConfig,
    reference: Calibration | None,
) -> dict[str, Choice]:
    """Choose scale and steps of every population, by the method of the configuration."""
    method = config.method
    if method == "auto":
        method = "mse" if reference is None else "search"
    if method == "search":
        from .search import search  # brings the engine

        assert reference is not None
        return search(network, sites, reference, config.passes)
    return {name: chosen(site, method) for name, site in sites.items()}


def corrected(
    network: Network,
    sites: Mapping[str, Site],
    choices: Mapping[str, Choice],
    reference: Calibration,
) -> dict[str, Choice]:
    """Give back to each voltage, as a bias, the mean current that rounding took from it.

    A constant current of 1 adds up to 4096 / d_u before it enters the voltage.
    """
    from .local import Local

    made = {}
    for name, site in sites.items():
        lost = Local(network, site, reference).mean_error(choices[name])
        gain = 4096 / np.maximum(site.shape.current_decay, 1)
        made[name] = replace(choices[name], bias=tuple(map(float, lost * gain)))
    return made


def _check(network: Network, config: QuantConfig, calibrated: bool) -> None:
    names = [p.name for p in network.populations if isinstance(p.neuron, FloatLIF)]
    for name, _ in config.population_bits:
        if name not in names:
            raise NetworkError(
                f"population_bits: no population {name!r} to round; there are {', '.join(names)}"
            )
    for what, needed in (
        ("method 'search'", config.method == "search"),
        ("correct_bias", config.correct_bias),
        ("balance", config.balance != "none"),
    ):
        if needed and not calibrated:
            raise InputError(f"{what}: needs calibration inputs; give some, labels are not needed")
