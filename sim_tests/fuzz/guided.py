"""Coverage-guided fuzzing (atheris, libFuzzer) of what reads in Python: archives, chips, jobs.

``python -m sim_tests.fuzz.guided npz -max_total_time=600`` mutates a sound file by what each
mutation reaches in our readers. Ends at the first exception that is none of ours; what raised it
is in the file ``crash-...`` that libFuzzer leaves in the working folder. Needs atheris, which is
no dependency: ``pip install atheris``.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

KINDS = ("npz", "npy", "chip")


def main() -> None:
    """Fuzz one kind of file with the options of libFuzzer."""
    import atheris

    kind = sys.argv[1]
    if kind not in KINDS:
        raise SystemExit(f"{kind}: no such kind; choose one of {', '.join(KINDS)}")
    with atheris.instrument_imports(include=["neurodeploy", "zipfile", "tomli"]):
        from neurodeploy.errors import NeurodeployError

        from .sound_files import write_sound_files

    folder = Path(tempfile.mkdtemp())
    sound, read = write_sound_files(folder / "sound")[kind]
    target = folder / f"damaged{sound.suffix}"
    corpus = folder / "corpus"
    corpus.mkdir()
    (corpus / "sound").write_bytes(sound.read_bytes())

    def one(data: bytes) -> None:
        target.write_bytes(data)
        with suppress(NeurodeployError):
            read(target)

    atheris.Setup([sys.argv[0], *sys.argv[2:], "-rss_limit_mb=4096", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
