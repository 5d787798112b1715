"""Size and instructions of emitted C: ``python -m benchmarks.emitted_c [CASES]``.

Prints the table of docs/emit_c.md. CASES is the folder of published networks; rows whose network
is not there are left out, and so are figures whose tool is not installed: valgrind,
arm-none-eabi-gcc.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import neurodeploy as nd
from neurodeploy.inputs import read_inputs
from neurodeploy.network import Network
from neurodeploy.numbers import NOTHING, count

ROOT = Path(__file__).parents[1]
EXPORTS = ROOT / "netx_exports"
HEAD = (
    "network", "neurons", "constants, bytes", "state, bytes", "code, x86-64 -O2",
    "code, Cortex-M4 -Os", "messages a step", "instructions a step",
)  # fmt: skip


def main() -> int:
    """Print the table."""
    cases = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for name, path, inputs in networks(cases):
        with tempfile.TemporaryDirectory() as folder:
            figures = row(nd.load(path), inputs, Path(folder))
        print(f"| {name} | {' | '.join(figures)} |", flush=True)
    return 0


def networks(cases: Path | None):
    """Name, file and inputs of each row."""
    yield "digits", EXPORTS / "digits.net", read_inputs(EXPORTS / "digits_test.npz")[0][:2]
    truth = Path(np.__file__).parents[1] / "tests/lava/lib/dl/netx"
    if cases is not None and (truth / "mnist.net").is_file():
        yield "MNIST", truth / "mnist.net", pictures(cases / "systems/mnist")
    if cases is not None:
        drift = np.random.default_rng(0).integers(-4, 5, (1, 90, 257))
        yield "N-DNS", cases / "ndns/network.net", np.abs(np.cumsum(drift, axis=1))
    if (pilotnet := truth / "gts/pilotnet_sdnn").is_dir():
        frame = np.load(pilotnet / "input.npy").T
        yield "PilotNet SDNN", pilotnet / "network.net", np.repeat(frame, 20, axis=0)


def pictures(folder: Path):
    """The first two test images of MNIST, held for 20 steps, in 0..1."""
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        file.seek(16)  # magic, images, rows, columns
        images = np.frombuffer(file.read(2 * 784), np.uint8).reshape(2, 1, 784)
    return np.repeat(images / 255, 20, axis=1)


def row(network: Network, inputs, folder: Path) -> list[str]:
    """Figures of one network."""
    made = nd.emit_c(network, folder, inputs, name="net")
    run("make", "-C", folder, "net.o", "net_test")
    steps = made.samples * made.steps
    return [
        count(sum(population.size for population in network)),
        count(made.constant_bytes),
        count(made.state_bytes),
        code("size", folder / "net.o"),
        on_arm(folder),
        count(round(sum(made.messages.values()) / steps)),
        instructions(folder, steps),
    ]


def run(*command) -> str:
    """What a program prints."""
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def code(size: str, file: Path) -> str:
    """Bytes of code alone."""
    sections = re.findall(r"^(\.[\w.]+)\s+(\d+)", run(size, "-A", file), re.MULTILINE)
    assert not any(int(n) for name, n in sections if name in (".data", ".bss"))
    return count(sum(int(n) for name, n in sections if name.startswith(".text")))


def on_arm(folder: Path) -> str:
    """The same of a small processor."""
    if shutil.which("arm-none-eabi-gcc") is None:
        return NOTHING
    how = ["-mcpu=cortex-m4", "-mthumb", "-Os", "-std=c99", "-ffreestanding"]
    run("arm-none-eabi-gcc", *how, "-c", "-o", folder / "arm.o", folder / "net.c")
    return code("arm-none-eabi-size", folder / "arm.o")


def instructions(folder: Path, steps: int) -> str:
    """Of a mean step of the test vectors, as callgrind counts them."""
    if shutil.which("valgrind") is None:
        return NOTHING
    out = folder / "callgrind.out"
    run(
        "valgrind", "--tool=callgrind", "--toggle-collect=net_step", f"--callgrind-out-file={out}",
        folder / "net_test",
    )  # fmt: skip
    total = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
    assert total is not None
    return count(round(int(total[1]) / steps))


if __name__ == "__main__":
    sys.exit(main())
