"""Runs damaged files in children that are watched: ``python -m sim_tests.fuzz --files 20000``."""

from __future__ import annotations

import argparse
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

SECONDS = 10.0
"""Of the processor's time, in which a file must be read or refused."""

PATIENCE = 60.0
"""Seconds without a word after which a child hangs; the machine may be busy."""

MEMORY = 1 << 30
"""Bytes that a child may take beyond what it took for the sound files."""


def watch(files: int, first: int, seed: int, kinds: list[str], folder: Path) -> Counter[str]:
    """Read damaged files in a child, and in another one after what ended it; count outcomes."""
    counts: Counter[str] = Counter()
    at = first
    while at < files:
        command = [sys.executable, "-m", "sim_tests.fuzz", "--child", "--files", str(files)]
        command += ["--first", str(at), "--seed", str(seed), "--folder", str(folder)]
        child = subprocess.Popen([*command, *kinds], stdout=subprocess.PIPE, bufsize=0)
        assert child.stdout is not None
        patience, current = 5 * PATIENCE, f"{at}: sound files"
        while True:
            ready = select.select([child.stdout], [], [], patience)[0]
            line = (
                child.stdout.readline().decode() if ready else ""
            )  # unbuffered, so that select knows
            if not line:
                break
            patience = PATIENCE
            outcome, _, told = line.rstrip("\n").partition("\t")
            if outcome == "begin":
                current = told
                continue
            counts[outcome] += 1
            at += 1
            if outcome not in ("read", "refused"):
                print(f"{outcome}\t{told}", flush=True)
        if at >= files:
            child.wait()
            break
        how = "hang" if child.poll() is None else f"crash {child.wait()}"
        child.kill()
        child.wait()
        counts[how.split()[0]] += 1
        print(f"{how}\t{current}", flush=True)
        at += 1
    return counts


def read_damaged(files: int, first: int, seed: int, kinds: list[str], folder: Path) -> None:
    """In a child: damage and read one file after the other, and tell of each."""
    from neurodeploy.errors import NeurodeployError

    from .damage import damage
    from .sound_files import write_sound_files

    warnings.simplefilter("ignore")
    here = Path(tempfile.mkdtemp(dir=folder))
    known = write_sound_files(here / "sound")
    for path, read in known.values():
        read(path)
    names = kinds or sorted(known)
    used = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    for number in range(first, files):
        sound, read = known[names[number % len(names)]]
        target = here / f"{number}{sound.suffix}"
        done = damage(sound, target, np.random.default_rng([seed, number]))
        what = f"{number} {names[number % len(names)]}: {done}"
        print(f"begin\t{what}", flush=True)
        started = time.process_time()
        try:
            read(target)
            outcome = "read"
        except NeurodeployError as error:
            outcome = "refused"
            if "\n" in str(error) or not str(error).isprintable():
                outcome, what = "unfit", f"{what}: {error!r}"
        except BaseException as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            own = [
                f for f in traceback.extract_tb(error.__traceback__) if "neurodeploy/" in f.filename
            ]
            place = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in own[:-4:-1])
            outcome = "foreign"
            what = f"{what}: {type(error).__name__}: {str(error)[:90]!r} at {place} ({last.name})"
        if outcome in ("read", "refused") and time.process_time() - started > SECONDS:
            outcome = "slow"
        grown = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * 1024 - used
        if grown > MEMORY:
            outcome, used = "large", used + grown
        print(f"{outcome}\t{what}", flush=True)
        shutil.rmtree(target) if target.is_dir() else target.unlink()


def main() -> int:
    """Run, print counts, and give 1 if any file was neither read nor refused."""
    parser = argparse.ArgumentParser(prog="python -m sim_tests.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=20_000, help="number behind the last file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--folder", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("kinds", nargs="*", help="kinds of files; by default all")
    given = parser.parse_args()
    if given.child:
        read_damaged(given.files, given.first, given.seed, given.kinds, given.folder)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        counts = watch(given.files, given.first, given.seed, given.kinds, Path(folder))
    print(", ".join(f"{count:,} {outcome}" for outcome, count in counts.most_common()))
    return int(set(counts) > {"read", "refused"})


if __name__ == "__main__":
    sys.exit(main())
