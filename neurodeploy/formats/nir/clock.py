"""The time step of a NIR graph, which the format does not hold."""

from __future__ import annotations

import numpy as np

from ...errors import FormatError
from .graph import Graph

TOLERANCE = 1e-4
"""Relative; exporters compute the parameters in float32."""


def time_step(graph: Graph, dt: float | None, advice: str = "") -> tuple[float, str | None]:
    """Check the time step that was given, or infer it.

    A `CubaLIF` whose R is tau_mem / dt and whose w_in is tau_syn / dt was written to cancel the
    input factors of forward Euler; both ratios then are the time step, and all such neurons
    of the graph must agree.

    Parameters
    ----------
    graph : Graph
    dt : float or None
        Seconds.
    advice : str
        The time step that belongs to the framework, as a sentence for the error.

    Returns
    -------
    float, str or None
        Seconds, and how it was inferred.

    Raises
    ------
    FormatError
        If none is given and none can be inferred, or the one given is impossible.
    """
    if dt is not None:
        _check(graph, dt, advice)
        return float(dt), None
    if not any(graph.kind(n) in _TIMED for n in graph.nodes):
        return 1.0, "no node of it depends on the time step"
    cubas = [name for name in graph.nodes if graph.kind(name) in ("CubaLIF", "CubaLI")]
    steps = []
    for name in cubas:
        node = graph.nodes[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            steps += [np.ravel(node.tau_mem / node.r), np.ravel(node.tau_syn / node.w_in)]
    if steps:
        found = np.concatenate(steps)
        first = float(found[0])
        if first > 0 and np.allclose(found, first, rtol=TOLERANCE, atol=0):
            inferred = float(np.format_float_positional(first, precision=4, fractional=False))
            _check(graph, inferred, advice)
            return inferred, (
                f"r = tau_mem / dt and w_in = tau_syn / dt in all of {', '.join(cubas)} give "
                f"dt = {inferred:g} s"
            )
    raise FormatError(
        f"{graph.path}: NIR has no time step and this graph does not imply one; give it in "
        f"seconds: --dt, or dt= in Python{_also(advice)}"
    )


_TIMED = ("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "Delay")


def _also(advice: str) -> str:
    return f" ({advice})" if advice else ""


def _check(graph: Graph, dt: float, advice: str) -> None:
    if not (np.isfinite(dt) and dt > 0):
        raise FormatError(f"{graph.path}: dt = {dt:g} s; give a positive number of seconds")
    for name, node in graph.nodes.items():
        for key in ("tau", "tau_mem", "tau_syn"):
            tau = getattr(node, key, None)
            if tau is None:
                continue
            least = float(np.min(tau))
            if least <= 0:
                raise graph.fail(name, f"{key} is {least:g} s, needs more than 0; export it again")
            if least < dt * (1 - TOLERANCE):
                raise graph.fail(
                    name, f"{key} is {least:g} s, shorter than the time step of {dt:g} s; give a "
                    f"smaller --dt (in the unit of the file's time constants){_also(advice)}"
                )  # fmt: skip
