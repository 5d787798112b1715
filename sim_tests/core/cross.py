"""Compile the core for machines that we do not have, with Zig: ``python -m sim_tests.core.cross``.

Needs `ziglang`. For one instruction set each, at -O1, which takes about a minute of processor time
a machine: it shows that the sources compile there, and that what ctypes calls is exported. Nothing
of it is run. ``--link`` links, too: Zig then compiles its own C++ library for each machine, one
file after the other, which takes minutes on a quiet machine (it is kept for the next time), and
half an hour on a busy one. Names such as ``Windows-x86_64`` choose machines.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from neurodeploy.core.build import UNITS, Machine, NoCompiler, compile_core, compile_objects
from neurodeploy.core.library import _FUNCTIONS

LEVELS = {"aarch64": "neon", "x86_64": "x86_64_v3"}
MACHINES = {
    # What objects and libraries of the system begin with.
    Machine("Linux", "aarch64"): (b"\x7fELF", b"\x7fELF"),
    Machine("Darwin", "aarch64"): (b"\xcf\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
    Machine("Darwin", "x86_64"): (b"\xcf\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
    Machine("Windows", "x86_64"): (b"\x64\x86", b"MZ"),
}


def main(arguments: list[str]) -> int:
    link = "--link" in arguments
    names = [name for name in arguments if name != "--link"]
    failed = 0
    for machine in MACHINES:
        name = f"{machine.system}-{machine.name}"
        if names and name not in names:
            continue
        started = time.monotonic()
        try:
            size = compiled(machine, link)
        except (NoCompiler, ValueError) as error:
            print(f"{name}: {error}", flush=True)
            failed = 1
            continue
        how = "compiled and linked" if link else "compiled"
        seconds = time.monotonic() - started
        level = LEVELS[machine.name]
        print(f"{name}: {how} for {level} in {seconds:.0f} s, {size:,} bytes; not run", flush=True)
    return failed


def compiled(machine: Machine, link: bool) -> int:
    """Bytes that were made.

    Raises
    ------
    ValueError
        If they are of another machine, or lack a function.
    """
    level = LEVELS[machine.name]
    units = {level: UNITS[machine.name][level]}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if link:
            made = [compile_core(out / f"core{machine.suffix}", machine, ("-O1", "-s"), units)]
        else:
            made = [Path(path) for path in compile_objects(out, machine, ("-O1",), units)]
        contents = [path.read_bytes() for path in made]
    if not all(content.startswith(MACHINES[machine][link]) for content in contents):
        raise ValueError("this is no code of that machine")
    # On Windows an object tells the linker what to export; elsewhere it is what is not hidden.
    said = rb"-export:%s(?!_)" if machine.system == "Windows" and not link else rb"%s\0"
    both = b"".join(contents)
    lacks = [name for name in _FUNCTIONS if not re.search(said % name.encode(), both)]
    if lacks:
        raise ValueError(f"it lacks {', '.join(lacks)}")
    return len(both)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
