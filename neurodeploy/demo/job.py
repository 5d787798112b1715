"""The main job on real networks: train, export, run twice, compare, price, report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends import available, run
from ..comparison import Comparison, compare
from ..errors import BackendError, how_to_add
from ..formats import load
from ..network import Network
from ..profiling import Profile, profile
from ..recording import Recording
from ..recording.run_options import Progress
from ..reporting import report
from . import digits, pilotnet
from .shipped import shipped_digits

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Opens a progress bar with this label."""

Say = Callable[[str], None]
"""Shows one finished line."""

RECORD = ("counts", "spikes", "u", "v")


@dataclass
class Outcome:
    """What the demo made and found.

    Attributes
    ----------
    network : Network
        The digits network.
    accuracy : list of (label, correct, total)
    recordings : list of Recording
        Of the digits network, one per backend.
    comparisons : list of Comparison
    profiles : list of Profile
    float_weights : dict of population name to float array
    facts : list of (label, text)
    """

    network: Network
    accuracy: list[tuple[str, int, int]] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    float_weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether every comparison came out equal."""
        return all(comparison.equal for comparison in self.comparisons)


def run_demo(out: Path, bar: Bar, say: Say) -> Outcome:
    """Do the main job and leave its files in a folder.

    Parameters
    ----------
    out : Path
        Made if need be. Gets ``digits.net``, ``digits_engine.h5``,
        ``digits_lava.h5``, ``pilotnet_engine.h5`` and ``report.html``.
    bar, say : callable
        Show progress, and finished lines.

    Returns
    -------
    Outcome
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(f"{out}: cannot make this folder ({error.strerror})") from error
    outcome, inputs, labels = _get_digits(out, bar, say)
    _run_digits(outcome, inputs, labels, out, bar, say)
    _run_pilotnet(outcome, out, bar, say)
    page = out / "report.html"
    with bar("writing the report"):
        report(
            page,
            title="neurodeploy demo: digits and PilotNet",
            net=outcome.network,
            recordings=outcome.recordings,
            comparison=outcome.comparisons,
            profiles=outcome.profiles,
            accuracy=outcome.accuracy,
            facts=outcome.facts,
            float_weights=outcome.float_weights,
        )
    say(f"report: {page.resolve()}")
    return outcome


def _get_digits(
    out: Path, bar: Bar, say: Say
) -> tuple[Outcome, NDArray[np.uint8], NDArray[np.int64]]:
    """Train and export the digits network, or take the one that comes with neurodeploy."""
    target = out / "digits.net"
    missing = [name for name in ("lava-dl", "torch", "scikit-learn") if not _is_installed(name)]
    if missing:
        say(
            f"digits: no {', '.join(missing)} here, so the trained network that we ship is used; "
            f"to train it with SLAYER: make setup, or {how_to_add('demo')} and "
            f"neurodeploy doctor --add lava-dl"
        )
        shipped = shipped_digits()
        target.write_bytes(shipped.network.read_bytes())
        outcome = Outcome(load(target), float_weights=shipped.float_weights)
        outcome.facts.append(("digits network", "shipped with neurodeploy, not trained here"))
        return outcome, shipped.inputs, shipped.labels
    split = digits.load_split()
    with bar("training digits") as progress:
        trained = digits.train(lambda epoch, epochs, *_: progress(epoch, epochs), split=split)
    digits.export_netx(trained.module, target)
    outcome = Outcome(load(target), float_weights=trained.float_weights)
    total = len(split.test_labels)
    correct = round(trained.accuracy * total)
    outcome.accuracy.append(("SLAYER, CPU forward pass", correct, total))
    outcome.facts.append(("digits network", "trained in this run"))
    say(f"digits: trained with SLAYER, {trained.accuracy:.2%} of {total} test images; {target}")
    return outcome, digits.encode(split.test_images), split.test_labels


def _is_installed(distribution: str) -> bool:
    try:
        return bool(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return False


def _run_digits(
    outcome: Outcome,
    inputs: NDArray[np.uint8],
    labels: NDArray[np.int64],
    out: Path,
    bar: Bar,
    say: Say,
) -> None:
    present, detail = available("lava")
    for backend in ("engine", "lava") if present else ("engine",):
        with bar(f"digits on {backend}") as progress:
            recording = run(
                outcome.network,
                inputs,
                backend=backend,
                record=RECORD,
                out=out / f"digits_{backend}.h5",
                progress=progress,
            )
        correct = int(np.count_nonzero(recording.decisions() == labels))
        outcome.recordings.append(recording)
        outcome.accuracy.append((f"{backend}, fixed point", correct, len(labels)))
        share = f"{correct / len(labels):.2%} of {len(labels)} images"
        say(f"digits: {share} on {backend}, {recording.header.seconds:.2f} s")
    if present:
        outcome.comparisons.append(compare(*outcome.recordings))
        say(f"digits: {outcome.comparisons[-1].summary()}")
    else:
        outcome.facts.append(("Lava", f"not run: {detail}"))
        say(f"digits: not compared with Lava: {detail}")
    price = profile(outcome.recordings[0])
    outcome.profiles.append(replace(price, workload="digits"))
    say(f"digits: {_price(outcome.profiles[-1])}")


def _run_pilotnet(outcome: Outcome, out: Path, bar: Bar, say: Say) -> None:
    place = pilotnet.folder()
    if place is None:
        outcome.facts.append(("PilotNet", "not run: its record comes with lava-dl"))
        say("PilotNet: not run: its record comes with lava-dl (neurodeploy doctor --add lava-dl)")
        return
    model = pilotnet.load_pilotnet(place)
    settings: dict[str, Any] = {"apply_transform": False}
    with bar("PilotNet on engine") as progress:
        recording = run(
            model.network,
            np.broadcast_to(model.frame, (pilotnet.STEPS, *model.frame.shape)),
            record=RECORD,
            out=out / "pilotnet_engine.h5",
            progress=progress,
            reset_interval=pilotnet.RESET_INTERVAL,
            **settings,
        )
    # The record is not of this run's hashes: it was made by others, elsewhere.
    labels = ("PilotNet engine", "record")
    outcome.comparisons.append(compare(recording, model.truth, names=labels, anyway=True))
    say(f"PilotNet: {outcome.comparisons[-1].summary()}")
    frame = np.broadcast_to(model.frame, (pilotnet.FRAME_STEPS, *model.frame.shape))
    price = profile(run(model.network, frame, **settings))
    outcome.profiles.append(replace(price, workload="PilotNet"))
    say(f"PilotNet: {_price(outcome.profiles[-1])}")


def _price(result: Profile) -> str:
    return (
        f"{result.energy_joules * 1e6:,.1f} µJ per inference on {result.chip} ({result.kind}; "
        f"dynamic {result.dynamic_joules * 1e6:,.1f} µJ), {result.synops:,.0f} SynOps, "
        f"{result.messages:,.0f} messages, {result.seconds * 1e3:,.2f} ms"
    )
