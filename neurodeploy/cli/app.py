"""The verbs put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from .._version import __version__
from . import (
    compare,
    convert,
    demo,
    deploy,
    doctor,
    emit_c,
    enhance,
    evaluate,
    export,
    fit,
    inspect,
    join,
    listen,
    profile,
    quantize,
    run,
    verify,
    worker,
)
from .older_spellings import Verb

app = typer.Typer(
    help="Take a trained spiking network to Loihi 2, and see what the chip will do with it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"neurodeploy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Hold the options that every verb shares; `--debug` may stand anywhere and is taken first."""


VERBS: tuple[Callable[..., int | None], ...] = (
    demo.demo,
    doctor.doctor,
    inspect.inspect,
    convert.convert,
    quantize.quantize,
    deploy.deploy,
    export.export,
    run.run,
    worker.worker,
    compare.compare,
    verify.verify,
    fit.fit,
    profile.profile,
    evaluate.evaluate,
    join.join,
    emit_c.emit_c,
    enhance.enhance,
    listen.listen,
)
for verb in VERBS:
    app.command(cls=Verb)(verb)
