"""Single words with their labels: free-spoken-digit-dataset and Speech Commands."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..files import Samples, read_audio
from .folders import check_split, folders, named, refusal

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""The ten words of Speech Commands that are commands by convention."""

UNKNOWN = "unknown"

_FIRST_TRAINING_INDEX = 5
_LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
_HASHES = 1 << 27


@dataclass(frozen=True)
class Clip:
    """One recording of one word.

    Attributes
    ----------
    path : Path
    label : int or str
        The digit, or the word.
    speaker : str
    index : int
        Which of the speaker's recordings of it.
    """

    path: Path
    label: int | str
    speaker: str
    index: int

    def read(self, rate: int) -> Samples:
        """Read it as float32 [samples] at `rate` Hz; errors as `audio.AudioReader`."""
        return read_audio(self.path, rate)[0]


def spoken_digits(folder: str | os.PathLike[str], split: str = "train") -> tuple[Clip, ...]:
    """List the free-spoken-digit-dataset, sorted by digit, speaker and index.

    Parameters
    ----------
    folder : path
        Its ``recordings``: ``DIGIT_SPEAKER_INDEX.wav``, 8 kHz.
    split : str
        ``test`` (indices 0 to 4) or ``train`` (the others), as its README has it.

    Raises
    ------
    InputError
        If files are missing or named otherwise, or the split is unknown.
    """
    dataset, form = "spoken_digits", r"(\d)_([^_]+)_(\d+)\.wav"
    check_split(dataset, split, ("train", "test"))
    clips = (
        Clip(path, int(match[1]), match[2], int(match[3]))
        for path, match in named(dataset, Path(folder), form, "DIGIT_SPEAKER_INDEX.wav")
    )
    tests = split == "test"
    chosen = [clip for clip in clips if (clip.index < _FIRST_TRAINING_INDEX) == tests]
    return _sorted(dataset, Path(folder), split, chosen)


def speech_commands(
    folder: str | os.PathLike[str],
    split: str = "train",
    words: Collection[str] | None = None,
    unknown: bool = False,
) -> tuple[Clip, ...]:
    """List Speech Commands, version 2, sorted by label, speaker and index.

    Parameters
    ----------
    folder : path
        Folders ``WORD`` of ``SPEAKER_nohash_INDEX.wav``, 16 kHz, beside
        ``validation_list.txt`` and ``testing_list.txt``. ``_background_noise_`` is left out.
    split : str
        ``train``, ``validation`` or ``test``, by the two lists; where neither
        is there, by the rule that made them (`which_set`).
    words : collection of str, optional
        Only these, e.g. `COMMANDS`; by default all.
    unknown : bool
        Give the other words as well, labelled ``unknown``.

    Raises
    ------
    InputError
        If files are missing or named otherwise, or a split or a word is unknown.
    """
    dataset, root, form = "speech_commands", Path(folder), r"(.+?)_nohash_(\d+)\.wav"
    check_split(dataset, split, ("train", *_LISTS))
    there = folders(dataset, root, "a folder for each word")
    wanted = set(there if words is None else words)
    if absent := sorted(wanted.difference(there)):
        raise refusal(dataset, root, f"no word {absent[0]!r}", "a folder for each word")
    used = there if unknown else sorted(wanted)
    listed = _listed(root, used)
    clips = []
    for word in used:
        label = word if word in wanted else UNKNOWN
        for path, match in named(dataset, root / word, form, "SPEAKER_nohash_INDEX.wav"):
            key = f"{word}/{path.name}"
            of = which_set(match[1]) if listed is None else listed.pop(key, "train")
            if of == split:
                clips.append(Clip(path, label, match[1], int(match[2])))
    if listed:
        raise refusal(dataset, root, f"{len(listed)} files of the lists missing", min(listed))
    return _sorted(dataset, root, split, clips)


def which_set(speaker: str) -> str:
    """Say which split of Speech Commands a speaker is in: a tenth each is in validation and test.

    ``which_set`` of the data set's README.md, with 10 % and 10 %: SHA-1 of the
    file's name before ``_nohash_``, modulo 2^27, in percent of 2^27 - 1.
    """
    hashed = hashlib.sha1(speaker.encode(), usedforsecurity=False).hexdigest()
    percent = int(hashed, 16) % _HASHES * (100.0 / (_HASHES - 1))
    return "validation" if percent < 10 else "test" if percent < 20 else "train"


def _listed(root: Path, words: Collection[str]) -> dict[str, str] | None:
    """Split of each ``WORD/NAME.wav`` of the lists, of these words; None where there is no list."""
    there = {split: root / name for split, name in _LISTS.items() if (root / name).is_file()}
    if not there:
        return None
    if len(there) < len(_LISTS):
        raise refusal("speech_commands", root, "one list alone", f"{' and '.join(_LISTS.values())}")
    return {
        name: split
        for split, path in there.items()
        for name in path.read_text(encoding="utf-8", errors="replace").split()
        if name.partition("/")[0] in words
    }


def _sorted(dataset: str, folder: Path, split: str, clips: list[Clip]) -> tuple[Clip, ...]:
    if not clips:
        raise refusal(dataset, folder, f"nothing of split {split!r}", "the whole data set")
    return tuple(sorted(clips, key=lambda c: (c.label, c.speaker, c.index, str(c.path))))
