"""The service behind ``twistd tornado``, apart from `txtornado.tap` so that help needs no server."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txtornado import autoreload
from txtornado.service import HTTPService
from txtornado.tap import CannotServe, complain, fail

__all__ = ["CommandService"]


class CommandService(HTTPService):
    """An `HTTPService` that is all its process is for: it ends when a port cannot be had.

    Args:
        launcher: the options of ``twistd`` itself, if it is what runs this.
    """

    def __init__(
        self,
        application: Any,
        endpoints: Sequence[str],
        *,
        launcher: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(application, endpoints, **options)
        self.launcher = launcher or {}

    def listen_failed(self, endpoint: Any, failure: Failure) -> None:
        """End the process."""
        reason = f"cannot listen on {endpoint}: {self.explain(failure)}"
        if self.reactor.running:
            complain(reason)
            # This far down nothing else makes twistd's exit status differ from success.
            self.reactor.callLater(0, signal.raise_signal, signal.SIGTERM)
        elif self.launcher.get("nodaemon", True):
            self._remove_pid_file()
            fail(reason)
        else:
            # In the background standard error is gone; twistd carries an exception to the front.
            raise CannotServe(reason)

    def _remove_pid_file(self) -> None:
        """Leave nothing that the next start would have to complain about."""
        if self.launcher.get("pidfile"):
            with contextlib.suppress(OSError):
                os.remove(self.launcher["pidfile"])

    def stopService(self) -> Deferred[None]:
        """See `HTTPService`; a program that ends is not restarted."""
        autoreload.stop()
        return super().stopService()
