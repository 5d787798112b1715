"""Data sets of speech: what is listed, in which order, and what is refused, on files made here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import soundfile

from neurodeploy.audio.datasets import (
    COMMANDS,
    SOURCES,
    ndns,
    speech_commands,
    spoken_digits,
    vctk,
    which_set,
)
from neurodeploy.audio.files import read_audio
from neurodeploy.errors import InputError

RATE = 16000
SOUND = np.random.default_rng(0).uniform(-0.5, 0.5, 800).astype(np.float32)


def put(path, sound=SOUND, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype="FLOAT")
    return path


def refused(dataset, call):
    """The one line of a refusal, which says where the data can be had."""
    with pytest.raises(InputError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line
    assert SOURCES[dataset] in line
    return line


def digits(root):
    for name in ("3_theo_10", "3_theo_4", "0_lucas_5", "3_theo_9", "3_jackson_0", "0_lucas_49"):
        put(root / f"{name}.wav", rate=8000)
    return root


def test_digits_are_split_by_index_and_sorted_by_number(tmp_path):
    digits(tmp_path)
    test = spoken_digits(tmp_path, "test")
    assert [(c.label, c.speaker, c.index) for c in test] == [(3, "jackson", 0), (3, "theo", 4)]
    train = spoken_digits(tmp_path)
    assert [(c.label, c.speaker, c.index) for c in train] == [
        (0, "lucas", 5), (0, "lucas", 49), (3, "theo", 9), (3, "theo", 10)
    ]  # fmt: skip
    np.testing.assert_array_equal(train[0].read(8000), SOUND)


def test_real_digits_are_three_hundred_and_the_rest(cases):
    folder = cases / "spoken_digits" / "recordings"
    test, train = spoken_digits(folder, "test"), spoken_digits(folder, "train")
    assert (len(test), len(train)) == (300, 2700)
    assert not set(test) & set(train)
    assert {(c.label, c.index) for c in test} == {(d, i) for d in range(10) for i in range(5)}
    clip = test[7]
    np.testing.assert_array_equal(clip.read(8000), read_audio(clip.path)[0])


def test_items_are_frozen_and_nothing_is_read_before_it_is_asked_for(tmp_path):
    (digits(tmp_path) / "0_lucas_5.wav").write_bytes(b"RIFF, and then nothing")
    clip = spoken_digits(tmp_path)[0]
    with pytest.raises(InputError, match=r"0_lucas_5\.wav: .*cut short|not a sound file"):
        clip.read(8000)
    with pytest.raises(dataclasses.FrozenInstanceError):
        clip.label = 4


def test_another_rate_is_resampled(tmp_path):
    pytest.importorskip("soxr", reason="needs soxr: pip install '.[audio]'")
    clip = spoken_digits(digits(tmp_path), "test")[0]
    assert len(clip.read(RATE)) == 2 * len(SOUND)


def commands(root, lists=True):
    for name in (
        "yes/c6389ab0_nohash_0", "yes/bb05582b_nohash_10", "yes/bb05582b_nohash_2",
        "yes/004ae714_nohash_0", "tree/bb05582b_nohash_0", "no/439c84f4_nohash_1",
    ):  # fmt: skip
        put(root / f"{name}.wav")
    put(root / "_background_noise_" / "white_noise.wav")
    put(root / "yes" / "._bb05582b_nohash_2.wav")
    (root / "README.md").write_text("Speech Commands Data Set v0.02\n")
    if lists:
        (root / "validation_list.txt").write_text("no/439c84f4_nohash_1.wav\n")
        (root / "testing_list.txt").write_text("tree/bb05582b_nohash_0.wav\n")
    return root


def listed(clips):
    return [(c.label, c.speaker, c.index) for c in clips]


def test_commands_follow_the_lists(tmp_path):
    commands(tmp_path)
    assert listed(speech_commands(tmp_path, "validation")) == [("no", "439c84f4", 1)]
    assert listed(speech_commands(tmp_path, "test")) == [("tree", "bb05582b", 0)]
    assert listed(speech_commands(tmp_path)) == [
        ("yes", "004ae714", 0), ("yes", "bb05582b", 2), ("yes", "bb05582b", 10),
        ("yes", "c6389ab0", 0),
    ]  # fmt: skip


def test_commands_without_lists_follow_the_hash_that_made_them(tmp_path):
    commands(tmp_path, lists=False)
    assert {c.speaker for c in speech_commands(tmp_path, "validation")} == {"439c84f4", "c6389ab0"}
    assert listed(speech_commands(tmp_path, "test")) == [
        ("tree", "bb05582b", 0), ("yes", "bb05582b", 2), ("yes", "bb05582b", 10)
    ]  # fmt: skip
    assert listed(speech_commands(tmp_path)) == [("yes", "004ae714", 0)]


@pytest.mark.parametrize(
    ("split", "speakers"),
    [
        (
            "test",
            "bb05582b 97f4c236 f2e59fea fdb5155e dc75148d 3f170018 18f8afd5 e1469561 893705bb",
        ),
        ("validation", "439c84f4 6a27a9bf cab100c9 bdb26021 a6d586b7 0e17f595 ff2b842e c6389ab0"),
    ],
)
def test_the_hash_puts_speakers_where_the_published_lists_have_them(split, speakers):
    """Speakers as the lists of version 0.02 have them."""
    assert {which_set(speaker) for speaker in speakers.split()} == {split}


def test_words_are_chosen_and_others_are_unknown_only_if_asked(tmp_path):
    commands(tmp_path)
    assert listed(speech_commands(tmp_path, "train", ["yes"])) == listed(speech_commands(tmp_path))
    assert listed(speech_commands(tmp_path, "test", ["no", "yes"], unknown=True)) == [
        ("unknown", "bb05582b", 0)
    ]
    assert "test" in refused("speech_commands", lambda: speech_commands(tmp_path, "test", ["yes"]))
    line = refused("speech_commands", lambda: speech_commands(tmp_path, words=COMMANDS))
    assert "no word 'down'" in line


def test_commands_that_came_half_are_refused(tmp_path):
    def again():
        return refused("speech_commands", lambda: speech_commands(tmp_path))

    commands(tmp_path)
    with (tmp_path / "testing_list.txt").open("a") as file:
        file.write("yes/0a7c2a8d_nohash_0.wav\n")
    assert "yes/0a7c2a8d_nohash_0.wav" in again()
    (tmp_path / "testing_list.txt").unlink()
    assert "testing_list.txt" in again()
    (tmp_path / "no" / "song.wav").write_bytes(b"")
    (tmp_path / "validation_list.txt").unlink()
    assert "'song.wav'" in again()


def noisy_vctk(root, name="testset"):
    for stem in ("p232_002", "p232_001", "p257_010"):
        put(root / f"clean_{name}_wav" / f"{stem}.wav", SOUND / 2, 48000)
        put(root / f"noisy_{name}_wav" / f"{stem}.wav", SOUND, 48000)
    return root


def test_vctk_is_paired_by_name(tmp_path):
    noisy_vctk(tmp_path)
    (tmp_path / "log_testset.txt").write_text("p232_001 bus 17.5\np257_010 living 2.5\n\n")
    pairs = vctk(tmp_path, "test")
    assert [(p.speaker, p.index, p.source, p.snr_db) for p in pairs] == [
        ("p232", 1, "bus", 17.5), ("p232", 2, None, None), ("p257", 10, "living", 2.5)
    ]  # fmt: skip
    assert all(p.clean.name == p.noisy.name for p in pairs)
    noisy, clean = pairs[0].read(48000)
    np.testing.assert_array_equal(noisy, SOUND)
    np.testing.assert_array_equal(clean, SOUND / 2)
    assert noisy.dtype == clean.dtype == np.float32


def test_vctk_has_two_training_sets_and_the_log_may_lie_in_its_folder(tmp_path):
    noisy_vctk(tmp_path, "trainset_28spk")
    noisy_vctk(tmp_path, "trainset_56spk")
    (tmp_path / "logfiles").mkdir()
    (tmp_path / "logfiles" / "log_trainset_56spk.txt").write_text("p232_001 cafe 5")
    assert "28spk" in str(vctk(tmp_path)[0].noisy)
    assert vctk(tmp_path, "train-56")[0].source == "cafe"
    (tmp_path / "logfiles" / "log_trainset_56spk.txt").write_text("p232_001 cafe loud")
    assert "'p232_001 cafe loud'" in refused("vctk", lambda: vctk(tmp_path, "train-56"))


def test_vctk_without_its_pair_or_folder_is_refused(tmp_path):
    noisy_vctk(tmp_path)
    (tmp_path / "clean_testset_wav" / "p232_002.wav").unlink()
    assert "p232_002.wav" in refused("vctk", lambda: vctk(tmp_path, "test"))
    assert "noisy_trainset_28spk_wav: no such folder" in refused("vctk", lambda: vctk(tmp_path))


def test_pairs_of_two_lengths_are_refused(tmp_path):
    pair = vctk(noisy_vctk(tmp_path), "test")[0]
    put(pair.clean, SOUND[:-1], 48000)
    with pytest.raises(InputError, match=r"800 samples at 48000 Hz, .*799 samples"):
        pair.read(48000)


def test_pairs_of_two_rates_are_refused(tmp_path):
    pytest.importorskip("soxr", reason="needs soxr: pip install '.[audio]'")
    pair = vctk(noisy_vctk(tmp_path), "test")[0]
    put(pair.clean, SOUND, 44100)
    with pytest.raises(InputError, match="800 samples at 44100 Hz"):
        pair.read(48000)


def synthesized(root, noise=True):
    for number, snr, level in ((10, -5, -21), (9, 5, -35), (123, 20, -15)):
        put(root / "noisy" / f"book_1_snr3_dog_snr{snr}_tl{level}_fileid_{number}.wav")
        put(root / "clean" / f"clean_fileid_{number}.wav", SOUND / 2)
        if noise:
            put(root / "noise" / f"noise_fileid_{number}.wav", SOUND / 2)
    return root


def test_ndns_is_joined_and_sorted_by_number(tmp_path):
    synthesized(tmp_path / "validation_set")
    pairs = ndns(tmp_path, "validation")
    assert [(p.index, p.snr_db, p.level_db) for p in pairs] == [
        (9, 5, -35), (10, -5, -21), (123, 20, -15)
    ]  # fmt: skip
    assert {p.source for p in pairs} == {"book_1_snr3_dog"}
    assert [p.clean.name for p in pairs] == [f"clean_fileid_{n}.wav" for n in (9, 10, 123)]
    assert [p.noise.name for p in pairs] == [f"noise_fileid_{n}.wav" for n in (9, 10, 123)]
    noisy, clean = pairs[2].read(RATE)
    np.testing.assert_array_equal(noisy, clean + read_audio(pairs[2].noise)[0])


def test_ndns_may_leave_the_noise_out_and_lie_anywhere(tmp_path):
    pairs = ndns(synthesized(tmp_path, noise=False), None)
    assert [p.noise for p in pairs] == [None] * 3


def test_ndns_with_a_file_too_few_or_two_runs_at_once_is_refused(tmp_path):
    def again():
        return refused("ndns", lambda: ndns(tmp_path, None))

    synthesized(tmp_path)
    (tmp_path / "noise" / "noise_fileid_9.wav").unlink()
    assert "1 without a pair (9)" in again()
    put(tmp_path / "clean" / "clean_fileid_7.wav")
    assert "1 without a pair (7)" in again()
    put(tmp_path / "noisy" / "other_snr0_tl-20_fileid_10.wav")
    assert "two files of number 10" in again()
    put(tmp_path / "noisy" / "other_fileid_11.wav")
    assert "'other_fileid_11.wav'" in again()


@pytest.mark.parametrize("load", [spoken_digits, speech_commands, vctk, ndns])
def test_nothing_there_says_where_to_get_it(load, tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert str(folder) in refused(load.__name__, lambda f=folder: load(f))
    with pytest.raises(InputError, match="no split 'dev'; use one of train, "):
        load(tmp_path, "dev")
