"""Against an older commit of ours, checked out beside this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from ..measure import FOLDER, Row, Settings, interleaved, microseconds, missing, ratio
from ..peer import Peer, PeerError

WORKS = (
    # work, samples, steps, what it is, target
    ("pilotnet", 1, 24, "PilotNet LIF, its frame, 1 sample", 4.0),
    ("pilotnet", 32, 24, "PilotNet LIF, its frame, 32 samples", 4.0),
    ("random", 1, 10, "random 700-256-20, T=10, batch 1", 4.0),
    ("random", 1, 100, "random 700-256-20, T=100, batch 1", 4.0),
    ("random", 64, 100, "random 700-256-20, T=100, batch 64", 4.0),
    ("dense", 1, 100, "dense 1024 x 1024 at 5 %, T=100, batch 1", 2.0),
    ("dense", 16, 100, "dense 1024 x 1024 at 5 %, T=100, batch 16", 2.0),
    ("mnist", 1, 2000, "mnist.net, 10 % input, T=2000, 1 sample", 2.0),
)


PROFILES = (
    # work, samples, steps, what it is
    ("random", 64, 200, "random 700-256-20, T=200, 64 samples"),
    ("pilotnet", 1, 24, "PilotNet LIF, its frame, 1 sample"),
)
OF_THE_OLD_RUN = 0.1
"""What a profile, placed on cores, may take of the run that the older commit needed."""


def old(settings: Settings) -> Iterator[Row]:
    """Every work on both commits, by `nd.run` and by the engine alone, four processes in turn."""
    if settings.old is None:
        return
    trees = {"old": settings.old, "new": FOLDER.parent}
    for name, samples, steps, work, target in WORKS:
        sides: dict[str, Peer] = {}
        try:
            for side, tree in trees.items():
                for way in ("run", "engine"):
                    options = {"work": name, "samples": samples, "steps": steps, "way": way}
                    sides[f"{side} {way}"] = Peer("commit", options=options, worktree=tree)
            seconds = interleaved({k: peer.seconds for k, peer in sides.items()}, settings.repeats)
        except PeerError as error:
            yield missing("old", work, f"commit in {settings.old}", str(error), target)
            continue
        finally:
            for peer in sides.values():
                peer.close()
        before, now = sides["old run"], sides["new run"]
        us = {side: microseconds(times, samples * steps) for side, times in seconds.items()}
        same = "the same counts" if before.counts == now.counts else "counts DIFFER"
        yield Row(
            "old",
            work,
            f"commit {before.version}",
            ours_run=us["new run"],
            ours_engine=us["new engine"],
            theirs=us["old run"],
            run=ratio(seconds["old run"], seconds["new run"]),
            engine=ratio(seconds["old engine"], seconds["new engine"]),
            target=target,
            note=f"{same} ({now.note} messages); its engine alone {us['old engine']:.3g} µs; "
            f"ours is {now.version}",
        )
    yield from _profiles(settings, trees)


def _profiles(settings: Settings, trees: dict[str, Path]) -> Iterator[Row]:
    """A profile of ours beside the older commit's run of the same."""
    for name, samples, steps, what in PROFILES:
        work, against = f"{what}: profile, placed on cores", f"the run of {settings.old}"
        sides: dict[str, Peer] = {}
        try:
            for side, way in (("old", "run"), ("new", "profile")):
                options = {"work": name, "samples": samples, "steps": steps, "way": way}
                sides[side] = Peer("commit", options=options, worktree=trees[side])
            seconds = interleaved({k: peer.seconds for k, peer in sides.items()}, settings.repeats)
        except PeerError as error:
            target = OF_THE_OLD_RUN
            yield missing("old", work, against, str(error), target, at_most=True)
            continue
        finally:
            for peer in sides.values():
                peer.close()
        ms = {side: 1e3 * median(times) for side, times in seconds.items()}
        yield Row(
            "old",
            work,
            f"the run of commit {sides['old'].version}",
            run=ratio(seconds["new"], seconds["old"]),
            target=OF_THE_OLD_RUN,
            at_most=True,
            unit="of that run",
            note=f"ms: its run {ms['old']:.3g}, our profile {ms['new']:.3g}",
        )
