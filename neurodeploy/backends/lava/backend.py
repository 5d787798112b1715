"""Backend ``lava`` on the side of the user's process.

It refuses at once what Lava cannot run and hands the rest to a worker, where `processes` builds
and runs the Lava processes.
"""

from __future__ import annotations

from ...network import Network
from ...recording.run_options import RunOptions
from ..registry import BACKENDS, WorkerBackend
from . import PYTHON_VARIABLE


@BACKENDS.register
class Lava(WorkerBackend):
    """Lava's CPU fixed-point simulator."""

    name = "lava"
    options = frozenset({"place", "job", "timeout_seconds"})
    place_variable = PYTHON_VARIABLE
    worker_module = "neurodeploy.backends.lava.processes"

    def available(self) -> tuple[bool, str]:
        """See `Backend`."""
        from .interpreter import find_lava

        return find_lava()

    def place_by_default(self) -> str:
        """See `WorkerBackend`; Lava's own environment if this interpreter has none."""
        from .interpreter import lava_place

        return lava_place()

    def check(self, network: Network, options: RunOptions) -> None:
        """See `Backend`."""
        from ...targets.lava_rules import check_supported

        check_supported(network, options)
