"""Runs Lava's process models sample by sample, records, and tells of their errors."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from lava.magma.core.model.py.ports import PyOutPortVectorDense
from numpy.typing import NDArray


class NotedOutPort(PyOutPortVectorDense):  # type: ignore[misc]
    """An out port that keeps what it sent last."""

    sent: NDArray[Any]

    def send(self, data: NDArray[Any]) -> None:
        """See Lava's."""
        self.sent = data
        super().send(data)


class SampleBySample:
    """Runs samples back to back, records, and reports errors of a Lava process model.

    Read from ``proc_params``: ``label``, ``folder`` (for error reports),
    ``steps`` (of a sample), ``rows`` (steps of a block), ``traces`` (shared
    array [rows, neurons] by name), ``reset`` ((interval, phase) or None),
    ``first_v`` (v at the start of a sample), ``rests`` (steps of a sample before which its
    neurons count as resting, whatever v leads them to a reset).
    """

    fresh: ClassVar[tuple[str, ...]] = ()
    """State that is zero at the start of a sample, and of a neuron after a reset."""

    attribute: ClassVar[dict[str, str]] = {}
    """Which attribute holds a state, by the name that a recording has for it.

    Of those that our models have and Lava's lack (``wait`` of refractory periods), `lava_rules`
    lets none through that is ever anything but 0, as a trace is at first.
    """

    proc_params: Any
    time_step: int
    s_out: Any

    def run_spk(self) -> None:
        """Run one time step; an error ends this process and leaves a report."""
        with self.reported():
            self._run_step((self.time_step - 1) % self.proc_params["rows"])

    @contextmanager
    def reported(self) -> Iterator[None]:
        """End this process if the block raises, and leave a report."""
        try:
            yield
        except BaseException as error:
            # Lava would log this at INFO and then wait for ever for the
            # message that this process did not send.
            report = {
                "error": type(error).__name__,
                "message": f"{error} (in {self.proc_params['label']}, step {self.time_step})",
                "detail": traceback.format_exc(),
            }
            path = Path(self.proc_params["folder"]) / f"child-{os.getpid()}.json"
            path.write_text(json.dumps(report))
            os._exit(1)

    def _run_step(self, row: int) -> None:
        step = row % self.proc_params["steps"]
        reset = self.proc_params["reset"]
        if step == 0 or (reset is not None and (step + 1) % reset[0] == reset[1]):
            self._start_over()
        first_v = self.proc_params["first_v"]
        if step == 0 and np.any(first_v):
            v = getattr(self, self.attribute["v"])
            v[:] = first_v
        self._run_lava()
        rests = self.proc_params["rests"]
        for name, trace in self.proc_params["traces"].items():
            if name == "spikes":
                trace[row] = self.s_out.sent
            elif name in self.attribute:
                trace[row] = 0 if step < rests else getattr(self, self.attribute[name])

    def _run_lava(self) -> None:
        super().run_spk()  # type: ignore[misc]

    def _start_over(self) -> None:
        for name in self.fresh:
            setattr(self, name, np.zeros_like(getattr(self, name)))
