"""Drawings with their captions; none, and one line that says why, where matplotlib is missing."""

from __future__ import annotations

import json

from ..comparison import Comparison, Divergence
from ..errors import InputError, how_to_add
from ..recording import Recording
from .blocks import Block, Choice, Drawing, Note, Section
from .report_sources import Sources
from .table_rows import spike_rows

PLOTS_MISSING = (
    "Plots are left out: matplotlib is not installed. They need the plots extra: "
    f"{how_to_add('plots')}"
)

SAMPLES = 3
"""Drawn as rasters where nobody says which: that of the first difference, then from 0 on."""

MOST_SAMPLES = 64
"""Drawn as rasters; each is a drawing in the page."""


def plots_available() -> bool:
    """Whether matplotlib can be imported."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def missing_section(sources: Sources) -> Section | None:
    """What to install, where there would be something to draw."""
    drawable = sources.recordings or sources.profiles or sources.network or sources.sweep
    if not drawable or plots_available():
        return None
    return Section("plots", "Plots", (Note(PLOTS_MISSING, alert=True),))


def spike_figures(sources: Sources) -> list[Block]:
    """Messages per population and backend, and rasters of some samples."""
    if not sources.recordings or not plots_available():
        return []
    from . import plots

    svg = plots.spike_bars(spike_rows(sources.recordings), sources.labels)
    return [Drawing(svg, "Messages of each population per sample (mean)."), *_rasters(sources)]


def _rasters(sources: Sources) -> list[Block]:
    recordings = [
        (label, recording)
        for label, recording in zip(sources.labels, sources.recordings, strict=True)
        if recording.samples and any(recording[name].has("spikes") for name in recording.names)
    ]
    if not recordings:
        return []
    from . import rasters

    label, recording = recordings[0]
    divergence = _divergence(sources)
    other = recordings[1][1] if divergence is not None and len(recordings) > 1 else None
    drawings, picked = [], _neuron(sources, recording)
    for sample in _samples(sources, recording, divergence):
        beside = other if other is not None and sample < other.samples else None
        who = f"on {label}" if beside is None else f"on {label} and {recordings[1][0]}"
        drawn = rasters.raster(recording, sample, divergence, beside, sources.labels, picked)
        caption = f"Who sent when: sample {sample} {who}, neurons in (C, H, W) order from below."
        if drawn.omitted:
            caption += f" Not shown: {', '.join(drawn.omitted)}."
        drawing = Drawing(drawn.svg, caption, drawn.hover)
        drawings.append((f"sample {sample}", drawing, drawn.sent))
    return [Choice(tuple(drawings), json.dumps(picked))]


def _samples(
    sources: Sources, recording: Recording, divergence: Divergence | None
) -> tuple[int, ...]:
    """Which samples are drawn, the one that is shown first before the others.

    Raises
    ------
    InputError
        If the recording has no such sample.
    """
    if sources.samples is None:
        first = divergence.sample if divergence and divergence.sample < recording.samples else 0
        others = (sample for sample in range(recording.samples) if sample != first)
        return (first, *(sample for sample, _ in zip(others, range(SAMPLES - 1), strict=False)))
    for sample in sources.samples:
        if not 0 <= sample < recording.samples:
            raise InputError(
                f"samples: {sample}; the recording has {recording.samples}, give 0 to "
                f"{recording.samples - 1}"
            )
    if not 1 <= len(sources.samples) <= MOST_SAMPLES:
        raise InputError(f"samples: {len(sources.samples)} of them; give 1 to {MOST_SAMPLES}")
    return tuple(dict.fromkeys(sources.samples))


def _neuron(sources: Sources, recording: Recording) -> tuple[str, int] | None:
    """The neuron that is marked first.

    Raises
    ------
    InputError
        If its spikes were not recorded, or there is no such one.
    """
    if sources.neuron is None:
        return None
    name, number = sources.neuron
    drawn = [p.header for p in recording if p.has("spikes")]
    sizes = {header.name: header.size for header in drawn}
    if name not in sizes:
        raise InputError(
            f"neuron: no spikes of a population {name!r}; there are {', '.join(sizes)}"
        )
    if not 0 <= number < sizes[name]:
        raise InputError(f"neuron: {number} of {name!r}; give 0 to {sizes[name] - 1}")
    return name, number


def trace_figures(comparison: Comparison) -> list[Drawing]:
    """The neuron that diverged first, around that step."""
    if not plots_available():
        return []
    from . import traces

    svg, hover = traces.divergence_trace(comparison)
    if not svg:
        return []
    first = comparison.first_divergence
    assert first is not None
    caption = (
        f"{first.population} neuron {first.neuron}, sample {first.sample}, around step "
        f"{first.step}: both sides; bars above v are spikes."
    )
    return [Drawing(svg, caption, hover)]


def _divergence(sources: Sources) -> Divergence | None:
    found = (comparison.first_divergence for comparison in sources.comparisons)
    return next((divergence for divergence in found if divergence is not None), None)


def energy_figures(sources: Sources) -> list[Drawing]:
    """Where the energy goes, and how sure the total is."""
    if not sources.profiles or not plots_available():
        return []
    from . import plots

    labels = [f"{profile.label} ({profile.kind})" for profile in sources.profiles]
    caption = (
        "Where the energy goes, and the total: circle estimated, with its band; diamond measured."
    )
    return [Drawing(plots.energy(sources.profiles, labels), caption)]


def weight_figures(sources: Sources) -> list[Drawing]:
    """Weights of each projection, before and after quantization where both are known."""
    if sources.network is None or not plots_available():
        return []
    from . import plots

    svg, omitted = plots.weight_histograms(sources.network, sources.float_weights)
    if not svg:
        return []
    caption = "Weights of each projection; how many, on a logarithmic axis."
    if sources.float_weights:
        caption = "Weights before (float) and after quantization (integer); logarithmic counts."
    if omitted:
        caption += f" {omitted} more projections are not shown."
    return [Drawing(svg, caption)]
