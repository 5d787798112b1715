"""The neuron that diverged first, drawn: u, v, threshold and spikes of both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..comparison import Comparison
from .plots import drawing, in_legend
from .pointer_texts import HoverPanel, Series, hover_json
from .svg import INK, MUTED, SERIES, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..comparison.diagnosis import Evidence

SIDES = (SERIES[0], SERIES[4])
"""Of A and B; told apart by marker and dash as well."""


def divergence_trace(comparison: Comparison) -> tuple[str, str]:
    """Draw what is known around the first divergence.

    Parameters
    ----------
    comparison : Comparison
        With a diagnosis that has evidence.

    Returns
    -------
    svg : str
        Empty where no state is known.
    hover : str
        See `pointer_texts.hover_json`.
    """
    assert comparison.diagnosis is not None
    evidence = comparison.diagnosis.evidence
    assert evidence is not None
    shown = [
        name
        for name in ("current", "u", *evidence.further_states, "v")
        if name in evidence.a.values or name in evidence.b.values
    ]
    if not shown:
        return "", ""
    heights = [1.9 if name == "v" else 1.2 for name in shown]
    with drawing(sum(heights) + 0.5) as figure:
        axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)
        for name, axis in zip(shown, axes[:, 0], strict=True):
            _panel(axis, name, evidence, comparison.labels)
        axes[-1, 0].set_xlabel("time step (chip clock of the first side)")
        axes[-1, 0].xaxis.get_major_locator().set_params(integer=True)
        handles, labels = axes[-1, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4)
        svg = to_svg(figure)
        panels = [
            HoverPanel.of(axis, "step", name, _series(name, evidence, comparison.labels))
            for name, axis in zip(shown, axes[:, 0], strict=True)
        ]
    return svg, hover_json(panels)


def _panel(axis: Axes, name: str, evidence: Evidence, labels: tuple[str, str]) -> None:
    steps = evidence.steps
    axis.axvline(steps[evidence.at], color=MUTED, linewidth=6, alpha=0.25)
    looks = (("o", "-", 3.5), ("s", "--", 5.0))
    for label, trace, colour, look in zip(
        labels, (evidence.a, evidence.b), SIDES, looks, strict=True
    ):
        marker, line, size = look
        values = trace.values.get(name)
        if values is not None:
            axis.plot(
                steps, [float("nan") if y is None else y for y in values], line, color=colour,
                marker=marker, markersize=size, markerfacecolor="none", linewidth=1.2,
                label=in_legend(label),
            )  # fmt: skip
    if name == "v":
        if evidence.threshold is not None:
            axis.axhline(evidence.threshold, color=INK, linewidth=0.9, linestyle=":")
            axis.annotate(
                "threshold", (steps[0], evidence.threshold), xytext=(0, 2),
                textcoords="offset points", fontsize=7, color=INK,
            )  # fmt: skip
        _spikes(axis, evidence)
    axis.set_title({"current": "synaptic input"}.get(name, name), pad=3)
    axis.grid(axis="y")
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _spikes(axis: Axes, evidence: Evidence) -> None:
    """Mark spikes above the panel: A's on the upper line, B's below it."""
    for row, (trace, colour) in enumerate(zip((evidence.a, evidence.b), SIDES, strict=True)):
        spikes = trace.values.get("spikes", ())
        at = [step for step, sent in zip(evidence.steps, spikes, strict=False) if sent]
        axis.plot(
            at, [1.0 - 0.07 * row] * len(at), linestyle="none", marker="|", markersize=7,
            markeredgewidth=2.2, color=colour, transform=axis.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip


def _series(name: str, evidence: Evidence, labels: tuple[str, str]) -> list[Series]:
    found: list[Series] = []
    for label, trace in zip(labels, (evidence.a, evidence.b), strict=True):
        values = trace.values.get(name)
        if values is not None:
            said = f"{label} ({trace.known[name]})"
            found.append((said, list(evidence.steps), list(values)))
    if name == "v" and evidence.threshold is not None:
        level: list[float | int | None] = [evidence.threshold] * len(evidence.steps)
        found.append(("threshold", list(evidence.steps), level))
    return found
