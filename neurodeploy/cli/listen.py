"""``neurodeploy listen``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from . import options
from .enhance import Channel, Codec, Fixed, Pipelined, Wait, load_denoiser
from .terminal import print_json, show


@options.reads_a_network
def listen(
    net: options.Net,
    input: Annotated[
        str, typer.Option("--input", help="- (standard input), a raw file, or mic.")
    ] = "-",
    out: Annotated[
        str | None,
        typer.Option("-o", "--out", help="Raw samples to - (standard output), or a sound file."),
    ] = None,
    format: Annotated[str, typer.Option("--format", help="Raw samples: s16 or f32.")] = "s16",
    rate: Annotated[int, typer.Option(help="Hz of the raw samples.")] = 16000,
    channels: Annotated[int, typer.Option(help="Channels of the raw samples.")] = 1,
    channel: Channel = None,
    device: Annotated[str | None, typer.Option(help="Name of the microphone.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so much sound.")] = None,
    every: Annotated[float, typer.Option(help="Seconds between readings of the meter.")] = 1.0,
    codec: Codec = None,
    pipelined: Pipelined = False,
    wait: Wait = None,
    fixed: Fixed = False,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> None:
    """Enhance live sound with a network that `enhance` takes, and show what it spends.

    The meter on standard error: spikes, operations, real-time factor, worst block, estimated power
    of the chip. `arecord -f S16_LE -r 16000 | neurodeploy listen NET -o - | aplay -f S16_LE -r
    16000` is a hearing aid. Blocks with NaN (in f32) and those a microphone loses are concealed
    and counted.
    """
    from ..audio.enhancement.live import listen as run
    from ..audio.enhancement.live import microphone_blocks, pipe_blocks

    if out == "-" and json:
        raise InputError("--json and -o - both want standard output; choose one")
    denoiser = load_denoiser(reading.load(net), codec, pipelined, wait, fixed)
    hop = denoiser.front.hop
    with ExitStack() as stack:
        if input == "mic":
            blocks: Any = microphone_blocks(hop, device)
        else:
            pipe = _open(input, stack)
            blocks = pipe_blocks(pipe, hop, format, rate, channels, channel)
        play = _player(out, format, stack)
        meter = run(denoiser, blocks, play, _meter(), every, seconds)
    if json:
        print_json(meter.as_dict())
    elif out == "-":
        print(meter.line, file=sys.stderr)
    else:
        show(meter.line)


def _open(name: str, stack: ExitStack) -> Any:

    if name == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(name).open("rb"))
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}; give raw samples, - or mic") from error


def _player(out: str | None, format: str, stack: ExitStack) -> Any:
    from ..audio.enhancement.fronts import RATE
    from ..audio.enhancement.live import to_bytes
    from ..audio.files import write_audio

    if out is None:
        return None
    if out != "-":
        return stack.enter_context(write_audio(out, RATE))
    pipe = sys.stdout.buffer

    def play(sound: Any) -> None:
        pipe.write(to_bytes(sound, format))
        pipe.flush()

    return play


def _meter() -> Any:
    """One line that is written over on a terminal, one after another elsewhere."""
    live = sys.stderr.isatty()
    return lambda reading: print(
        reading.line, end="\r" if live else "\n", file=sys.stderr, flush=True
    )
