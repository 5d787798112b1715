"""``nd.deploy``: whatever a target needs, until a network runs there or it is said what cannot."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..backends import BACKENDS, run
from ..chip import Placement, fit, load_chip
from ..display import Shown, listed
from ..errors import ChipError, NeurodeployError
from ..inputs import as_samples, present
from ..network import Audit, AuditEntry, Network, Rating
from ..profiling import Profile
from ..quantization import Budget, QuantConfig, quantize, within_budget
from ..quantization.float_form import as_float
from ..recording.run_options import Progress
from ..targets import TARGETS, Rewrite
from ..targets.look_ahead import look_ahead
from ..targets.rewrite import forms, noted, rewrites_of
from ..targets.rewrite.catalogue import HARD
from ..targets.rewrite.for_target import changed_elements
from ..targets.rewrite.refractory import LATER
from .fitted_thresholds import own_thresholds
from .loading import load
from .measured_steps import Change, Example, Measured, change_between
from .trained_for_target import EPOCHS, FINE_TUNE, trained_for_target
from .verify import Verification, price, verify

TARGET = "deploy/target"
"""Fact in `Network.metadata`: what the network was made ready for."""

STEPS = "deploy/steps"
"""Fact in `Network.metadata`: names of the steps that did it, as JSON."""

QUANTIZE = "quantize"

MOST_ROUNDS = 1000
"""Uses of one rewrite, each of which changes an element or several; more would be for ever."""


@dataclass(frozen=True)
class Step:
    """One step on the way to a target.

    Attributes
    ----------
    name : str
        Of the rewrite; ``--no-NAME`` leaves it out. Or ``quantize``.
    says : str
        What it did.
    exact : bool
        Whether it is exact by its proof, and no number of the example differs.
    elements : tuple of str
        Populations and projections that are other ones now.
    change : Change or None
        What it changed on the example, where that was measured.
    """

    name: str
    says: str
    exact: bool
    elements: tuple[str, ...]
    change: Change | None

    @property
    def text(self) -> str:
        """What it did and what that changed."""
        return f"{self.says}; exact" if self.exact else f"{self.says}; {self.change}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {
            "name": self.name, "says": self.says, "exact": self.exact, "elements": self.elements
        }  # fmt: skip
        if self.change is not None:
            found |= {
                "effect": dict(vars(self.change.effect)),
                "coincidence": self.change.coincidence,
                "accuracy": self.change.accuracy,
            }
        return found


@dataclass(frozen=True, eq=False)
class Deployment(Shown):
    """A network made ready for a target, and how.

    Attributes
    ----------
    network : Network
        Its audit holds every step.
    target : str
    steps : tuple of Step
        Empty where the network ran there as it was.
    left : Audit
        What still cannot run there, and what would help; empty where all runs.
    change : Change or None
        What all steps together changed of the network that was given; None without steps.
    verification : Verification or None
        The run beside the target's own simulator, where there is one here.
    not_verified : str
        Why there is none.
    needs : tuple of str
        What whoever runs it there must give, and what its output is read from.
    compiler : str or None
        The version of a chip's compiler whose limits hold; None for the chip's default.
    profile : Profile or None
        What its first sample costs: as it was verified, else as the engine runs it. None where
        neither was tried.
    otherwise : Audit
        What may be otherwise there, of what runs.

    Examples
    --------
    >>> ready = nd.deploy(net, "loihi2", inputs=inputs)  # doctest: +SKIP
    >>> ready.runs, ready.placement.cores_used  # doctest: +SKIP
    (True, 2)
    """

    network: Network
    target: str
    steps: tuple[Step, ...]
    left: Audit
    change: Change | None
    verification: Verification | None
    not_verified: str
    needs: tuple[str, ...] = ()
    compiler: str | None = None
    profile: Profile | None = None
    otherwise: Audit = field(default_factory=Audit)

    @property
    def audit(self) -> Audit:
        """The network's."""
        return self.network.audit

    @property
    def runs(self) -> bool:
        """Whether the target runs it, and did the same where that was tried."""
        equal = self.verification is None or self.verification.equal
        return not self.left and equal

    def __repr__(self) -> str:
        steps = [f"{s.name}: {'exact' if s.exact else 'approximate'}" for s in self.steps]
        left = [f"cannot run there: {entry.element}" for entry in self.left]
        verdict = f"not verified: {self.not_verified}"
        if self.verification is not None:
            verdict = f"verified: {self.verification.comparison.summary()}"
        runs = "runs" if self.runs else "does not run"
        title = f"Deployment for {self.target}: {runs}, {len(self.steps)} steps"
        return listed(title, [*steps, *left], verdict, f"audit: {self.audit.counts}")

    @cached_property
    def placement(self) -> Placement | None:
        """Its populations on a chip's cores, where the target is one that runs them all."""
        placed = TARGETS[self.target].is_chip and not self.left
        return fit(self.network, self.target, compiler=self.compiler) if placed else None

    def lines(self) -> list[str]:
        """What the terminal says after the table of steps.

        Returns
        -------
        list of str
            Sentences, without line ends.

        Examples
        --------
        >>> nd.deploy(net, "loihi2").lines()  # doctest: +SKIP
        """
        lines = []
        if not self.steps:
            lines.append(f"nothing to change: {self.target} takes the network as it is")
        if self.change is not None:
            lines.append(f"all steps together: {self.change}")
        lines += self.needs
        lines += [f"{entry.element}: {entry.reason}" for entry in self.otherwise]
        if self.placement is not None:
            used = self.placement.cores_used
            by = f", compiler {self.compiler}" if self.compiler else ""
            lines.append(f"{used} {'core' if used == 1 else 'cores'} of {self.target}{by}")
        if self.verification is not None:
            header = self.verification.recordings[1].header
            summary = self.verification.comparison.summary()
            lines.append(f"verified on {header.backend}: {summary}")
            lines += header.warnings
        elif self.not_verified:
            lines.append(f"not verified: {self.not_verified}")
        if self.profile is not None:
            lines.append(self.profile.headline)
        return lines

    def as_dict(self) -> dict[str, Any]:
        """For JSON.

        Returns
        -------
        dict
            Numbers, strings, lists and mappings alone.

        Examples
        --------
        >>> nd.deploy(net, "loihi2").as_dict()["target"]  # doctest: +SKIP
        'loihi2'
        """
        found = self.verification
        return {
            "target": self.target,
            "fingerprint": self.network.fingerprint,
            "runs": self.runs,
            "steps": [step.as_dict() for step in self.steps],
            "left": [entry.as_dict() for entry in self.left],
            "audit": [entry.as_dict() for entry in self.audit],
            "change": None if self.change is None else str(self.change),
            "cores": None if self.placement is None else self.placement.cores_used,
            "compiler": None if self.placement is None else self.placement.chip.compiler,
            "verified": None if found is None else found.comparison.as_dict(),
            "not_verified": self.not_verified,
            "needs": self.needs,
            "profile": None if self.profile is None else self.profile.as_dict(),
            "otherwise": [entry.as_dict() for entry in self.otherwise],
        }


