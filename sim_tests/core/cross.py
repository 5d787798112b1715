"""Compile the core for machines that we do not have, with Zig: ``python -m sim_tests.core.cross``.

One instruction set each, barely optimised, to be done in minutes: it shows that the sources compile
and link there and that ctypes would find the interface. Nothing of it is run. Needs `ziglang`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from neurodeploy.core.build import UNITS, Machine, NoCompiler, compile_core
from neurodeploy.core.library import _FUNCTIONS

MACHINES = {
    # What a library of the system begins with.
    Machine("Linux", "aarch64"): b"\x7fELF",
    Machine("Darwin", "aarch64"): b"\xcf\xfa\xed\xfe",
    Machine("Darwin", "x86_64"): b"\xcf\xfa\xed\xfe",
    Machine("Windows", "x86_64"): b"MZ",
}


def main(names: list[str]) -> int:
    failed = 0
    for machine, magic in MACHINES.items():
        name = f"{machine.system}-{machine.name}"
        if names and name not in names:
            continue
        level, flags = list(UNITS[machine.name].items())[-1 if machine.name == "aarch64" else 1]
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, f"core{machine.suffix}")
            try:
                compile_core(out, machine, ("-O1", "-s"), {level: flags})
            except NoCompiler as error:
                print(f"{name}: {error}")
                failed = 1
                continue
            content = out.read_bytes()
        missing = [f for f in _FUNCTIONS if f"{f}\0".encode() not in content]
        wrong = [] if content.startswith(magic) else ["what such a library begins with"]
        if missing or wrong:
            print(f"{name}: lacks {', '.join(wrong + missing)}")
            failed = 1
            continue
        seconds = time.monotonic() - started
        print(f"{name}: compiled for {level} in {seconds:.0f} s, {len(content):,} bytes; not run")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
