"""Noisy speech with the clean speech in it: noisy VCTK and the N-DNS challenge's data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ...errors import InputError
from ..files import AudioReader, Samples
from .folders import check_split, named, refusal

_VCTK_SETS = {"train": "trainset_28spk", "train-56": "trainset_56spk", "test": "testset"}
_NDNS_SETS = {"train": "training_set", "validation": "validation_set", "test": "test_set_1"}
_NDNS_NAMES = {"noisy": "SOURCES_snrS_tlL", "clean": "clean", "noise": "noise"}

_Found: TypeAlias = dict[int, tuple[Path, re.Match[str]]]


@dataclass(frozen=True)
class Pair:
    """Noisy speech and the clean speech that is in it.

    Attributes
    ----------
    noisy, clean : Path
    index : int
        Number of the utterance (VCTK) or of the file (N-DNS).
    noise : Path or None
        The noise alone (N-DNS, where there is a folder of it).
    speaker : str or None
    source : str or None
        Name of the noise (VCTK, by its log), names of speech and noise (N-DNS).
    snr_db : float or None
    level_db : float or None
        RMS of the noisy sound, dB of full scale, as its name says (N-DNS).
    """

    noisy: Path
    clean: Path
    index: int
    noise: Path | None = None
    speaker: str | None = None
    source: str | None = None
    snr_db: float | None = None
    level_db: float | None = None

    def read(self, rate: int) -> tuple[Samples, Samples]:
        """Read both at one rate.

        Returns
        -------
        noisy, clean : float32 [samples]

        Raises
        ------
        InputError
            As `audio.AudioReader`; also where the files differ in length or in rate.
        """
        with AudioReader(self.noisy, rate) as noisy, AudioReader(self.clean, rate) as clean:
            ours, theirs = (f"{f.frames} samples at {f.source_rate} Hz" for f in (noisy, clean))
            if ours != theirs:
                raise InputError(
                    f"{self.noisy}: {ours}, its clean speech {self.clean}: {theirs}; cut both to "
                    f"one length, or get the two files anew"
                )
            return noisy.read(), clean.read()


def vctk(folder: str | os.PathLike[str], split: str = "train") -> tuple[Pair, ...]:
    """List the noisy VCTK of Valentini-Botinhao (Voice Bank + DEMAND), sorted by name.

    Parameters
    ----------
    folder : path
        Folders ``noisy_SET_wav`` and ``clean_SET_wav`` with the same
        ``SPEAKER_UTTERANCE.wav``, 48 kHz; SET is ``trainset_28spk``,
        ``trainset_56spk`` or ``testset``. ``log_SET.txt``, here or in
        ``logfiles``, tells noise and SNR where it is there.
    split : str
        ``train`` (28 speakers), ``train-56`` or ``test``.

    Raises
    ------
    InputError
        If files are missing, unpaired or named otherwise, or the split is unknown.
    """
    dataset, root, form = "vctk", Path(folder), r"([a-z]\d+)_(\d+)\.wav"
    check_split(dataset, split, _VCTK_SETS)
    chosen = _VCTK_SETS[split]
    noisy, clean = (
        {
            path.name: (path, match)
            for path, match in named(dataset, root / sub, form, "p226_001.wav")
        }
        for sub in (f"noisy_{chosen}_wav", f"clean_{chosen}_wav")
    )
    _check_paired(dataset, root, noisy, clean, "clean")
    told = _vctk_log(root, f"log_{chosen}.txt")
    pairs = []
    for name, (path, match) in noisy.items():
        source, snr = told.get(path.stem, (None, None))
        pairs.append(Pair(path, clean[name][0], int(match[2]), None, match[1], source, snr_db=snr))
    return tuple(pairs)


def ndns(folder: str | os.PathLike[str], split: str | None = "train") -> tuple[Pair, ...]:
    """List what the synthesizer of Intel's N-DNS challenge made, sorted by file number.

    Parameters
    ----------
    folder : path
        Holds ``training_set``, ``validation_set`` or ``test_set_1``, each
        with ``noisy/SOURCES_snrS_tlL_fileid_N.wav``,
        ``clean/clean_fileid_N.wav`` and, where there is such a folder,
        ``noise/noise_fileid_N.wav``; 16 kHz, 30 s.
    split : str or None
        ``train``, ``validation`` or ``test``; None where `folder` itself holds
        ``noisy`` and ``clean``, as in the DNS challenges.

    Raises
    ------
    InputError
        If files are missing, unpaired or named otherwise, or the split is unknown.

    Notes
    -----
    Names as ``noisyspeech_synthesizer.py`` of IntelNeuromorphicDNSChallenge
    writes them, joined by number as its ``audio_dataloader.py`` joins them. That
    lists them as the file system does, in no order, and cuts or pads all to 30 s.
    """
    root = Path(folder)
    if split is not None:
        check_split("ndns", split, _NDNS_SETS)
        root /= _NDNS_SETS[split]
    noisy = _numbered(root / "noisy", r"(?P<source>.*)_snr(?P<snr>-?\d+)_tl(?P<level>-?\d+)")
    clean = _numbered(root / "clean", "clean")
    noise: _Found = {}
    _check_paired("ndns", root, noisy, clean, "clean")
    if (root / "noise").is_dir():
        noise = _numbered(root / "noise", "noise")
        _check_paired("ndns", root, noisy, noise, "noise")
    pairs = []
    for index, (path, match) in sorted(noisy.items()):
        alone = noise[index][0] if noise else None
        levels = (float(match["snr"]), float(match["level"]))
        pairs.append(Pair(path, clean[index][0], index, alone, None, match["source"], *levels))
    return tuple(pairs)


def _numbered(folder: Path, start: str) -> _Found:
    """N-DNS files by their number; a number that came twice is of two runs of the synthesizer."""
    found: _Found = {}
    expected = f"{_NDNS_NAMES[folder.name]}_fileid_N.wav, as the challenge's synthesizer names them"
    for path, match in named("ndns", folder, rf"{start}_fileid_(?P<index>\d+)\.wav", expected):
        index = int(match["index"])
        if index in found:
            raise refusal("ndns", folder, f"two files of number {index}", "one run's files alone")
        found[index] = path, match
    return found


def _check_paired(
    dataset: str, root: Path, noisy: Iterable[Any], others: Iterable[Any], what: str
) -> None:
    if alone := sorted(set(noisy) ^ set(others)):
        some = ", ".join(str(name) for name in alone[:3])
        raise refusal(
            dataset,
            root,
            f"{len(alone)} without a pair ({some})",
            f"a {what} file of the same name or number for each noisy one",
        )


def _vctk_log(root: Path, name: str) -> dict[str, tuple[str, float]]:
    """Noise and SNR in dB by utterance, from lines such as ``p232_001 bus 17.5``."""
    told = {}
    for path in (root / name, root / "logfiles" / name):
        if not path.is_file():
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if not line.strip():
                continue
            try:
                utterance, source, snr = line.split()
                told[utterance] = source, float(snr)
            except ValueError:
                raise refusal("vctk", path, f"line {line!r}", "UTTERANCE NOISE SNR") from None
    return told
