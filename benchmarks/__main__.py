"""``python -m benchmarks``: measure every line and print the table."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main() -> int:
    """Pin threads, then measure."""
    arguments = _arguments()
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    threads = arguments.threads or len(available)
    _pin(threads, available)

    # Only now: NumPy and torch read the numbers of threads when they are imported.
    from rich.console import Console

    from neurodeploy.errors import how_to_add

    from .lines import LINES
    from .measure import Row, Settings, missing
    from .plots import GROWTH, draw_growth
    from .report import as_markdown, machine_facts, print_table, write_json, write_readme

    only = arguments.only or (["old"] if arguments.old else [])
    every = not only or "all" in only
    names = [n for n in LINES if every or any(n.startswith(o) for o in only)]
    if not names:
        print(f"--only {' '.join(only)}: there are {', '.join(LINES)}", file=sys.stderr)
        return 2
    repeats = arguments.repeats or (3 if arguments.quick else 7)
    settings = Settings(repeats, arguments.quick, threads, arguments.old)
    console, progress = Console(), Console(stderr=True)
    console.width = max(console.width, 170)
    rows: list[Row] = []
    for name in names:
        with progress.status(name):
            try:
                rows += LINES[name](settings)
            except Exception as error:  # one line must not take the others with it
                if arguments.debug:
                    raise
                rows.append(missing(name, name, "", f"{type(error).__name__}: {error}"))
        # After every line: a long run that is broken off leaves what it has.
        facts = machine_facts(settings, rows)
        if arguments.json:
            write_json(arguments.json, rows, facts)
        if arguments.markdown:
            arguments.markdown.write_text(as_markdown(rows, facts))
        if arguments.readme:
            write_readme(rows, facts)
    print_table(rows, facts, console)
    curves = [row for row in rows if "microseconds" in row.extra]
    if len(curves) == sum(name.startswith("growth") for name in LINES):
        try:
            draw_growth(curves, facts)
            console.print(f"curves: {GROWTH}", highlight=False)
        except ImportError:
            console.print(f"no curves drawn: {how_to_add('plots')}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="lines, or beginnings of names, or all"
    )
    parser.add_argument("--repeats", type=int, help="7, or 3 with --quick")
    parser.add_argument("--threads", type=int, help="on both sides; all cores by default")
    parser.add_argument(
        "--old", type=Path, metavar="WORKTREE", help="checkout of an older commit to measure beside"
    )
    parser.add_argument("--quick", action="store_true", help="less work where a line takes long")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--readme", action="store_true", help="put the table into the README")
    parser.add_argument("--debug", action="store_true", help="stop at the first error")
    return parser.parse_args()


def _pin(threads: int, available: list[int]) -> None:
    """Give this process and all it starts so many cores and so many threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, available[-threads:])
    for variable in (
        "NEURODEPLOY_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
    ):
        os.environ[variable] = str(threads)
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=" + str(threads > 1).lower()
    os.environ["JAX_PLATFORMS"] = "cpu"


if __name__ == "__main__":
    sys.exit(main())
