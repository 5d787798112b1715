"""Runs a network on Loihi 2; the side of the worker, imported only beside Lava.

In this order: reach the board, measure the adapters' lags, run the samples,
measure. What has been run is kept when the measuring fails: the recording then
says what could not be measured, and why.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import NeurodeployError
from ...network import Network
from ...recording import Header
from ...recording.assemble import header_of, with_host_part
from ...recording.run_options import RunOptions, recorded_states
from ...remote.blocks import Blocks
from ..lava.build import are_graded
from .board import Board, Spikes, States, feeds_convolution, input_lag_of
from .energy import Measured
from .host import Reached, reach
from .link import measure_lag
from .meters import Activity, Kept, measure
from .schedule import Lag, Schedule, carried_over, early_biases, repeated, schedules
from .settings import ChipSettings


def run_network(network: Network, values: NDArray[np.int32], options: RunOptions) -> None:
    """Run a network on the chip and write the recording to ``options.out``; see `loihi2.run`.

    Samples and readings that an earlier call has left in the job's folder are taken as they are.
    """
    assert options.out is not None
    job = options.out.parent
    blocks = Blocks(job, network, options, len(values))
    session = Session(network, values, options)
    for first, stop in blocks.gaps():
        for start, schedule in session.schedules(first, stop):
            began = time.perf_counter()
            spikes, states = session.run(start, schedule)
            seconds = time.perf_counter() - began
            blocks.add(start, spikes, states, {"seconds": seconds})
    measured, activity = session.measure(Kept(job / "meters"))
    blocks.join(
        session.header,
        seconds=sum(told["seconds"] for _, _, told in blocks.measured),
        measured=measured.figures,
        counters=activity.as_lists() if activity else {},
        warnings=(*session.header.warnings, *session.notes, *measured.warnings),
    )


class Session:
    """One call of the backend: a board that was reached, and how samples go there.

    Parameters
    ----------
    network : Network
    values : int32 [samples, steps, *input shape]
    options : RunOptions

    Attributes
    ----------
    header : Header
    notes : list of str
        What the user should know of this run.
    """

    def __init__(self, network: Network, values: NDArray[np.int32], options: RunOptions) -> None:
        self.network = network
        self.options = options
        self.settings = ChipSettings.read(options.chip)
        self.values = np.asarray(values).reshape(len(values), -1, network.input.size)
        self.graded = are_graded(self.values)  # of all samples, whichever of them run
        self.notes: list[str] = []
        self.reached: Reached = reach(self.settings)
        self.header: Header = header_of(
            network, self.reached.backend, self.reached.version, options
        )
        if not self.reached.is_hardware:
            self.notes.append(
                f"made without hardware ({self.reached.version}): nothing here was measured on a "
                f"chip"
            )
        self.lag = self._lag()
        reason = carried_over(network)
        wish = self.settings.back_to_back
        self.back_to_back = not reason if wish is None else wish
        if self.back_to_back and reason and len(values) > 1:
            self.notes.append(
                f"samples ran back to back although they are not independent: {reason}"
            )
        elif not self.back_to_back and len(values) > 1 and wish is None:
            self.notes.append(f"samples ran one at a time, each compiled anew: {reason}")
        self.notes += [
            f"population {name!r}: its bias acts {self.lag.input} steps before the first input, "
            f"because the input comes that late and its neurons cannot be reset"
            for name in early_biases(network, self.lag)
        ]

    def schedules(self, first: int, stop: int) -> Iterator[tuple[int, Schedule]]:
        """Runs of the chip that samples `first` to `stop` need: first sample and schedule."""
        options = self.options
        reset = None
        if options.reset_interval is not None:
            reset = (options.reset_interval, options.reset_offset)
        planned = schedules(
            self.network, stop - first, options.steps, self.lag, self.back_to_back, reset
        )
        return ((first + start, schedule) for start, schedule in planned)

    def run(self, start: int, schedule: Schedule) -> tuple[Spikes, States]:
        """Run the samples of a schedule.

        Returns
        -------
        dict of name to int32 [samples, steps, neurons]
            What left each population.
        dict of name to dict of state to the same
        """
        samples = self.values[start : start + schedule.samples]
        states = recorded_states(self.network, self.options)
        board = Board(self.network, samples, schedule, self._read(), states, graded=self.graded)
        spikes, held = board.run()
        name = self.network.input.name
        if self.network.input.neuron.is_port:
            sent = np.zeros((len(samples), self.options.steps, samples.shape[2]), np.int32)
            sent[:, : samples.shape[1]] = samples[:, : self.options.steps]
            spikes[name] = sent
        return with_host_part(self.network, spikes), held

    def measure(self, kept: Kept) -> tuple[Measured, Activity | None]:
        """Measure time, power, activity; what fails is said, not raised."""
        if not self.settings.measure:
            return Measured({}, ()), None
        schedule = repeated(self.network, len(self.values), self.options.steps)
        samples = self.values[: schedule.samples]
        try:
            measured, activity = measure(
                self.network, samples, schedule, self.settings, kept, self._tell
            )
        except NeurodeployError as error:
            return Measured({}, (f"time and energy are unavailable: {error}",)), None
        if not self.reached.is_hardware:  # never under the names of a chip's figures
            figures = {f"standin_{name}": value for name, value in measured.figures.items()}
            measured = replace(measured, figures=figures)
        return measured, activity

    def _read(self) -> Sequence[str]:
        return [p.name for p in self.network.populations if p.neuron.runs_on_host != "always"]

    def _lag(self) -> Lag:
        lag = self.settings
        if lag.input_lag is None or lag.output_lag is None:
            self._tell("measuring the adapters' lag")
            found = measure_lag(feeds_convolution(self.network), self.graded)
        else:
            found = Lag(lag.input_lag, lag.output_lag)
        return Lag(found.input + input_lag_of(self.network), found.output)

    def _tell(self, what: str) -> None:
        """Leave a line in the worker's log."""
        print(f"loihi2: {what}", file=sys.stderr, flush=True)
