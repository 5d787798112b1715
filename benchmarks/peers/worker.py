"""Runs one peer in an interpreter of its own; speaks JSON lines on standard input and output.

``{"do": "prepare", "file": "network.npz", "options": {...}}`` answers ``counts`` (spikes of
every layer), ``note`` and ``version``; ``{"do": "run"}`` answers ``seconds`` per run. The peer
is the file named on the command line; it has ``prepare(arrays, options)`` which returns
``(run, counts, note)``, and ``version()``.
"""

import importlib.util
import json
import os
import sys
import time
import traceback

AT_LEAST_SECONDS = 0.1


def main() -> None:
    """Answer requests until standard input closes."""
    sys.path.pop(0)  # this folder, whose files must not hide the peers' packages
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a peer prints is not an answer
    spec = importlib.util.spec_from_file_location("peer", sys.argv[1])
    run, times = None, 1
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                import numpy as np

                peer = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(peer)
                arrays = {}
                if request["file"]:
                    with np.load(request["file"]) as archive:
                        arrays = {key: archive[key] for key in archive.files}
                run, counts, note = peer.prepare(arrays, request["options"])
                run()
                once = _seconds(run, 1)
                times = max(1, round(AT_LEAST_SECONDS / max(once, 1e-7)))
                answer = {"counts": [int(n) for n in counts], "note": note}
                answer["version"] = peer.version()
            else:
                answer = {"seconds": _seconds(run, times)}
        except BaseException as error:
            traceback.print_exc()
            first = (str(error).strip().splitlines() or [""])[0]
            answer = {"error": f"{type(error).__name__}: {first}"}
        lines.write(json.dumps(answer) + "\n")


def _seconds(run, times: int) -> float:
    """Seconds per run; a peer whose run includes set-up returns the seconds that count."""
    started, counted = time.perf_counter(), 0.0
    for _ in range(times):
        answer = run()
        if isinstance(answer, float):
            counted += answer
    return (counted or time.perf_counter() - started) / times


if __name__ == "__main__":
    main()
