"""The headline facts."""

from __future__ import annotations

import math

from ..comparison import Comparison
from ..network import Rating
from ..numbers import count, percent, si, si_range, wilson_interval
from ..profiling import Profile
from .blocks import Headline, Section
from .report_sources import Sources
from .table_rows import synapse_counts


def summary_section(sources: Sources) -> Section | None:
    """Equal or not, how accurate, how much energy, how large."""
    headlines = (
        *_comparisons(sources),
        *_accuracy(sources),
        *_energy(sources),
        *_network(sources),
        *(Headline(label, text) for label, text in sources.facts),
    )
    return Section("summary", "Summary", headlines=headlines) if headlines else None


def _comparisons(sources: Sources) -> list[Headline]:
    headlines = []
    for comparison in sources.comparisons:
        label_a, label_b = comparison.labels
        exact = sum(row.exact is True for row in comparison.rows)
        behind = f"{exact} of {len(comparison.rows)} populations exact"
        divergence = comparison.first_divergence
        if divergence is not None:
            behind = f"first at sample {divergence.sample}, step {divergence.step}, " + (
                f"{divergence.population} neuron {divergence.neuron}; {behind}"
            )
        tone = "exact" if comparison.within_tolerance else "differs"
        title = f"{label_a} against {label_b}"
        headlines.append(Headline(title, _verdict(comparison), behind, tone=tone))
        if comparison.diagnosis is not None and comparison.diagnosis.pattern:
            pattern = comparison.diagnosis.pattern.replace("-", " ")
            behind = f"in {comparison.diagnosis.deviating}; reproduced on the engine"
            headlines.append(Headline("Diagnosis", pattern, behind, tone="differs"))
        if comparison.output is not None and comparison.output.accuracies is not None:
            first, second = comparison.output.accuracies
            behind = f"{label_a} and {label_b}, {count(comparison.output.labelled)} samples"
            headlines.append(Headline("Accuracy", f"{percent(first)}, {percent(second)}", behind))
    return headlines


def _verdict(comparison: Comparison) -> str:
    if comparison.equal:
        return "Equal"
    return "Within tolerance" if comparison.within_tolerance else "Different"


def _accuracy(sources: Sources) -> list[Headline]:
    headlines = []
    for label, correct, total in sources.accuracy:
        low, high = wilson_interval(correct, total)
        fraction = correct / total if total else float("nan")
        behind = f"{count(correct)} of {count(total)}; {percent(low, 1)} to {percent(high, 1)}"
        headlines.append(Headline(f"Accuracy, {label}", percent(fraction), behind))
    return headlines


def _energy(sources: Sources) -> list[Headline]:
    headlines = []
    for profile in sources.profiles:
        tag = profile.tag("energy_joules")
        known = [
            f"{si(joules, 'J')} {what}"
            for what, joules in (
                ("dynamic", profile.dynamic_joules),
                ("static", profile.static_joules),
            )
            if not math.isnan(joules)
        ]
        if profile.band is not None:
            ends = si_range(profile.band.low_joules, profile.band.high_joules, "J")
            known.append(f"band {ends}")
        title, joules = f"Energy per inference, {profile.label}", si(profile.energy_joules, "J")
        headlines.append(Headline(title, joules, "; ".join(known), tag))
        headlines += _times(profile)
    return headlines


def _times(profile: Profile) -> list[Headline]:
    """Latency with the throughput that it leaves, and both together with the energy."""
    if not profile.seconds > 0:
        return []
    behind = f"{count(1 / profile.seconds)} inferences a second, one after another; "
    behind += f"{si(profile.seconds_per_step, 's')} a step"
    behind += f", bound by {profile.bound}" if profile.bound else ""
    tag = profile.tag("seconds")
    found = [Headline(f"Latency, {profile.label}", si(profile.seconds, "s"), behind, tag)]
    if not math.isnan(profile.energy_delay):
        product = si(profile.energy_delay, "J s")
        found.append(Headline(f"Energy-delay product, {profile.label}", product, tag=profile.kind))
    return found


def _network(sources: Sources) -> list[Headline]:
    network = sources.network
    if network is None:
        return []
    counts = [synapse_counts(network, projection) for projection in network.projections]
    nonzero = sum(pair[0] for pair in counts if pair)
    neurons = sum(population.size for population in network.populations)
    behind = f"{len(network.populations)} populations, {count(nonzero)} synapses"
    headlines = [Headline("Network", f"{count(neurons)} neurons", behind)]
    if len(network.audit):
        worst = network.audit.worst
        number = len(network.audit.rated(worst))
        value = "all faithful" if worst is Rating.FAITHFUL else f"{count(number)} {worst.value}"
        behind = f"of {count(len(network.audit))} elements"
        headlines.append(Headline("Faithful to the file", value, behind, tone=worst.value))
        headlines.append(_to_training(sources))
    return headlines


def _to_training(sources: Sources) -> Headline:
    """Whether it does what was trained; a file that was read well may not say what that was."""
    title = "Faithful to the training"
    for comparison in sources.comparisons:
        for label in comparison.labels:
            if any(name in label for name in _TRAINED):
                behind = f"{comparison.labels[0]} against {comparison.labels[1]}"
                tone = "exact" if comparison.within_tolerance else "differs"
                return Headline(title, _verdict(comparison), behind, tone=tone)
    behind = "compare with a run of the trained network: backend float, or Recording.from_arrays"
    return Headline(title, "not measured here", behind)


_TRAINED = ("float", "own arrays")
"""What backends are called that run what was trained."""
