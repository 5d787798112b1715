"""HTML page, plots and terminal tables of what a run found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..comparison import Comparison
    from ..network import AuditEntry, Network
    from ..profiling import Profile
    from ..quantization.bit_width_sweep import Sweep
    from ..recording import Recording
    from .report_sources import PlacementLike, StepLike

__all__ = ["report"]


def report(
    path: str | os.PathLike[str],
    *,
    net: Network | None = None,
    recordings: Sequence[Recording] = (),
    comparison: Comparison | Sequence[Comparison] | None = None,
    placement: PlacementLike | None = None,
    profiles: Sequence[Profile] = (),
    title: str = "neurodeploy report",
    accuracy: Sequence[tuple[str, int, int]] | None = None,
    facts: Sequence[tuple[str, str]] = (),
    float_weights: Mapping[str, Any] | None = None,
    sweep: Sweep | None = None,
    steps: Sequence[StepLike] = (),
    left: Iterable[AuditEntry] = (),
    samples: Sequence[int] | None = None,
    neuron: tuple[str, int] | None = None,
) -> None:
    """Write one self-contained HTML page; sections without content are left out.

    Parameters
    ----------
    path : path
        Where the page belongs; it appears there only once it is whole.
    net : Network or None
        Its populations, audit, weights and fingerprint.
    recordings : sequence of Recording
        The first with spikes gives the raster.
    comparison : Comparison, sequence of Comparison or None
    placement : Placement or None
    profiles : sequence of Profile
    title : str
    accuracy : sequence of (label, correct, total)
    facts : sequence of (label, text)
        Shown among the headline facts.
    float_weights : mapping of str to float array
        Weights before quantization, any shape, by projection (``a->b``) or by
        the population that they lead to.
    sweep : Sweep or None
        The network at several bit widths, see `quantize.sweep`.
    steps : sequence of Step
        What brought `net` to its target, see `nd.deploy`.
    left : iterable of AuditEntry
        What that target still cannot run.
    samples : sequence of int, optional
        Whose rasters are drawn, 1 to 64 of them; the page shows the first and lets its reader
        choose among them. By default three: the sample of the first difference, then from 0 on.
    neuron : (str, int), optional
        Population and number, in (C, H, W) order, of the neuron that rasters mark first. On the
        page its reader chooses another by the fields above the raster, or by a click.

    Raises
    ------
    FormatError
        If nothing can be written at `path`.
    InputError
        If there is no such sample or neuron.

    Notes
    -----
    Without matplotlib the page says how to get its plots.

    Examples
    --------
    >>> nd.report("report.html", net=net, recordings=[rec], profiles=[nd.profile(rec)])
    """
    from ..network import Audit
    from .page import write_page
    from .report_sources import Sources

    if comparison is None:
        comparisons: tuple[Comparison, ...] = ()
    elif isinstance(comparison, Sequence):
        comparisons = tuple(comparison)
    else:
        comparisons = (comparison,)
    sources = Sources(
        title=title,
        network=net,
        recordings=tuple(recordings),
        comparisons=comparisons,
        placement=placement,
        profiles=tuple(profiles),
        accuracy=tuple(accuracy or ()),
        facts=tuple(facts),
        float_weights=dict(float_weights or {}),
        sweep=sweep,
        steps=tuple(steps),
        left=Audit(tuple(left)),
        samples=None if samples is None else tuple(samples),
        neuron=neuron,
    )
    write_page(path, sources)
