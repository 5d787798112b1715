"""Compiles the core: ``python -m neurodeploy.core.build``, and the hook of ``pip install``.

``python -m neurodeploy.core.build`` compiles the best instruction set that this machine has,
``... build all`` all of its kind of machine, as a wheel holds them; ``... build x86_64_v2`` those
that are named. ``... build Darwin-aarch64`` compiles all for another machine, with Zig,
``... build Windows-x86_64 x86_64_v3`` one for it.

With ``$CXX``, else the machine's C++ compiler, else Zig's, which comes from PyPI (`ziglang`). Needs
no header beyond the compiler's own and no CMake. Nothing of neurodeploy is imported here, so that
a build in isolation can load this file alone; and what only compiling needs is imported there,
because every process asks here for the library's name.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent
BUILT = SOURCES / "_built"
"""Where libraries lie; `library_path` names them by their sources."""

# No optimisation may change a number: signed overflow wraps, and no multiplication is fused with
# an addition, which would round floats differently on each instruction set.
FLAGS = ("-std=c++20", "-O3", "-fwrapv", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden")
QUIET = ("-Wno-psabi",)  # vectors are passed between functions of one unit only

UNITS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {
        "x86_64_v2": ("-march=x86-64-v2",),
        "x86_64_v3": ("-march=x86-64-v3",),
        "x86_64_v4": ("-march=x86-64-v4", "-mprefer-vector-width=512"),
    },
    "aarch64": {"neon": ("-march=armv8-a",)},
}
"""Instruction sets of each machine, lowest first, with the flags of their unit."""

ONCE = ("api", "counting", "cpu", "level", "floating_api", "rounding", "sound")
EACH = ("run", "neurons", "floating")
"""Files that are compiled once, and those for each instruction set; what takes longest first."""

ZIG_TARGETS = {
    "Linux": "{machine}-linux-gnu.2.17",
    "Darwin": "{machine}-macos",
    "Windows": "{machine}-windows-gnu",
}
SUFFIXES = {"Linux": ".so", "Darwin": ".dylib", "Windows": ".dll"}
WHEEL_TAGS = {
    "Linux": "manylinux_2_17_{machine}",
    "Darwin": "macosx_13_0_{machine}",
    "Windows": "win_{machine}",
}


class NoCompiler(RuntimeError):
    """No C++ compiler was found, or it failed."""


@dataclass(frozen=True)
class Machine:
    """What is compiled for."""

    system: str
    name: str

    @classmethod
    def here(cls) -> Machine:
        """Give the machine that this runs on."""
        machine = platform.machine().lower()
        names = {"amd64": "x86_64", "arm64": "aarch64"}
        return cls(platform.system(), names.get(machine, machine))

    @property
    def suffix(self) -> str:
        """Suffix of a shared library."""
        return SUFFIXES.get(self.system, ".so")

    @property
    def wheel_tag(self) -> str:
        """Platform in a wheel's name, for what Zig compiles."""
        machine = self.name
        if (self.system, machine) in {("Darwin", "aarch64"), ("Windows", "aarch64")}:
            machine = "arm64"
        elif self.system == "Windows" and machine == "x86_64":
            machine = "amd64"
        return WHEEL_TAGS[self.system].format(machine=machine)


def source_files() -> list[Path]:
    """All files that the library is made of, this one too: it holds the flags."""
    return [*sorted(SOURCES.rglob("*.[ch]pp")), Path(__file__)]