def deploy(
    network: Network | str | os.PathLike[str] | Any,
    target: str = "loihi2",
    *,
    inputs: ArrayLike | None = None,
    calibration: ArrayLike | None = None,
    labels: Sequence[int] | NDArray[Any] | None = None,
    config: QuantConfig | None = None,
    budget: Budget | None = None,
    without: Collection[str] = (),
    fine_tune: bool = False,
    epochs: int = EPOCHS,
    compiler: str | None = None,
    verified: bool = True,
    place: str | None = None,
    board_settings: Mapping[str, Any] | None = None,
    timeout_seconds: float | None = None,
    progress: Progress | None = None,
    what: str = "",
    **reading: Any,
) -> Deployment:
    """Bring a network to a target: quantize it if it is in floats, then rewrite what it lacks.

    Exact rewrites come before approximate ones. Each is measured on the inputs: an exact one
    that changes a number there is called approximate, of several forms of an approximate one the
    least lossy is taken.

    Parameters
    ----------
    network : Network, path or module
        Float or integer; whatever `nd.load` reads.
    target : str
        Of `TARGETS`: ``loihi2``, ``lava``, ``netx``, or another package's.
    inputs : array [steps, *shape] or [samples, steps, *shape], optional
        What steps are measured on and the result is verified with. By default the calibration
        inputs, else random ones.
    calibration : array, optional
        What scales are chosen on when a float network is quantized, see `quantize`; by default
        `inputs`.
    labels : int [samples], optional
        Right classes of `inputs`: steps then say their accuracy, too.
    config : QuantConfig, optional
        How to quantize. For a network in integers: to fewer bits.
    budget : Budget, optional
        Of memory, energy or loss: populations then get bits of their own.
    without : collection of str
        Names of rewrites to leave out.
    fine_tune : bool
        Try, too, what comes of training further in the target's integers, with resets to 0 where
        the network's subtract; the way that loses less on `inputs` is taken. On `calibration` the
        network teaches itself; without, on `inputs`, the labels do where there are some (and what
        is then measured on the same inputs says little about others). Needs torch.
    epochs : int
        Of that training.
    compiler : str, optional
        Of a target that is a chip: the version of its compiler whose limits the network must keep
        to, see `neurodeploy.fit`.
    verified : bool
        Run the result on the target's own simulator or chip, where that can be reached.
    place, board_settings, timeout_seconds : optional
        Where, on which board and how long that runs, see `run`.
    progress : callable, optional
        See `run`.
    what : str
        What the inputs are, for the audit, e.g. a file's name.
    **reading
        As `nd.load`, where `network` is not a `Network`.

    Returns
    -------
    Deployment

    Raises
    ------
    NeurodeployError
        If the network cannot be read or quantized, or there is no such target, rewrite or
        compiler.

    Examples
    --------
    >>> ready = nd.deploy("trained.nir", "lava", calibration=x, preset="snntorch")  # doctest: +SKIP
    >>> ready.runs, [step.name for step in ready.steps]  # doctest: +SKIP
    """
    chosen = rewrites_of(target, without)
    if compiler is not None:
        if not TARGETS[target].is_chip:
            raise ChipError(f"compiler {compiler!r}: target {target!r} is no chip; leave it out")
        load_chip(target, compiler)
    if not isinstance(network, Network):
        network = load(network, **reading)
    shown = inputs if inputs is not None else calibration
    name = what or ("the given inputs" if inputs is not None else "the calibration inputs")
    example = Example.of(network, shown, None if labels is None else list(labels), name)  # type: ignore[arg-type]
    way = _Way(network, target, example, compiler)
    if network.is_float or config is not None or budget is not None:
        data = calibration if calibration is not None else inputs
        way.quantize(config or _config_for(target), budget, data, progress)
    way.walk(chosen)
    if fine_tune:
        other = _Way(network, target, example, compiler)
        other.fine_tune(config or _config_for(target), calibration, epochs, progress)
        other.walk(chosen)
        way = min((way, other), key=_Way.rank)
    how = {"place": place, "board_settings": board_settings, "timeout_seconds": timeout_seconds}
    return way.end(verified, {k: v for k, v in how.items() if v is not None}, progress)


