"""``neurodeploy enhance``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..network import Network
from . import options
from .terminal import print_json, show

Channel = Annotated[
    str | None, typer.Option(help="Which channel, from 0, or mix; needed where there are several.")
]
Wait = Annotated[
    int | None,
    typer.Option(
        help="Steps (8 ms) for which the sound is held back for its mask; 1, if not given."
    ),
]
Codec = Annotated[
    Path | None, typer.Option(help="The network's learned codec (.npz); N-DNS networks have none.")
]
Pipelined = Annotated[
    bool,
    typer.Option(
        "--pipelined",
        help="With --codec: one chip step a hop, so that the sound waits a hop for each layer.",
    ),
]
Fixed = Annotated[
    bool, typer.Option("--fixed", help="Spectra and overlap-add in exact integers, too.")
]


def load_denoiser(
    net: Network, codec: Path | None, pipelined: bool, wait: int | None, fixed: bool
) -> Any:
    """Open a network for sound, with the front end that its options ask for."""
    from ..audio.enhancement import Denoiser, MaskCodec, NdnsFront, separator
    from ..audio.enhancement.fronts import WAIT

    if codec is None:
        if pipelined:
            raise InputError("--pipelined is for networks with a --codec")
        return Denoiser(net, NdnsFront(WAIT if wait is None else wait, fixed))
    if wait is not None or fixed:
        raise InputError("--wait and --fixed are for N-DNS networks, without --codec")
    return separator(net, MaskCodec.load(codec), gated=not pipelined)


@options.reads_a_network
def enhance(
    net: options.Net,
    input: Annotated[Path, typer.Option("--input", help="Noisy speech: .wav, .flac or .ogg.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write it, mono, 16 kHz.")],
    clean: Annotated[
        Path | None,
        typer.Option("--clean", metavar="CLEAN", help="The clean speech, to measure against."),
    ] = None,
    dnsmos: Annotated[
        Path | None, typer.Option(metavar="ONNX", help="DNSMOS's sig_bak_ovr.onnx, with --clean.")
    ] = None,
    channel: Channel = None,
    codec: Codec = None,
    pipelined: Pipelined = False,
    wait: Wait = None,
    fixed: Fixed = False,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> None:
    """Enhance noisy speech in the chip's integers, block by block.

    NET is an N-DNS network, or with `--codec` one that works on a learned codec, as DPSNN.

    The network's states carry on from block to block; an hour takes no more memory than a second.
    The result is in time with the input. With `--clean`: SI-SNR, and STOI and PESQ where they are
    installed (extra `audio-metrics`).
    """
    from ..audio.enhancement import enhance_file, scores
    from ..audio.enhancement.fronts import RATE
    from ..audio.files import read_audio
    from ..reporting.devices import metrics_table

    if dnsmos is not None and clean is None:
        raise InputError("--dnsmos needs the clean speech: add --clean CLEAN")
    denoiser = load_denoiser(reading.load(net), codec, pipelined, wait, fixed)
    reference = None if clean is None else read_audio(clean, RATE, channel)[0]
    done = enhance_file(denoiser, input, out, channel=channel)
    found: dict[str, Any] = done.as_dict()
    if reference is not None:
        noisy, enhanced = (read_audio(p, RATE, c)[0] for p, c in ((input, channel), (out, None)))
        found["scores"] = scores(noisy, enhanced, reference, RATE, dnsmos)
    if json:
        print_json({"out": out, **found})
        return
    meter = done.reading
    show(meter.line)
    parts = ", ".join(f"{k[:-3]} {v:g} ms" for k, v in meter.latency.items() if k != "total_ms")
    show(f"latency {meter.latency['total_ms']:g} ms: {parts}; computing comes on top")
    for count, what in ((done.bad, "were NaN, read as 0"), (done.clipped, "at full scale")):
        if count:
            show(f"{count} samples {what}")
    if "scores" in found:
        show("", metrics_table("before (noisy) and after", found["scores"]))
    show(f"{done.samples / RATE:.1f} s of sound written: {out}")
