"""Profile: what one inference costs, and how each figure is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from ..chip import Constant
from ..display import Shown, as_frame, columns, listed
from ..errors import RecordingError
from ..numbers import count, si, si_range

Kind = Literal["measured", "estimated", "unavailable"]


@dataclass(frozen=True)
class Band:
    """What energy and time may really be, per inference.

    Attributes
    ----------
    low_joules, high_joules : float
        Total energy.
    low_seconds, high_seconds : float
        Time.
    reason : str
        How the ends were found.
    low_dynamic_joules, high_dynamic_joules : float
        Dynamic energy.
    """

    low_joules: float
    high_joules: float
    low_seconds: float
    high_seconds: float
    reason: str
    low_dynamic_joules: float = math.nan
    high_dynamic_joules: float = math.nan


STATIC = "static power"
"""The part that is no event: its number is chip-seconds, its energy each is watts."""


@dataclass(frozen=True)
class Part:
    """One kind of event and its share of the energy.

    Attributes
    ----------
    kind : str
    number : float
        Events per inference, mean over samples (chip-seconds for static power).
    joules_each : float
        Energy of one event (watts for static power).
    joules : float
        Per inference.
    source : str
        Where `joules_each` comes from.
    low_each, high_each : float
        Its band; NaN where nothing says how wide.
    confidence : str
        How well it is known; may be empty.
    unit : str
        Of `joules_each`: ``J``, or ``W`` for so many chip-seconds.
    """

    kind: str
    number: float
    joules_each: float
    joules: float
    source: str
    low_each: float = math.nan
    high_each: float = math.nan
    confidence: str = ""
    unit: str = "J"


@dataclass(frozen=True)
class PopulationShare:
    """One population's share, per inference, mean over samples.

    Attributes
    ----------
    name : str
    neuron_updates : float
    messages : float
        Sent by this population.
    synops : float
        Synaptic operations of the projections that end here.
    dynamic_joules : float
        Of these three; NaN where the energy was measured as a whole.
    """

    name: str
    neuron_updates: float
    messages: float
    synops: float
    dynamic_joules: float


@dataclass(frozen=True)
class Profile(Shown):
    """What one inference costs: means over the recording's samples.

    A figure that the profile does not know is NaN, and its tag is
    ``unavailable``. The numbers of events are counted, in either kind.

    Attributes
    ----------
    energy_joules, dynamic_joules, static_joules : float
        Per inference; total = dynamic + static.
    seconds_per_step, seconds : float
        Of a time step, and of an inference.
    watts : float
        Energy over time.
    synops, neuron_updates, messages : float
        Events on the chip, per inference.
    kind : str
        ``measured`` | ``estimated`` | ``unavailable``: how the energy is known.
    chip : str
        The chip (the backend, where measured).
    model : str
        Which model or meter the figures come from.
    band : Band or None
        None where measured.
    parts : tuple of Part
        Energy by kind of event; empty where measured.
    per_population : tuple of PopulationShare
    spread : float
        Standard deviation of the energy over samples, in joules.
    steps, samples : int
        Time steps per inference; samples that the means are over.
    cores, chips : int
        Assumed by the model; 0 where measured.
    constants : mapping of str to Constant
        The chip's constants that entered.
    bound : str
        What sets the time of a step: the busiest core, its messages, a link, input and output,
        or the ``barrier``: then the network is too small for its neurons to matter.
    workload : str
        What was run, to tell profiles of several networks apart; may be empty.
    notes : tuple of str
        What every reader of these figures must know.
    host_updates : float
        Neuron updates of encoders that run on the host: in none of the other figures, but the
        N-DNS proxy counts every neuron.
    placed : str
        How it was placed (``compiler``, ``balanced``); empty without a placement.
    stepwise : bool
        Whether each step was bound by itself rather than a mean step.
    beside : tuple of Part
        Power of the board that is in none of the figures.

    Examples
    --------
    >>> prof = nd.profile(rec)
    >>> prof.kind, prof.chip, prof.samples
    ('estimated', 'loihi2', 20)
    >>> prof.energy_joules == prof.dynamic_joules + prof.static_joules
    False
    """

    energy_joules: float
    dynamic_joules: float
    static_joules: float
    seconds_per_step: float
    seconds: float
    watts: float
    synops: float
    neuron_updates: float
    messages: float
    kind: Kind
    chip: str
    model: str
    band: Band | None
    parts: tuple[Part, ...]
    per_population: tuple[PopulationShare, ...]
    spread: float
    steps: int
    samples: int
    cores: int = 0
    chips: int = 0
    constants: Mapping[str, Constant] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    bound: str = ""
    workload: str = ""
    host_updates: float = 0.0
    placed: str = ""
    stepwise: bool = False
    beside: tuple[Part, ...] = ()

    @property
    def headline(self) -> str:
        """The figures to quote, with all that they hang on.

        Chip, steps, samples and placement, then total and dynamic energy with their bands, the
        time of a step and what sets it.
        """
        samples = f"{self.samples} sample{'s' * (self.samples != 1)}"
        where = "without a placement"
        if self.kind == "estimated" and self.placed:
            where = f"placed on {self.cores} core{'s' * (self.cores != 1)} ({self.placed})"
        if self.kind != "estimated":
            where = self.model
        total, dynamic = si(self.energy_joules, "J"), si(self.dynamic_joules, "J")
        if self.band is not None:
            total += f" ({si_range(self.band.low_joules, self.band.high_joules, 'J')})"
            ends = (self.band.low_dynamic_joules, self.band.high_dynamic_joules)
            dynamic += f" ({si_range(*ends, 'J')})"
        step = f"{si(self.seconds_per_step, 's')} a step"
        if self.bound:
            step += f", bound by {'the ' * (self.bound == 'barrier')}{self.bound}"
        return (
            f"{self.label}, {self.steps} steps, mean of {samples}, {where}: {total} in all, "
            f"{dynamic} dynamic, {step}; {self.kind}"
        )

    @classmethod
    def join(cls, profiles: Sequence[Profile]) -> Profile:
        """Put profiles of the same network on the same chip together, as if of all their samples.

        Parameters
        ----------
        profiles : sequence of Profile
            At least one, of the same chip, model, steps and placement.

        Returns
        -------
        Profile
            Means over all samples; the spread is that of all samples together. What bounds a
            step is what bounds it in most samples.

        Raises
        ------
        RecordingError
            If they are not of the same kind.

        Examples
        --------
        >>> nd.evaluate(net, inputs, labels).profile.samples
        20
        """
        first = profiles[0]
        for name in ("chip", "kind", "model", "steps", "cores", "chips", "workload"):
            found = {getattr(profile, name) for profile in profiles}
            if len(found) > 1:
                raise RecordingError(
                    f"profiles: {name} differs ({', '.join(sorted(map(str, found)))}); join "
                    f"profiles of the same network on the same chip"
                )
        samples = sum(profile.samples for profile in profiles)
        shares = [profile.samples / samples for profile in profiles]
        changes: dict[str, Any] = {
            item.name: _mean(shares, [getattr(p, item.name) for p in profiles])
            for item in fields(cls)
            if isinstance(getattr(first, item.name), float)
        }
        # Variance of all: the mean of the variances, and the variance of the means.
        apart = [(p.energy_joules - changes["energy_joules"]) ** 2 for p in profiles]
        within = [p.spread**2 for p in profiles]
        changes["spread"] = math.sqrt(_mean(shares, within) + _mean(shares, apart))
        if first.seconds and first.kind == "estimated":
            changes["watts"] = changes["energy_joules"] / changes["seconds"]
        weights: dict[str, int] = {}
        for p in profiles:
            weights[p.bound] = weights.get(p.bound, 0) + p.samples
        return replace(
            first,
            **changes,
            samples=samples,
            band=_joined(shares, [p.band for p in profiles]),
            parts=tuple(
                _joined(shares, each) for each in _by_name("kind", [p.parts for p in profiles])
            ),
            beside=tuple(
                _joined(shares, each) for each in _by_name("kind", [p.beside for p in profiles])
            ),
            per_population=tuple(
                _joined(shares, each)
                for each in _by_name("name", [p.per_population for p in profiles])
            ),
            bound=max(weights, key=lambda bound: weights[bound]),
            notes=tuple(dict.fromkeys(note for p in profiles for note in p.notes)),
        )

    def __repr__(self) -> str:
        placed = f"; on {self.cores} cores ({self.placed})" if self.placed else ""
        rows = [
            ("energy", *self._worth("joules"), self.tag("energy_joules")),
            ("  dynamic", *self._worth("dynamic_joules"), self.tag("dynamic_joules")),
            ("  static", si(self.static_joules, "J"), "", self.tag("static_joules")),
            ("time", *self._worth("seconds"), self.tag("seconds")),
            ("a step", si(self.seconds_per_step, "s"), self.bound and f"bound by {self.bound}", ""),
            ("power", si(self.watts, "W"), "", self.tag("watts")),
        ]
        return listed(
            f"Profile of {self.label}: an inference of {self.steps} steps, mean of {self.samples} "
            f"samples",
            columns(rows),
            f"{count(self.synops)} synops, {count(self.neuron_updates)} neuron updates, "
            f"{count(self.messages)} messages",
            self.model + placed,
        )

    def _worth(self, quantity: str) -> tuple[str, str]:
        """A figure and its band, in words."""
        unit = "s" if quantity == "seconds" else "J"
        value = self.energy_joules if quantity == "joules" else getattr(self, quantity)
        if self.band is None:
            return si(value, unit), ""
        low, high = (getattr(self.band, f"{end}_{quantity}") for end in ("low", "high"))
        return si(value, unit), si_range(low, high, unit)

    @property
    def label(self) -> str:
        """Workload and chip, for headings."""
        return f"{self.workload} on {self.chip}" if self.workload else self.chip

    @property
    def energy_delay(self) -> float:
        """Energy-delay product of an inference, in joule seconds."""
        return self.energy_joules * self.seconds

    def tag(self, figure: str) -> Kind:
        """How a figure (a field's name, e.g. ``static_joules``) is known.

        Parameters
        ----------
        figure : str
            The name of a field of numbers.

        Returns
        -------
        str
            ``measured``, ``estimated`` or ``unavailable``.

        Examples
        --------
        >>> nd.profile(rec).tag("static_joules")
        'estimated'
        """
        if math.isnan(getattr(self, figure)):
            return "unavailable"
        # Where the energy is unavailable, what there is was read from a clock.
        return "measured" if self.kind == "unavailable" else self.kind

    def to_pandas(self) -> Any:
        """Give the share of each population as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each population, with the fields of `PopulationShare`.

        Raises
        ------
        InputError
            If pandas is not installed (extra ``tables``).

        Examples
        --------
        >>> nd.profile(rec).to_pandas()  # doctest: +SKIP
        """
        return as_frame([asdict(share) for share in self.per_population])

    def as_dict(self) -> dict[str, Any]:
        """The profile as plain types for JSON; what is not known becomes None.

        Returns
        -------
        dict
            Numbers, strings, lists and mappings alone.

        Examples
        --------
        >>> nd.profile(rec).as_dict()["kind"]
        'estimated'
        """
        constants = {name: asdict(constant) for name, constant in self.constants.items()}
        plain = {name: value for name, value in vars(self).items() if name != "constants"}
        plain["band"] = asdict(self.band) if self.band else None
        plain["parts"] = [asdict(part) for part in self.parts]
        plain["beside"] = [asdict(part) for part in self.beside]
        plain["headline"] = self.headline
        plain["per_population"] = [asdict(share) for share in self.per_population]
        cleaned: dict[str, Any] = _without_nan({**plain, "constants": constants})
        return cleaned


def _mean(shares: Sequence[float], values: Sequence[float]) -> float:
    return math.fsum(share * value for share, value in zip(shares, values, strict=True))


def _joined(shares: Sequence[float], things: Sequence[Any]) -> Any:
    """Means of all numbers of some bands, parts or shares; what is None has none of them."""
    there = [(share, thing) for share, thing in zip(shares, things, strict=True) if thing]
    if not there:
        return None
    return replace(
        there[0][1],
        **{
            item.name: _mean([s for s, _ in there], [getattr(t, item.name) for _, t in there])
            for item in fields(there[0][1])
            if isinstance(getattr(there[0][1], item.name), float)
            and not item.name.endswith("_each")  # what one event costs is the same everywhere
        },
    )


def _by_name(key: str, lists: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Put the same things of several lists together; None where one lacks it."""
    names = dict.fromkeys(getattr(thing, key) for things in lists for thing in things)
    found = [{getattr(thing, key): thing for thing in things} for things in lists]
    return [[each.get(name) for each in found] for name in names]


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return value
