"""Drawings with their captions; none, and one line that says why, where matplotlib is missing."""

from __future__ import annotations

from ..comparison import Comparison, Divergence
from ..errors import how_to_add
from .blocks import Drawing, Note, Section
from .report_sources import Sources
from .table_rows import spike_rows

PLOTS_MISSING = (
    "Plots are left out: matplotlib is not installed. They need the plots extra: "
    f"{how_to_add('plots')}"
)


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


def spike_figures(sources: Sources) -> list[Drawing]:
    """Messages per population and backend, and the raster of one sample."""
    if not sources.recordings or not plots_available():
        return []
    from . import plots

    svg = plots.spike_bars(spike_rows(sources.recordings), sources.labels)
    return [Drawing(svg, "Messages of each population per sample (mean)."), *_raster(sources)]


def _raster(sources: Sources) -> list[Drawing]:
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
    sample = divergence.sample if divergence and divergence.sample < recording.samples else 0
    other = None
    who = f"on {label}"
    if divergence is not None and len(recordings) > 1 and sample < recordings[1][1].samples:
        other = recordings[1][1]
        who = f"on {label} and {recordings[1][0]}"
    svg, hover, omitted = rasters.raster(recording, sample, divergence, other, sources.labels)
    caption = f"Who sent when: sample {sample} {who}, neurons in (C, H, W) order from below."
    if omitted:
        caption += f" Not shown: {', '.join(omitted)}."
    return [Drawing(svg, caption, hover)]


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
