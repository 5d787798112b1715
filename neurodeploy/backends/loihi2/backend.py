"""Backend ``loihi2`` on the side of the user's process.

It refuses at once what the chip cannot run and hands the rest to the worker, where `run`
reaches the board, runs and measures. lava-loihi is not public, so the backend is written
against the calls that public code makes (see `board`, `meters`) and has run on no chip of ours.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from ...errors import UnsupportedError
from ...network import Network, Rating
from ...recording.run_options import RunOptions, refuse_floats
from ..registry import BACKENDS, WorkerBackend

LONGEST_SAMPLE = 1 << 20
"""Steps; what the host presents and reads is kept in memory."""


@BACKENDS.register
class Loihi2(WorkerBackend):
    """Loihi 2; what its meters said goes into the recording's header.

    What could not be measured is in ``header.warnings``.
    """

    name = "loihi2"
    options = frozenset({"place", "job", "timeout_seconds", "board_settings"})
    place_variable = "NEURODEPLOY_LOIHI2_HOST"
    worker_module = "neurodeploy.backends.loihi2.run"

    def available(self) -> tuple[bool, str]:
        """See `Backend`."""
        if host := os.environ.get(self.place_variable):
            return True, f"through {host} ({self.place_variable}; not tried)"
        if find_spec("lava") is None:
            here = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
            return False, (
                f"no Lava in this interpreter ({here}); set {self.place_variable} to where lava-nc "
                f"and Intel's lava-loihi are: an interpreter, srun:partition=NAME or ssh:HOST"
            )
        try:
            from lava.utils import loihi

            found = bool(loihi.is_installed())
        except Exception as error:  # a broken extension must not take the doctor down
            return False, f"lava.utils.loihi failed: {type(error).__name__}: {error}"
        if not found:
            return False, (
                f"lava-loihi is not installed; Intel gives it to INRC members. Or set "
                f"{self.place_variable}"
            )
        return True, "lava-loihi is installed"

    def check(self, network: Network, options: RunOptions) -> None:
        """See `Backend`."""
        from .settings import ChipSettings

        ChipSettings.read(options.chip)
        check_supported(network, options)


def check_supported(network: Network, options: RunOptions) -> None:
    """Refuse what the chip would not run, or not as the network says.

    Raises
    ------
    UnsupportedError
        Naming the element, its value, the limit and what to do.
    """
    from ...chip import fit
    from ...targets.loihi2_rules import check_chip_population, check_chip_projection
    from ...targets.look_ahead import look_ahead

    refuse_floats(network)
    interval = options.reset_interval
    if interval is not None and interval & (interval - 1):
        raise UnsupportedError(
            f"reset_interval: {interval}; the chip resets at powers of two only, e.g. "
            f"{1 << interval.bit_length()}"
        )
    if options.steps > LONGEST_SAMPLE:
        raise UnsupportedError(
            f"steps: {options.steps} of one sample, limit {LONGEST_SAMPLE}; split the sample"
        )
    for projection in network.learning:
        raise UnsupportedError(
            f"projection {projection.name}: learns, and this backend has learning run on no chip "
            f"yet; run it on backend 'lava' or 'engine'"
        )
    for population in network.populations:
        check_chip_population(network, population)
    for projection in network.projections:
        check_chip_projection(network, projection)
    for entry in look_ahead(network, "loihi2").entries:
        if entry.rating is Rating.UNSUPPORTED:
            raise UnsupportedError(f"{entry.element}: {entry.reason}")
    if misfits := fit(network, "loihi2").misfits:
        raise UnsupportedError(str(misfits[0]))
