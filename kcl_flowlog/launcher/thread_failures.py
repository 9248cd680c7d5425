"""Threads that end by an exception nobody expected: broken machinery, so the instance ends and starts again.

Otherwise the instance would go on without the thread, and only its log would tell. Each thread handles what it expects.
"""

from __future__ import annotations

import logging
import threading

from kcl_flowlog.errors import FlowlogError

log = logging.getLogger(__name__)


class ThreadFailures:
    """Notes the failure of any thread of this process, from `watch` until `stop`."""

    def __init__(self) -> None:
        self._failed = ""
        self._before = threading.excepthook

    def watch(self) -> None:
        """Note failures from now on."""
        self._before, threading.excepthook = threading.excepthook, self._note

    def check(self) -> None:
        """Raise `FlowlogError` if a thread has failed."""
        if self._failed:
            raise FlowlogError(
                f"{self._failed}; the traceback is above. This is a bug of kcl-flowlog, please report it."
            )

    def stop(self) -> None:
        """Leave failures to the hook of before. Without `watch`, or a second time, this does nothing."""
        if threading.excepthook == self._note:
            threading.excepthook = self._before

    def _note(self, arguments: threading.ExceptHookArgs) -> None:
        if issubclass(arguments.exc_type, SystemExit):
            return
        name = arguments.thread.name if arguments.thread is not None else "unknown"
        log.error("A thread has failed", extra={"fields": {"thread": name}}, exc_info=arguments.exc_value)
        self._failed = self._failed or f"The thread {name!r} has failed: {arguments.exc_type.__name__}"
