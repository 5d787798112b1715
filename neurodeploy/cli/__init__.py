"""The command line: one module per verb, no logic of its own."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Sequence

from ..errors import ChipWarning, InputWarning, PluginWarning

DONE, DIFFERS, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: done or equal; ran but differs; could not; Ctrl-C."""


_INTERRUPTED = "interrupted; nothing half-written is left"


class Interrupted(Exception):
    """Ctrl-C, with something to say: which samples are done. Typers swallow a KeyboardInterrupt."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    with warnings.catch_warnings():
        for category in (ChipWarning, InputWarning, PluginWarning):
            warnings.simplefilter("always", category)
        warnings.showwarning = _warn
        sys.exit(_run([a for a in given if a != "--debug"], debug))


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    """Say a warning in one line, as errors are said."""
    print(f"neurodeploy: warning: {message}", file=sys.stderr)


def _run(arguments: list[str], debug: bool) -> int:
    try:
        import typer

        from ..errors import NeurodeployError
        from .app import app
    except KeyboardInterrupt:  # these take half a second
        return _complain(_INTERRUPTED, INTERRUPTED, debug)
    # Typer carried click inside it from one release on, and names no UsageError of its own.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    try:
        status = app(args=arguments, prog_name="neurodeploy", standalone_mode=False)
        if status == INTERRUPTED:  # what newer Typers make of Ctrl-C
            raise KeyboardInterrupt
        return status if isinstance(status, int) else DONE
    except Interrupted as stop:
        return _complain(str(stop), INTERRUPTED, debug)
    except (KeyboardInterrupt, typer.Abort):
        return _complain(_INTERRUPTED, INTERRUPTED, debug)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except BrokenPipeError:  # the reader of our output has gone, e.g. `| head`
        sys.stderr.close()
        return DONE
    except NeurodeployError as error:
        return _complain(str(error), FAILED, debug)
    except MemoryError as error:
        return _complain(f"out of memory: {error}; run fewer samples", FAILED, debug)
    except usage_error as error:
        context = getattr(error, "ctx", None)
        verb = context.command_path if context else "neurodeploy"
        message = error.format_message()  # type: ignore[attr-defined]
        see = f"{message} See" if message.endswith("?") else f"{message.rstrip('.')}; see"
        return _complain(f"{see} {verb} --help", FAILED, debug)
    except Exception as error:
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
        hint = "" if debug else "; run again with --debug for where it happened"
        return _complain(f"internal error: {what}{hint}", FAILED, debug)


def _complain(message: str, status: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
        detail = getattr(sys.exc_info()[1], "detail", "")
        if detail:
            print(detail, file=sys.stderr)
    print(f"neurodeploy: {message}", file=sys.stderr)
    return status
