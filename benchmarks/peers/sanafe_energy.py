"""Run two dense layers in SANA-FE and print its energy by unit as JSON; stands in its environment.

``python sanafe_energy.py case.json``, with lists `spikes` [steps, inputs] of 0 and 1, `hidden`
[hidden, inputs] and `output` [outputs, hidden], and `threshold`. Neurons keep nothing from
step to step and reset to 0, as CUBA neurons whose two decays are 4096 do.
"""

from __future__ import annotations

import json
import sys

from sanafe_peer import build, simulate


def main() -> None:
    """Print energies in joules, counts and seconds."""
    with open(sys.argv[1], encoding="utf-8") as file:
        case = json.load(file)
    weights, thresholds = [case["hidden"], case["output"]], 2 * [case["threshold"]]
    arch, net = build(case["spikes"], weights, thresholds, keep=0.0)
    found, seconds = simulate(arch, net, len(case["spikes"]), perf_trace=True)
    totals = {name: float(sum(values)) for name, values in found["perf_trace"].items()}
    kept = {name: found[name] for name in ("energy", "spikes", "sim_time")}
    print(json.dumps({**kept, "trace": totals, "seconds": seconds}))


if __name__ == "__main__":
    main()
