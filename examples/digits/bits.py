"""The demo's digits at 8 to 2 bits, rounded and fine-tuned; see README.md beside this file.

``python examples/digits/bits.py [--no-fine-tune] [--report bits.html]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import neurodeploy as nd
from neurodeploy.demo import digits
from neurodeploy.demo.shipped import float_digits, shipped_digits
from neurodeploy.quantization import sweep
from neurodeploy.reporting.quantization import sweep_table

WIDTHS = (8, 6, 4, 3, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-fine-tune", action="store_true", help="needs no torch")
    parser.add_argument("--report", type=Path, metavar="HTML", help="write a page with the plot")
    given = parser.parse_args()
    tuner = None
    if not given.no_fine_tune:
        from neurodeploy.training import fine_tune as tuner
    shipped, split = shipped_digits(), digits.load_split()
    found = sweep(
        float_digits(shipped.float_weights),
        WIDTHS,
        digits.encode(split.train_images),
        config=nd.QuantConfig(method="mse"),
        tests=shipped.inputs,
        labels=shipped.labels,
        fine_tune=tuner,
        calibration_labels=split.train_labels,
    )
    from rich.console import Console

    Console(width=100).print(sweep_table(found))
    if given.report is not None:
        nd.report(given.report, sweep=found, title="Digits: bits of a weight")


if __name__ == "__main__":
    main()
