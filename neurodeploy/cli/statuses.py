"""How a verb ends: its exit status, or an interruption with something to say."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # as in the package's own face
if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType

DONE, DIFFERS, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: done or equal; ran but differs, does not fit or still cannot run; could not;
Ctrl-C (a program that SIGTERM or SIGHUP ends gives 128 and the signal's number too)."""

INTERRUPTED_LINE = "interrupted; nothing half-written is left"

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(Exception):
    """Ctrl-C, with something to say: which samples are done. Typers swallow a KeyboardInterrupt."""


class Stop:
    """Ctrl-C, SIGTERM and SIGHUP: all three end a verb the same way, at any time.

    Attributes
    ----------
    begun : bool
        Whether there may be something to clean up; until then, and once all is done, a signal
        ends the program at once.
    heard : int or None
        The first signal.
    """

    def __init__(self) -> None:
        self.begun = False
        self.heard: int | None = None

    @property
    def status(self) -> int:
        """Exit status of a program that was stopped."""
        return INTERRUPTED if self.heard is None else 128 + self.heard

    def listen(self) -> None:
        """Take the signals, but those that whoever started us has us ignore (nohup)."""
        for number in self._numbers():
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._hear)
        sys.unraisablehook = self._swallowed

    def finish(self) -> None:
        """Let no signal change how a program ends that is done: Python would die of it, closing."""
        from contextlib import suppress

        with suppress(OSError):  # whoever read it has gone; Python says so when it closes
            sys.stdout.flush()
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers())

    def _numbers(self) -> list[int]:
        return [int(getattr(signal, name)) for name in SIGNALS if hasattr(signal, name)]

    def _hear(self, number: int, frame: FrameType | None) -> None:
        again, self.heard = self.heard is not None, self.heard or number
        if not self.begun:
            os.write(2, f"neurodeploy: {INTERRUPTED_LINE}\n".encode())
            os._exit(self.status)
        if not again or number == signal.SIGINT:  # who cleans up is not told twice to end
            raise KeyboardInterrupt

    def _swallowed(self, what: UnraisableHookArgs) -> None:
        """Ctrl-C where Python cannot raise (a destructor): come back to it a moment later."""
        if isinstance(what.exc_value, KeyboardInterrupt):
            import _thread
            import threading

            threading.Timer(0.05, _thread.interrupt_main).start()
        else:
            sys.__unraisablehook__(what)