def source_hash() -> str:
    """Name of the sources' state, so that a library of other sources is never loaded."""
    digest = hashlib.sha256()
    for path in source_files():
        digest.update(path.relative_to(SOURCES).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def library_name(
    machine: Machine | None = None, levels: tuple[str, ...] = (), sources: str = ""
) -> str:
    """File name of the library with some instruction sets, or all; of these sources or others."""
    machine = machine or Machine.here()
    what = "+".join(levels) or machine.name
    return f"core-{machine.system}-{what}-{sources or source_hash()}{machine.suffix}"


def find_compiler(machine: Machine) -> tuple[list[str], bool]:
    """Command of a C++ compiler, and whether it is Zig's.

    Raises
    ------
    NoCompiler
        If there is none; it says what to install.
    """
    import shlex
    import shutil
    from importlib.util import find_spec

    here = Machine.here()
    if machine == here:
        given = os.environ.get("CXX")
        found = given or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
        if found:
            return shlex.split(found) if given else [found], False
    if find_spec("ziglang") is None:
        raise NoCompiler("no C++ compiler found; install g++ or clang, or: pip install ziglang")
    target = ZIG_TARGETS[machine.system].format(machine=machine.name)
    zig = [sys.executable, "-m", "ziglang", "c++", "-target", target]
    # In debug builds Zig traps what is undefined; with -fwrapv overflow is not.
    return [*zig, "-fno-sanitize=undefined"], True


def compile_core(
    out: Path,
    machine: Machine | None = None,
    flags: tuple[str, ...] = (),
    units: dict[str, tuple[str, ...]] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Compile the shared library.

    Parameters
    ----------
    out : Path
        File to write; it appears when it is whole.
    machine : Machine, optional
    flags : tuple of str
        Further flags, of a sanitizer for example.
    units : dict of str to tuple of str, optional
        Other flags than `UNITS`' for each instruction set.
    tell : callable
        Called with what is happening.

    Raises
    ------
    NoCompiler
        If there is no compiler, or it fails; with its last lines.
    """
    from tempfile import TemporaryDirectory

    machine = machine or Machine.here()
    compiler, _ = find_compiler(machine)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent) as folder:
        objects = compile_objects(Path(folder), machine, flags, units, tell)
        whole = os.path.join(folder, out.name)
        strip = [] if flags else ["-s"]
        threads = [] if machine.system == "Windows" else ["-pthread"]
        _run([*compiler, "-shared", *flags, *strip, *threads, *objects, "-o", whole])
        os.replace(whole, out)
    return out


def compile_objects(
    folder: Path,
    machine: Machine,
    flags: tuple[str, ...] = (),
    units: dict[str, tuple[str, ...]] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Compile each file for itself, see `compile_core`; gives the objects in the linker's order."""
    from concurrent.futures import ThreadPoolExecutor

    compiler, zig = find_compiler(machine)
    units = units or units_of(machine)
    tell(f"compiling the core with {' '.join(compiler[:4])} for {', '.join(units)}")
    named = "-DND_UNITS=" + "".join(f"X({name})" for name in units)
    # The lowest first: of a function that several units hold, a linker keeps the first.
    jobs = [(source, source, [named] if source == "level" else []) for source in ONCE]
    for name, own in units.items():
        jobs += [(source, f"{source}-{name}", [f"-DND_ISA={name}", *own]) for source in EACH]

    def compile_unit(job: tuple[str, str, list[str]]) -> str:
        source, name, own = job
        target = str(folder / f"{name}.o")
        if zig:  # it spells the names of processors differently
            own = [flag.replace("-march=x86-64-v", "-mcpu=x86_64_v") for flag in own]
            own = [flag for flag in own if flag != "-march=armv8-a"]
        command = [*compiler, *FLAGS, *QUIET, *flags, *own]
        _run([*command, "-c", str(SOURCES / f"{source}.cpp"), "-o", target])
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        longest_first = sorted(jobs, key=lambda job: (*EACH, *ONCE).index(job[0]))
        running = {job[1]: pool.submit(compile_unit, job) for job in longest_first}
        return [running[name].result() for _, name, _ in jobs]


def units_of(machine: Machine) -> dict[str, tuple[str, ...]]:
    """`UNITS` of a machine.

    Raises
    ------
    NoCompiler
        If the core knows no such machine.
    """
    if machine.name not in UNITS:
        raise NoCompiler(f"the core knows {' and '.join(UNITS)}, not {machine.name}")
    return UNITS[machine.name]


def levels_here() -> tuple[str, ...]:
    """Instruction sets that this machine has, lowest first: by a small program, compiled for it."""
    from tempfile import TemporaryDirectory

    compiler, _ = find_compiler(Machine.here())
    with TemporaryDirectory() as folder:
        program = os.path.join(folder, "levels.exe")
        _run([*compiler, *FLAGS, "-DND_PROGRAM", str(SOURCES / "cpu.cpp"), "-o", program])
        return tuple(filter(None, _run([program]).strip().split(",")))


def _run(command: list[str]) -> str:
    import shlex
    import subprocess

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()[-20:]
        raise NoCompiler("\n".join([f"{shlex.join(command)} failed:", *lines]))
    return done.stdout


def build_in_place(
    tell: Callable[[str], None] = lambda line: None, levels: tuple[str, ...] | None = None
) -> Path:
    """Compile these sources beside themselves, unless that was done; libraries of others go.

    Parameters
    ----------
    tell : callable
        Called with what is happening.
    levels : tuple of str, optional
        Instruction sets to compile; none for all. By default the best that this machine has.

    Raises
    ------
    NoCompiler
        If there is no compiler, or it fails, or there is no such instruction set.
    """
    machine = Machine.here()
    units = units_of(machine)
    if levels is None:
        levels = levels_here()[-1:]
    for level in levels:
        if level not in units:
            raise NoCompiler(
                f"{level!r}: the instruction sets of {machine.name} are {', '.join(units)}"
            )
    out = BUILT / library_name(machine, levels)
    if not out.exists():
        compile_core(out, units={name: units[name] for name in levels or units}, tell=tell)
        for old in BUILT.glob(f"core-{machine.system}-{machine.name}*"):
            if source_hash() not in old.name:
                old.unlink(missing_ok=True)
    return out


def main(arguments: list[str]) -> Path:
    """Compile for this machine, or for the one named ``SYSTEM-MACHINE``; see the module."""
    other = bool(arguments) and "-" in arguments[0]
    levels = tuple(name for name in arguments[other:] if name != "all")
    if not other:
        return build_in_place(tell=print, levels=levels if arguments else None)
    system, _, name = arguments[0].partition("-")
    if system not in SUFFIXES or name not in UNITS or not set(levels) <= set(UNITS[name]):
        known = ", ".join(f"{s}-{n}" for s in SUFFIXES for n in UNITS)
        raise NoCompiler(
            f"{' '.join(arguments)!r}: name one of {known}, and its instruction sets or none"
        )
    machine, units = Machine(system, name), UNITS[name]
    out = BUILT / library_name(machine, levels)
    return compile_core(out, machine, units={n: units[n] for n in levels or units}, tell=print)


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except NoCompiler as error:
        print(error, file=sys.stderr)
        sys.exit(2)
