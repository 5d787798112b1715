"""``neurodeploy enhance``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .shared import Json, Net, load_network, print_json, show

Channel = Annotated[
    str | None, typer.Option(help="Which channel, from 0, or mix; needed where there are several.")
]
Wait = Annotated[
    int, typer.Option(help="Steps (8 ms) for which the sound is held back for its mask.")
]
Fixed = Annotated[
    bool, typer.Option("--fixed", help="Spectra and overlap-add in exact integers, too.")
]


def enhance(
    net: Net,
    input: Annotated[Path, typer.Option("--input", help="Noisy speech: .wav, .flac or .ogg.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write it, mono, 16 kHz.")],
    clean: Annotated[
        Path | None, typer.Option(metavar="CLEAN", help="The clean speech, to measure against.")
    ] = None,
    dnsmos: Annotated[
        Path | None, typer.Option(metavar="ONNX", help="DNSMOS's sig_bak_ovr.onnx, with --clean.")
    ] = None,
    channel: Channel = None,
    wait: Wait = 1,
    fixed: Fixed = False,
    json: Json = False,
) -> None:
    """Enhance noisy speech with an N-DNS network, in the chip's integers, block by block.

    The network's states carry on from block to block; an hour takes no more memory than a second.
    The result is in time with the input. With `--clean`: SI-SNR, and STOI and PESQ where they are
    installed (extra `audio-metrics`).
    """
    from ..report.devices import metrics_table
    from ..signals.audio import read_audio
    from ..signals.coding.ndns import RATE
    from ..sound import enhance_file, scores

    if dnsmos is not None and clean is None:
        raise typer.BadParameter("--dnsmos needs the clean speech: add --clean CLEAN.")
    network = load_network(net)
    reference = None if clean is None else read_audio(clean, RATE, channel)[0]
    done = enhance_file(network, input, out, channel=channel, wait=wait, fixed=fixed)
    found: dict[str, Any] = done.as_dict()
    if reference is not None:
        noisy, enhanced = (read_audio(p, RATE, c)[0] for p, c in ((input, channel), (out, None)))
        found["scores"] = scores(noisy, enhanced, reference, RATE, dnsmos)
    if json:
        print_json({"out": out, **found})
        return
    reading = done.reading
    show(reading.line)
    parts = ", ".join(f"{k[:-3]} {v:g} ms" for k, v in reading.latency.items() if k != "total_ms")
    show(f"latency {reading.latency['total_ms']:g} ms: {parts}; computing comes on top")
    for count, what in ((done.bad, "were NaN, read as 0"), (done.clipped, "at full scale")):
        if count:
            show(f"{count} samples {what}")
    if "scores" in found:
        show("", metrics_table("before (noisy) and after", found["scores"]))
    show(f"{done.samples / RATE:.1f} s of sound written: {out}")
