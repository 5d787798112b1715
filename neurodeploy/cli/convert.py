"""``neurodeploy convert``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from . import options
from .deploy import tell
from .statuses import DIFFERS, DONE
from .terminal import print_json, show


@options.reads_a_network
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A network to read.")],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The network to write; format by suffix."),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FRAMEWORK|FORM",
            help="NIR: who shall run OUT. With --calibration: graded, sigma-delta or rate.",
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="INPUTS",
            help="IN has no spikes (ONNX, Keras .h5): inputs [samples, *shape] for its scales.",
        ),
    ] = None,
    bits: Annotated[
        int | None, typer.Option(metavar="N", help="With --calibration: of a weight.")
    ] = None,
    activation_bits: Annotated[
        int | None, typer.Option(metavar="N", help="With --calibration: of a payload.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="With --calibration: of a rate.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="TARGET", help="As `deploy --target`."),
    ] = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> int:
    """Read a network in one format and write it in another, saying what changed.

    Formats are told by what IN holds and by OUT's suffix: NetX HDF5 (.net) or
    NIR (.nir). NIR has no time step: give --dt unless the graph implies it.
    Writing NetX anew brings files of older exporters into today's layout. With
    --target it is `deploy`, on random inputs and without a run on the target.

    With --calibration, IN is an ordinary network without spikes, an ONNX file or Keras' HDF5, and
    becomes one of graded spikes, of changes or of rates (--to).
    """
    import neurodeploy as nd

    from ..formats import check_out, is_nir
    from ..reporting.terminal import audit_table

    form = {"bits": bits, "activation_bits": activation_bits, "steps": steps}
    if calibration is not None:
        check_out(out)
        network = _without_spikes(source, calibration, {"to": to, **form})
        to = None
    else:
        for name, value in form.items():
            if value is not None:
                flag = f"--{name.replace('_', '-')}"
                raise InputError(f"{flag}: of a network without spikes; add --calibration INPUTS")
        # NetX counts time in steps: --dt then says what a step is in the NIR to be written.
        read = reading if is_nir(source) else replace(reading, dt=None)
        network = read.load(source)
    ready = None
    if target is not None:
        ready = nd.deploy(network, target, verified=False)
        network = ready.network
    written = {"dt": reading.dt, "preset": to}
    given = {key: value for key, value in written.items() if value is not None}
    nd.save(network, out, **(given if out.suffix.lower() == ".nir" else {}))
    if json:
        entries = [entry.as_dict() for entry in network.audit]
        found = {"network": out, "fingerprint": network.fingerprint, "audit": entries}
        more = {"left": []} if ready is None else ready.as_dict()
        print_json({**more, **found})
        return DONE if ready is None or ready.runs else DIFFERS
    show(audit_table(network.audit))
    if ready is None:
        show(f"{source} -> {out}")
        return DONE
    tell(ready, f"{source} -> {out}")
    return DONE if ready.runs else DIFFERS


def _without_spikes(source: Path, calibration: Path, how: dict[str, Any]) -> Any:
    import neurodeploy as nd

    from ..inputs import read_inputs

    inputs, _ = read_inputs(calibration, None)
    given = {name: value for name, value in how.items() if value is not None}
    return nd.convert_ann(source, inputs, **given)
