"""``neurodeploy deploy``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from . import options
from .quantize import read_configuration
from .run import read_presented
from .statuses import DIFFERS, DONE
from .terminal import interruptible, print_json, progress_bar, show

REWRITES = (
    "axon-delays-by-relays",
    "bias-from-the-start",
    "current-bias-from-a-clock",
    "decays-through-floats",
    "delays-before-the-layer",
    "delays-left-out",
    "delays-on-axons",
    "host-relays-as-delays",
    "input-exponents-in-weights",
    "late-bias-as-initial-voltage",
    "neurons-alike-in-groups",
    "norms-in-thresholds",
    "operators-as-lists",
    "plain-form",
    "pool-as-conv",
    "pruned-as-sparse",
    "refractory-steps-forced",
    "refractory-steps-left-out",
    "soft-reset-approximated",
    "soft-reset-as-adaptation",
    "soft-reset-as-hard",
    "taps-as-delays",
    "thresholds-in-64ths",
    "wide-weights-in-parts",
    "wrapped-sums-in-parts",
)
"""Every rewrite of our targets: each has an option ``--no-NAME``. Kept here, so that showing the
help of a verb imports no target; a test holds it against them."""


def names_rewrites(verb: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a verb an option ``--no-NAME`` for each rewrite; it gets those given as `without`."""

    @wraps(verb)
    def with_options(**given: Any) -> int | None:
        left_out = [name for name in REWRITES if given.pop(f"no_{name.replace('-', '_')}")]
        return verb(**given, without=left_out)

    own = signature(verb, eval_str=True)
    kept = [p for p in own.parameters.values() if p.name != "without"]
    added = [
        Parameter(
            f"no_{name.replace('-', '_')}", Parameter.KEYWORD_ONLY, default=False,
            annotation=Annotated[
                bool, typer.Option(f"--no-{name}", help="Leave this rewrite out.", hidden=False)
            ],
        )
        for name in REWRITES
    ]  # fmt: skip
    ordered = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in kept] + added
    with_options.__annotations__ = {p.name: p.annotation for p in ordered}
    with_options.__signature__ = own.replace(parameters=ordered)  # type: ignore[attr-defined]
    return with_options


@names_rewrites
@options.reads_a_network
def deploy(
    net: options.Net,
    target: Annotated[
        str, typer.Option("--target", help="What it is made for: loihi2, lava, netx.")
    ] = "loihi2",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The network to write; default NET_TARGET.net."),
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option("--input", help="Steps are measured on it: .npy, .npz, or sound."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="INPUTS", help="Scales are chosen on it; default as --input."),
    ] = None,
    labels: options.Labels = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME[:OPTION=VALUE,...]", help="Of sound.")
    ] = None,
    bits: options.Bits = None,
    scale: options.Scale = None,
    method: options.Method = None,
    rounding: options.Rounding = None,
    split: options.Split = None,
    budget: options.Budget = None,
    budget_energy: options.BudgetEnergy = None,
    budget_loss: options.BudgetLoss = None,
    fine_tune: Annotated[
        bool,
        typer.Option("--fine-tune", help="Train further for the target, if less is lost then."),
    ] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Of --fine-tune.")] = 20,
    config: Annotated[
        Path | None, typer.Option(help="How to quantize, as JSON; options go before it.")
    ] = None,
    verified: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Try the result on the target.")
    ] = True,
    report: Annotated[Path | None, typer.Option(help="Write a page (HTML), too.")] = None,
    place: options.Place = None,
    board_set: options.BoardSettings = None,
    compiler: options.Compiler = None,
    timeout: options.Timeout = None,
    axes: options.Axes = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
    without: Any = (),
) -> int:
    """Bring NET to a target: quantize it, rewrite what the target lacks, measure, verify.

    NET is in floats or in integers. Each step is named, exact or approximate with what it changes
    on the inputs (random ones unless given), and is in the audit of OUT; --no-NAME leaves it out.
    At the end OUT runs on Lava or the chip beside the engine, where that can be reached.

    Exit status 0: it runs there; 1: written, but what is listed cannot run there yet, or it ran
    otherwise there; 2: it could not be done. Its own result is left as it is.
    """
    import neurodeploy as nd

    from ..exporting.deploy import default_place
    from ..files import check_place
    from ..formats import check_out
    from ..inputs import read_labels

    out = default_place(net, target) if out is None else out
    check_out(out)
    if report is not None:
        check_place(report)
    given = {"bits": bits, "scale": scale, "method": method, "rounding": rounding, "split": split}
    asked = config is not None or any(value is not None for value in given.values())
    budgets = {"memory_bits": budget, "joules": budget_energy, "loss": budget_loss}
    budgets = {key: value for key, value in budgets.items() if value is not None}
    inputs, own = (None, None) if input is None else read_presented(input, encoder, axes=axes)
    scales, theirs = (
        (None, None) if calibration is None else read_presented(calibration, encoder, axes=axes)
    )
    shown = own if inputs is not None else theirs
    chosen = read_configuration(config, given, keeps_range=target == "netx")
    with interruptible(), progress_bar(f"deploying to {target}") as progress:
        ready = nd.deploy(
            reading.load(net), target, inputs=inputs, calibration=scales,
            labels=shown if labels is None else read_labels(labels),
            config=chosen if asked or budgets else None,
            budget=_budget(budgets, scales is None and inputs is None),
            without=without, fine_tune=fine_tune, epochs=epochs, compiler=compiler,
            verified=verified, place=place, timeout_seconds=timeout,
            board_settings=options.read_settings(board_set), progress=progress,
            what=str(input or calibration or ""),
        )  # fmt: skip
    nd.save(ready.network, out)
    if report is not None:
        found = ready.verification
        nd.report(
            report, net=ready.network, steps=ready.steps, left=ready.left,
            recordings=() if found is None else found.recordings,
            comparison=None if found is None else found.comparison,
            profiles=() if found is None else found.profiles,
            placement=ready.placement, title=f"{net.name} for {target}",
        )  # fmt: skip
    if json:
        print_json({"network": out, **ready.as_dict()})
    else:
        tell(ready, f"{net} -> {out}")
    return DONE if ready.runs else DIFFERS


def tell(ready: Any, line: str) -> None:
    """Print what became of a network: its steps, what is left, how it was verified."""
    from ..reporting.terminal import audit_table, steps_table

    if ready.steps:
        show(steps_table(ready.steps))
    if ready.left:
        show(
            f"{ready.target} cannot run {len(ready.left)} elements of it:", audit_table(ready.left)
        )
    show(*ready.lines(), line)


def _budget(given: dict[str, Any], blind: bool) -> Any:
    from ..quantization import Budget

    if given and blind:
        raise InputError("budget: needs --calibration INPUTS to measure who can spare bits")
    return Budget(**given) if given else None