def _config_for(target: str) -> QuantConfig:
    config = QuantConfig()
    return config if TARGETS[target].has_exponents else replace(config, exponents=False, split=0.0)


class _Way:
    """A network on its way to a target."""

    def __init__(
        self, network: Network, target: str, example: Example, compiler: str | None
    ) -> None:
        self.given = self.network = network
        self.target, self.compiler = target, compiler
        self.example = example
        self.steps: list[Step] = []
        self._runs: dict[str, Measured] = {}

    def quantize(
        self,
        config: QuantConfig,
        budget: Budget | None,
        calibration: Any,
        progress: Progress | None = None,
    ) -> None:
        """Round to integers, and measure against what was given."""
        if budget is None:
            made = quantize(self.network, config, calibration)
        else:
            shown = self.example.inputs if calibration is None else calibration
            labels = self.example.labels
            made = within_budget(
                self.network, budget, config, shown, labels, progress=progress
            ).network
        if made == self.network:
            return
        rated = [entry for entry in made.audit if entry.rating is not Rating.FAITHFUL]
        says = f"rounded to {config.bits}-bit weights, {len(rated)} elements approximate"
        self._whole_is_another(QUANTIZE, says, made)

    def fine_tune(
        self, config: QuantConfig, calibration: Any, epochs: int, progress: Progress | None
    ) -> None:
        """Train in the target's integers, and measure against what was given.

        Where a reset subtracts, the thresholds that fit a reset to 0 are sought first, and the
        training begins with those.
        """
        given = self.network
        floats = given if given.is_float else as_float(given)
        self.quantize(config, None, calibration)
        before = self.network
        self.rewrite(HARD)
        factors = {
            p.name: np.asarray(after.threshold) / p.neuron.threshold  # type: ignore[attr-defined]
            for p in before.populations
            if (after := self.network[p.name].neuron) != p.neuron
        }
        self.network, self.steps = given, []
        made, says = trained_for_target(
            floats, factors, config, calibration, self.example, epochs, progress
        )
        self._whole_is_another(FINE_TUNE, says, made)

    def _whole_is_another(self, name: str, says: str, made: Network) -> None:
        """Go on with a network whose populations are all other ones; measured and noted."""
        change = self._change(self.network, made)
        note = AuditEntry(
            "network", Rating.APPROXIMATE, f"for {self.target}: {says}", change.effect
        )
        made = replace(made, audit=made.audit + Audit((note,)))
        elements = tuple(p.name for p in made.populations)
        self._go_on(made, Step(name, says, False, elements, change))

    def walk(self, rewrites: Sequence[Rewrite]) -> None:
        """Use each rewrite in turn."""
        for rewrite in rewrites:
            self.rewrite(rewrite)

    def rank(self) -> tuple[int, float]:
        """By what one of several ways is taken: what the target refuses, then what is lost."""
        refused = sum(1 for _ in self._left(self.network))
        return refused, self._change(self.given, self.network).loss

    def rewrite(self, rewrite: Rewrite) -> None:
        """Use a rewrite until there is nothing left for it to do."""
        for _ in range(MOST_ROUNDS):
            wrapped = frozenset(self._run(self.network, self.network).wrapped)
            made = forms(self.network, self.target, rewrite, wrapped)
            found = [self._step(rewrite, *form) for form in made]
            if rewrite.only_if_exact:
                found = [(step, network) for step, network in found if step.exact]
            if not found:
                return
            if rewrite.fits_thresholds:
                tried = [(step.says, network) for step, network in found]
                if (own := own_thresholds(self.network, tried, self._run)) is not None:
                    found.append(self._step(rewrite, *own))
            step, network = found[0] if len(found) == 1 else min(found, key=self._price)
            rating = Rating.FAITHFUL if step.exact else Rating.APPROXIMATE
            effect = None if step.change is None else step.change.effect
            says = step.says if step.exact or step.change is None else step.says + step.change.more
            network = noted(self.network, network, self.target, says, rating, effect)
            self._go_on(network, step)

    def end(self, verified: bool, how: Mapping[str, Any], progress: Progress | None) -> Deployment:
        """Say what is left, write down the way, and try the result."""
        network, names = self.network, [step.name for step in self.steps]
        change = None
        if self.steps:
            change = self._change(self.given, network)
            facts = {**network.metadata, TARGET: self.target, STEPS: json.dumps(names)}
            network = replace(network, metadata=facts)
        left = Audit(tuple(self._left(network)))
        ahead = Audit() if left else look_ahead(network, self.target)
        otherwise = Audit(tuple(ahead.rated(Rating.APPROXIMATE)))
        found, why, cost = None, "left out", None
        if left:
            why = f"{self.target} cannot run it yet"
        elif verified:
            found, why = self._verified(network, how, progress)
            cost = self._cost(network) if found is None else found.profiles[0]
        return Deployment(
            network, self.target, tuple(self.steps), left, change, found, why,
            (
                *TARGETS[self.target].needs(network, self._presented(network)),
                *_reading(network),
            ),
            self.compiler,
            cost,
            otherwise,
        )  # fmt: skip

    def _cost(self, network: Network) -> Profile | None:
        """Price the first sample of the example as the engine runs it; None where it cannot."""
        first = as_samples(network, self.example.inputs)[:1]
        with suppress(NeurodeployError):
            return price(run(network, first, record=("spikes",), drain=True), network)
        return None

    def _presented(self, network: Network) -> NDArray[Any]:
        given = as_samples(network, self.example.inputs)
        return present(network, given).block(slice(None)).astype(np.int32)

    def _price(self, form: tuple[Step, Network]) -> tuple[int, float]:
        """By what one form is taken: first what the target runs, then what loses least."""
        step, network = form
        refused = {e.element for e in look_ahead(network, self.target).rated(Rating.UNSUPPORTED)}
        return len(refused & set(step.elements)), 0.0 if step.change is None else step.change.loss

    def _step(self, rewrite: Rewrite, says: str, made: Network) -> tuple[Step, Network]:
        elements = changed_elements(self.network, made)
        both = [n for n in elements if n in self.network and n in made]
        # What an exact rewrite changed may send at other steps: what counts is behind it.
        alone = both[0] if len(both) == 1 and not rewrite.exact else None
        change = self._change(self.network, made, alone)
        exact = rewrite.exact and not change.effect.differing and not change.count_error
        return Step(rewrite.name, says, exact, elements, change), made

    def _change(self, before: Network, after: Network, name: str | None = None) -> Change:
        return change_between(self._run(before, after), self._run(after, after), name)

    def _run(self, network: Network, clock: Network) -> Measured:
        hops = max(p.hops(p.output.name) for p in (network, clock))
        key = f"{network.fingerprint} {hops}"
        if key not in self._runs:
            self._runs[key] = Measured(network, self.example, hops)
        return self._runs[key]

    def _go_on(self, network: Network, step: Step) -> None:
        self.network = network
        self.steps.append(step)
        kept = {self.given.fingerprint, network.fingerprint}
        self._runs = {k: run for k, run in self._runs.items() if k.split()[0] in kept}

    def _left(self, network: Network) -> Iterator[AuditEntry]:
        refused = look_ahead(network, self.target).rated(Rating.UNSUPPORTED)
        yield from refused
        if TARGETS[self.target].is_chip and not refused:
            for misfit in fit(network, self.target, compiler=self.compiler).misfits:
                yield AuditEntry("network", Rating.UNSUPPORTED, str(misfit))

    def _verified(
        self, network: Network, how: Mapping[str, Any], progress: Progress | None
    ) -> tuple[Verification | None, str]:
        """Run the first sample of the example beside the engine."""
        reasons = []
        for backend in TARGETS[self.target].verified_on:
            available, why = BACKENDS[backend].available()
            if "place" not in how and not available:
                reasons.append(f"{backend}: {why}")
                continue
            silent = network.output.neuron.is_readout
            try:
                return verify(
                    network,
                    as_samples(network, self.example.inputs)[:1],
                    backend=backend,
                    record=("spikes", "v") if silent else ("spikes",),
                    drain=True,
                    **{k: v for k, v in how.items() if k in BACKENDS[backend].options},
                    progress=None if progress is None else lambda _: progress,
                ), ""  # fmt: skip
            except NeurodeployError as error:
                reasons.append(f"{backend}: {error}")
        return None, "; ".join(reasons) or f"{self.target} has no simulator"


def _reading(network: Network) -> list[str]:
    """What a network's output is read from, where it is not its messages, and in which unit."""
    output = network.output
    if later := int(network.metadata.get(LATER, 0)):
        steps = "a step" if later == 1 else f"{later} steps"
        return [f"{output.name!r} sends {steps} later than the network that was given"]
    if output.neuron.is_readout:
        scale = network.metadata.get(f"quantize/scale/{output.name}")
        unit = (
            "v / 2^12 is SLAYER's number"
            if scale is None
            else f"v / 64 / {scale:g} is the float network's"
        )
        return [f"{output.name!r} sends nothing, the host reads its v (record v): {unit}"]
    size = getattr(output.neuron, "group_size", 1)
    if output.neuron.sums_on_host and size > 1:
        return [f"{output.name!r} is summed on the host: / {size} is the mean of its group"]
    return []


def default_place(path: Path, target: str) -> Path:
    """Where a network made ready for a target goes unless said: beside it, named after both."""
    return path.with_name(f"{path.stem}_{target}.net")
