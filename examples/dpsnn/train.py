"""Train DPSNN on spoken digits in noise; see README.md beside this file.

``python examples/dpsnn/train.py RECORDINGS [-o dpsnn.pt] [--small] [--minutes 20]``. Ctrl-C keeps
what is there, and the same command goes on from it.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from data import CONTEXT, Mixer, Mixtures, Recorded, ahead
from frames import STRIDE, one_line_errors
from network import DPSNN, FULL, SMALL, Shape, si_snr
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from neurodeploy.errors import FormatError

BATCH, SECONDS = 16, 1.0
RATE_OF_LEARNING = 2e-3
VALIDATED = 8
"""Batches of mixtures that have no part in training."""

HELD = frozenset(
    [
        "model",
        "optimizer",
        "shape",
        "step",
        "of",
        "sparing",
        "seconds",
        "processor_seconds",
        "history",
    ]
)
"""What a checkpoint has."""

BETWEEN = 100
"""Steps between two looks at them, each of which is written down."""


def loss_of(
    model: DPSNN, noisy: torch.Tensor, clean: torch.Tensor, sparing: float
) -> tuple[torch.Tensor, dict[str, float]]:
    """-SI-SNR in dB and `sparing` times each layer's mean activity, summed."""
    made, sent = model(noisy)
    part = slice(CONTEXT, made.shape[1] - STRIDE)
    ratio = si_snr(made[:, part], clean[:, part]).mean()
    square = (made[:, part] - clean[:, part]).square().mean()
    activity = {name: layer.abs().mean() for name, layer in sent.items()}
    total = -ratio + square + sparing * sum(activity.values())
    share = {name: float((layer != 0).float().mean()) for name, layer in sent.items()}
    return total, {"si_snr": float(ratio), **share}


def validate(model: DPSNN, mixtures: Mixer) -> dict[str, float]:
    """Means over the validation mixtures; ``before`` is the noisy sound's SI-SNR."""
    found: list[dict[str, float]] = []
    with torch.no_grad():
        for number in range(VALIDATED):
            noisy, clean = map(torch.from_numpy, mixtures.batch(number, BATCH, SECONDS))
            _, told = loss_of(model, noisy, clean, 0.0)
            found.append({**told, "before": float(si_snr(noisy, clean).mean())})
    return {key: sum(f[key] for f in found) / len(found) for key in found[0]}


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    os.replace(beside, path)


def load(path: Path) -> tuple[DPSNN, dict[str, Any]]:
    """Build the network of a checkpoint; nothing in the file is executed."""
    try:
        state = torch.load(path, weights_only=True)
    except OSError:
        raise
    except Exception as error:  # other files break torch's reader in many ways
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FormatError(f"{path}: no checkpoint of train.py ({reason})") from error
    missing = HELD.difference(state if isinstance(state, dict) else ())
    if missing:
        raise FormatError(f"{path}: no checkpoint of train.py (no {min(missing)!r} in it)")
    model = DPSNN(Shape(**state["shape"]))
    model.load_state_dict(state["model"])
    return model, state


def train(
    model: DPSNN,
    mixtures: Mixer,
    held_out: Mixer,
    path: Path,
    steps: int,
    sparing: float = 0.0,
    minutes: float = math.inf,
    state: dict[str, Any] | None = None,
    rate: float = RATE_OF_LEARNING,
    until: int | None = None,
) -> dict[str, Any]:
    """Go on from `state`, or from the start, until `steps`; the rate falls as a half cosine.

    Stops before, at step `until` or after so many minutes, if asked to.
    """
    last = steps if until is None else min(until, steps)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    state = state or {"step": 0, "seconds": 0.0, "processor_seconds": 0.0, "history": []}
    if "optimizer" in state:
        optimizer.load_state_dict(state["optimizer"])
    began, spent = time.monotonic(), state["seconds"]
    busy, worked = time.process_time(), state["processor_seconds"]

    def keep(step: int) -> None:
        nonlocal state
        found = validate(model, held_out)
        history = [*state["history"], {"step": step, **found}]
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "shape": model.settings(),
            "step": step,
            "of": steps,
            "sparing": sparing,
            "seconds": spent + time.monotonic() - began,
            "processor_seconds": worked + time.process_time() - busy,
            "history": history,
        }
        save(path, state)

    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with (
        Progress(*columns) as bar,
        contextlib.closing(ahead(mixtures, state["step"], BATCH, SECONDS)) as batches,
    ):
        task = bar.add_task("", total=steps, completed=state["step"])
        step, updating = state["step"], False
        try:
            while step < last and time.monotonic() - began < 60 * minutes:
                for group in optimizer.param_groups:
                    group["lr"] = rate * (0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2)
                noisy, clean = map(torch.from_numpy, next(batches))
                price = sparing * min(1.0, 2 * step / steps)  # silence at once teaches nothing
                loss, told = loss_of(model, noisy, clean, price)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                updating = True  # half a step is none
                optimizer.step()
                step, updating = step + 1, False
                if step % BETWEEN == 0 or step == last:
                    keep(step)
                    seen = state["history"][-1]
                    bar.console.print(
                        f"step {step}: held out {seen['before']:.2f} -> {seen['si_snr']:.2f} dB"
                    )
                share = " ".join(f"{told[k]:.2f}" for k in told if k != "si_snr")
                bar.update(task, completed=step, description=f"{told['si_snr']:6.2f} dB  {share}")
            if state["step"] != step:
                keep(step)
        except KeyboardInterrupt:
            if state["step"] != step and not updating:
                keep(step)
            bar.console.print(f"interrupted after step {state['step']}; the same command goes on")
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, help="folder of the data")
    parser.add_argument(
        "--data", choices=("spoken_digits", "vctk", "ndns"), default="spoken_digits"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("dpsnn.pt"))
    parser.add_argument("--small", action="store_true", help="128 neurons a layer, not 256")
    parser.add_argument("--steps", type=int, default=1000, help=f"of {BATCH} mixtures of a second")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--until", type=int, help="stop at this step, to go on later")
    parser.add_argument("--sparing", type=float, default=1.0, help="price of activity, see README")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    torch.set_num_threads(1)  # small tensors: a second thread makes it slower
    state, shape = None, SMALL if given.small else FULL
    if given.out.exists():
        model, state = load(given.out)
        asked = {"shape": vars(shape), "of": given.steps, "sparing": given.sparing}
        for name, value in asked.items():
            if state[name] != value:
                parser.error(
                    f"{given.out}: was begun with {name} {state[name]}, not {value}; ask for the "
                    f"same, or for another file"
                )
        print(f"{given.out}: going on from step {state['step']}")
    else:
        model = DPSNN(shape)

    def data(part: str) -> Mixer:
        if given.data == "spoken_digits":
            return Mixtures(given.recordings, part)
        return Recorded(given.recordings, given.data, part)

    mixtures, held_out = data("train"), data("validation")
    state = train(
        model,
        mixtures,
        held_out,
        given.out,
        given.steps,
        given.sparing,
        given.minutes,
        state,
        until=given.until,
    )
    last = state["history"][-1] if state["history"] else {}
    print(f"{given.out}: step {state['step']}, {state['seconds'] / 60:.1f} minutes, {last}")


if __name__ == "__main__":
    with one_line_errors():
        main()
