"""How a network is to be quantized."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import NetworkError
from ..network.fixed_point import WEIGHT_BITS

METHODS = ("auto", "max", "percentile", "mse", "search")
SCALES = ("free", "power-of-two")
ROUNDINGS = ("auto", "nearest", "compensated")
BALANCES = ("none", "population", "neuron")
TERNARY = "ternary"


@dataclass(frozen=True)
class QuantConfig:
    """How a network is to be quantized; it is saved in the file of the network it made.

    Attributes
    ----------
    bits : int or "ternary"
        Of a weight. 2..8: mantissas of that width, as the chip stores them; of mixed sign
        -2^(bits-1)..2^(bits-1)-1, of one sign magnitudes up to 2^bits-1. ``"ternary"``: -1, 0, 1.
        1: binary, -1 or 1 where there is a synapse. Both of these are stored in 2 bits.
    scale : {"free", "power-of-two"}
        What a population's weights, bias and threshold are multiplied by: any number, or one
        that is a power of two.
    method : {"auto", "max", "percentile", "mse", "search"}
        How the steps of the weights are chosen. ``max``: the largest weight of a projection fits.
        ``percentile``: that percentile of a projection's weights fits. ``mse``: least error of the
        currents, weighted by how often each source spikes if calibration inputs tell. ``search``:
        least difference of spikes and membrane on calibration inputs, population by population,
        then of the whole network. ``auto``: ``search`` with calibration inputs, else ``mse``.
    percentile : float
        Of the absolute weights, 50..100, for `method` ``percentile``.
    split : float
        Weights beyond the range become two parallel synapses, coarse and fine, exact in sum,
        where that pays (`scale_choice.SYNAPSE_PRICE`): up to this share of a projection's
        synapses may be added. 0: clip instead.
    exponents : bool
        Whether each projection has a weight exponent of its own, as the chip has. Without, all
        weights stay within -256..254, which is all that NetX files can say.
    rounding : {"auto", "nearest", "compensated"}
        ``compensated``: weights of dense synapses take up each other's rounding errors, so that
        the membrane errs least on the calibration inputs, where that makes a population differ
        less. ``auto``: so with calibration inputs, else to the nearest.
    headroom : float
        States measured on calibration inputs stay this many times below the 24-bit limit.
    correct_bias : bool
        Add the mean current that rounding the weights took away (calibration inputs needed).
    balance : {"none", "population", "neuron"}
        Thresholds change after rounding so that as many spikes are sent as in floats, by one
        factor for a population or for each neuron (calibration inputs needed).
    keep_gain : bool
        Correct weights and biases for decays rounded to 12 bits so that a constant input leads
        to the same voltage.
    late_reset : {"refractory", "same"}
        A reset to a value that wipes out the input of the step after the spike (snnTorch, stork)
        is a refractory step on the chip, exactly (``.net`` holds it, ``.nir`` and Lava's LIF do
        not); a late subtraction is one on the engine, exactly (`GeneralCubaLIF`, reset
        ``subtract-late``). ``same``: reset in the step of the spike instead. To a value that
        changes the meaning; a subtraction takes off threshold / keep there, the same in floats.
    passes : int
        Of the search over the whole network, after that population by population.
    population_bits : tuple of (str, int or "ternary")
        Populations whose weights have other `bits`.

    Raises
    ------
    NetworkError
        If a choice is impossible.

    Examples
    --------
    >>> config = nd.QuantConfig(bits=6)
    >>> nd.QuantConfig.from_json(config.to_json()) == config
    True
    """

    bits: int | str = WEIGHT_BITS
    scale: str = "free"
    method: str = "auto"
    percentile: float = 99.0
    split: float = 0.5
    exponents: bool = True
    headroom: float = 2.0
    correct_bias: bool = False
    balance: str = "none"
    keep_gain: bool = True
    late_reset: str = "refractory"
    passes: int = 2
    population_bits: tuple[tuple[str, int | str], ...] = ()
    rounding: str = "auto"

    def __post_init__(self) -> None:
        pairs = tuple((str(name), bits) for name, bits in self.population_bits)
        object.__setattr__(self, "population_bits", pairs)
        for bits in (self.bits, *(bits for _, bits in pairs)):
            _check_bits(bits)
        _check_choice("scale", self.scale, SCALES)
        _check_choice("method", self.method, METHODS)
        _check_choice("rounding", self.rounding, ROUNDINGS)
        _check_choice("balance", self.balance, BALANCES)
        _check_choice("late_reset", self.late_reset, ("refractory", "same"))
        _check_range("percentile", self.percentile, 50, 100)
        _check_range("split", self.split, 0, 1)
        _check_range("headroom", self.headroom, 1, 1024)
        _check_range("passes", self.passes, 0, 100)

    @property
    def needing_inputs(self) -> tuple[str, ...]:
        """What it asks for that needs calibration inputs, and populations with a float form."""
        asked = {
            "method 'search'": self.method == "search",
            "correct_bias": self.correct_bias,
            "rounding 'compensated'": self.rounding == "compensated",
            "balance": self.balance != "none",
        }
        return tuple(what for what, wanted in asked.items() if wanted)

    def bits_of(self, population: str) -> int | str:
        """Bits of the weights into a population.

        Parameters
        ----------
        population : str
            The one that the weights lead to.

        Returns
        -------
        int or str
            Bits of a weight, or ``ternary``.

        Examples
        --------
        >>> nd.QuantConfig(bits=6).bits_of("conv1")
        6
        """
        return dict(self.population_bits).get(population, self.bits)

    def to_json(self) -> str:
        """Write as JSON, keys sorted.

        Returns
        -------
        str
            One object with every field.

        Examples
        --------
        >>> '"bits": 6' in nd.QuantConfig(bits=6).to_json()
        True
        """
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> QuantConfig:
        """Read what `to_json` wrote; what is left out keeps its default.

        Parameters
        ----------
        text : str
            JSON, as `to_json` gives it.

        Returns
        -------
        QuantConfig

        Raises
        ------
        NetworkError
            If it is no JSON object, names something that there is not, or a choice is impossible.

        Examples
        --------
        >>> nd.QuantConfig.from_json('{"bits": 6}').bits
        6
        """
        try:
            given: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise NetworkError(
                f"config: not JSON ({error}); write it with QuantConfig.to_json"
            ) from None
        known = cls.__dataclass_fields__
        if not isinstance(given, dict) or set(given) - set(known):
            odd = min(set(given) - set(known)) if isinstance(given, dict) else text[:40]
            raise NetworkError(f"config: {odd!r} unknown; there are {', '.join(known)}")
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise NetworkError(f"config: {error}; see QuantConfig for the types") from None


def _check_bits(bits: Any) -> None:
    if bits == TERNARY or (isinstance(bits, int) and 1 <= bits <= WEIGHT_BITS):
        return
    raise NetworkError(
        f"bits: {bits}; the chip holds weights of 1 to {WEIGHT_BITS} bits (or 'ternary')"
    )


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise NetworkError(f"{name}: {value!r}; choose {', '.join(choices[:-1])} or {choices[-1]}")


def _check_range(name: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, (int, float)) or not low <= value <= high:
        raise NetworkError(f"{name}: {value!r}; give a number {low}..{high}")
