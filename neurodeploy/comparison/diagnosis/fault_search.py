"""Finds what made two runs part: by trying what could have, and keeping what reproduces it.

Where the two first differ, the population is run again on the engine, on the
messages that reached it in the deviating run, under one hypothesis after
another. One that gives all that was recorded there, over the whole sample and
in further samples, is a diagnosis; one that gives only some steps is told as that.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

from numpy.typing import NDArray

from ...core.replay import Replayed
from ...errors import NeurodeployError
from ...network import Network
from ...network.neurons import model_of
from ...recording import Recording
from ..divergence import Divergence
from ..recorded_side import Observed, Side
from ..results import Diagnosis, Finding
from .evidence import gather_evidence
from .hypothesis import Hypothesis, Match, match
from .network_differences import differences_in_words, network_differences
from .neuron_hypotheses import neuron_hypotheses
from .single_faults import SingleFaults
from .synapse_hypotheses import synapse_hypotheses

FURTHER_SAMPLES = 3
"""Samples beside that of the divergence in which a hypothesis must hold too."""

MOST_FINDINGS = 5


def diagnose(
    a: Recording,
    b: Recording,
    divergence: Divergence,
    net: Network,
    *,
    net_b: Network | None = None,
    inputs: NDArray[Any] | None = None,
    names: tuple[str, str] = ("A", "B"),
) -> Diagnosis:
    """Explain a first divergence.

    Parameters
    ----------
    a, b : Recording
    divergence : Divergence
    net : Network
        What A ran, and B too unless `net_b` is given.
    net_b : Network, optional
    inputs : array, optional
        As for `nd.run`; needed where sources were not recorded.
    names : (str, str)

    Returns
    -------
    Diagnosis
        With the reason in its words where nothing could be tried.
    """
    try:
        sides = Side(a, net, names[0], inputs), Side(b, net_b or net, names[1], inputs)
        return _Search(sides, divergence).diagnosis()
    except NeurodeployError as error:
        return Diagnosis("", f"Not diagnosed: {error}")


class _Search:
    def __init__(self, sides: tuple[Side, Side], divergence: Divergence) -> None:
        self.sides, self.name, self.a_step = sides, divergence.population, divergence.step
        self.nets = (sides[0].network, sides[1].network)
        recorded = [side.recording[self.name].header for side in sides]
        step = divergence.step + self.nets[0].hops(self.name) - recorded[0].hops
        self.where = replace(divergence, step=step)
        self.masks_v = any(model_of(header.neuron).masks_v for header in recorded)
        self.two_networks = self.nets[0].fingerprint != self.nets[1].fingerprint
        self.samples = min(side.recording.samples for side in sides)
        self.tried = 0

    def diagnosis(self) -> Diagnosis:
        sample = self.where.sample
        a, b = self.sides
        seen = a.observed(self.name, sample), b.observed(self.name, sample)
        made = tuple(self._as_given(side).predict(side, self.name, sample) for side in self.sides)
        held = [match(mine, theirs, self.masks_v) for mine, theirs in zip(made, seen, strict=True)]
        agree = tuple(found.whole for found in held)
        deviating = self._deviating(held)
        findings: list[Finding] = []
        best: Hypothesis | None = None
        if deviating is not None:
            findings, best = self._findings(self.sides[deviating])
        elif self.two_networks:
            # Both do what they were given; what makes B's network of A's, if it is one thing.
            findings, _ = self._findings(replace(self.sides[1], network=self.nets[0]))
            findings = [finding for finding in findings if finding.reproduces]
        shown: list[Replayed | None] = [
            mine if fits else None for mine, fits in zip(made, agree, strict=True)
        ]
        if best is not None and deviating is not None and shown[deviating] is None:
            shown[deviating] = best.predict(self.sides[deviating], self.name, sample)
        differences: tuple[str, ...] = ()
        words = ""
        if self.two_networks:
            found = network_differences(*self.nets, self.name)
            differences = tuple(str(difference) for difference in found)
            words = f"{differences_in_words(*self.nets, self.name)} "
        named = self.sides[deviating].label if deviating is not None else ""
        return Diagnosis(
            deviating=named,
            words=words + self._words(agree, named, findings),
            findings=tuple(findings[:MOST_FINDINGS]),
            differences=differences,
            evidence=gather_evidence(
                self.sides, seen, (shown[0], shown[1]), self.where, self.a_step
            ),
            tried=self.tried,
        )

    def _as_given(self, side: Side) -> Hypothesis:
        return Hypothesis("as-given", "does what its network says", side.network)

    def _deviating(self, held: list[Match]) -> int | None:
        """Which side its own network does not reproduce; where neither is, what parts first."""
        if all(found.whole for found in held):
            return None
        if any(found.whole for found in held):
            return 0 if held[1].whole else 1
        return 0 if held[0].until < held[1].until else 1

    def _findings(self, side: Side) -> tuple[list[Finding], Hypothesis | None]:
        """Hypotheses that explain more of a side than its network as given does."""
        seen = side.observed(self.name, self.where.sample)
        given = self._try(self._as_given(side), side, seen)
        self.tried = 0
        if given.steps_explained == given.steps:
            return [], None
        findings: list[tuple[Finding, Hypothesis]] = []
        structural = chain(
            neuron_hypotheses(side.network, self.name), synapse_hypotheses(side.network, self.name)
        )
        single = SingleFaults(side, self.where, seen, self.masks_v)
        for hypotheses in (structural, single.hypotheses()):
            for hypothesis in hypotheses:
                found = self._try(hypothesis, side, seen)
                if found.steps_explained > given.steps_explained:
                    findings.append((found, hypothesis))
            if any(found.reproduces for found, _ in findings):
                break
        findings.sort(key=lambda pair: (not pair[0].reproduces, -pair[0].steps_explained))
        whole = [pair for pair in findings if pair[0].reproduces]
        return [pair[0] for pair in whole or findings], whole[0][1] if whole else None

    def _try(self, hypothesis: Hypothesis, side: Side, seen: Observed) -> Finding:
        self.tried += 1
        sample, samples = self.where.sample, 1
        found = self._try_on_one_neuron(hypothesis, side, seen)
        if found is None or found.whole:
            found = match(hypothesis.predict(side, self.name, sample), seen, self.masks_v)
        whole = found.whole
        if whole:
            for other in range(sample + 1, sample + min(FURTHER_SAMPLES + 1, self.samples)):
                samples += 1
                whole = whole and self._holds_in(hypothesis, side, other % self.samples)
        explained = max(0, found.until - self.where.step)
        total = found.steps.stop - self.where.step
        return Finding(hypothesis.key, hypothesis.words, whole, explained, total, samples)

    def _try_on_one_neuron(
        self, hypothesis: Hypothesis, side: Side, seen: Observed
    ) -> Match | None:
        """Try it on the neuron that diverged first, where that is quicker."""
        neuron = self.where.neuron
        made = hypothesis.predict_one(side, self.name, self.where.sample, neuron)
        if made is None:
            return None
        return match(made, seen.of_neuron(neuron), self.masks_v)

    def _holds_in(self, hypothesis: Hypothesis, side: Side, sample: int) -> bool:
        predicted = hypothesis.predict(side, self.name, sample)
        return match(predicted, side.observed(self.name, sample), self.masks_v).whole

    def _words(self, agree: tuple[bool, ...], deviating: str, findings: list[Finding]) -> str:
        name, (a, b) = self.name, (side.label for side in self.sides)
        if not deviating and self.two_networks:
            said = f"Both {a} and {b} do in {name!r} what their networks say."
            if findings:
                said += f" Seen from {a}'s network, {b} {findings[0].words}."
            return said
        if not deviating:
            return (
                f"Both {a} and {b} do in {name!r} what the network says on what reached it: "
                f"what reached it differs, so look at the sources, or at the inputs."
            )
        whole = [finding for finding in findings if finding.reproduces]
        if whole:
            first = whole[0]
            said = f"{deviating}: population {name!r} {first.words}."
            others = {f.pattern for f in whole[1:]} - {first.pattern}
            reach = "one sample" if first.samples == 1 else f"{first.samples} samples"
            said += f" This gives all that {deviating} recorded there, in {reach}."
            if others:
                said += f" So would: {', '.join(sorted(others))}."
            return said
        given = "networks given reproduce" if self.two_networks else "network given reproduces"
        neither = "" if any(agree) else f" The {given} neither side."
        if findings:
            first = findings[0]
            return (
                f"{deviating} deviates in {name!r} in no known way;{neither} nearest, for "
                f"{first.steps_explained} of {first.steps} steps: it {first.words}."
            )
        return f"{deviating} deviates in {name!r} in no known way, from the first step on.{neither}"
