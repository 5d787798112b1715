"""Trained networks without spikes: read, and converted to graded spikes.

`convert.convert_ann` is the face; `graph` is what readers give, `units` what is built of it.
"""

from __future__ import annotations

from .convert import convert_ann, read, run_floats
from .graph import Graph, Node
from .tandem import tandem
from .thresholds import ThresholdSweep, choose_thresholds

__all__ = ["Graph", "Node", "ThresholdSweep"]
__all__ += ["choose_thresholds", "convert_ann", "read", "run_floats", "tandem"]
