"""The AWS credentials of this instance, kept fresh by a thread: one identity for boto3's clients and for the daemon.

`keys` answers from memory and never waits, so a source that is slow or hangs delays nobody. A refresh that fails is
counted and logged once in a row; the old keys stay in force until they expire. Only then `keys` raises one of
`aws_errors.AWS_ERRORS`. Must not know where credentials come from, nor who uses them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions

from kcl_flowlog.inventory.aws_errors import one_line
from kcl_flowlog.inventory.one_call import OneCall
from kcl_flowlog.timestamps import utc_second

log = logging.getLogger(__name__)

REFRESH_PATIENCE = 15.0
"""Seconds that a source of credentials has for its answer."""

# botocore asks its source only in the last 15 minutes.
_LONGEST_MARGIN = 900.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0

REFRESH_OUTCOMES = {
    "ok": "The source of the credentials answered.",
    "error": "It failed or did not answer within 15 s. The old credentials stay in force until they expire.",
}
"""The outcomes of flowlog_credentials_refreshes_total."""


@dataclass(frozen=True)
class Keys:
    """Credentials at a moment; `expires_at` is in Unix seconds, None if they never expire. Its text has no secret."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)
    expires_at: float | None
    account_id: str = ""


class Identity:
    """Credentials from `source`, which are botocore's. Raises what the source raises if it can't give the first keys.

    `clock` returns Unix seconds.
    """

    def __init__(self, source: Any, clock: Callable[[], float] = time.time, patience: float = REFRESH_PATIENCE) -> None:
        self._source = source
        self._clock = clock
        self._patience = patience
        self._call = OneCall()
        self._stopping = threading.Event()
        self._is_failing = False
        self.refreshes: Counter[str] = Counter(dict.fromkeys(REFRESH_OUTCOMES, 0))
        self._keys = _read(source)
        self._obtained_at = clock()
        # Otherwise botocore hides failures from 15 to 10 minutes before the end.
        source._mandatory_refresh_timeout = _LONGEST_MARGIN

    @property
    def expires_at(self) -> float:
        """When the credentials expire, in Unix seconds; 0 if they never do."""
        return self._keys.expires_at or 0.0

    @property
    def has_expired(self) -> bool:
        """Whether the credentials have expired."""
        return self._is_over(self._keys)

    def keys(self) -> Keys:
        """Return the credentials. Raises `AWS_ERRORS` if they have expired."""
        keys = self._keys
        if self._is_over(keys):
            raise botocore.exceptions.CredentialRetrievalError(
                provider=self._source.method, error_msg=f"they expired at {utc_second(keys.expires_at or 0.0)}"
            )
        return keys

    def start(self) -> None:
        """Refresh in a thread from now on; credentials that never expire need none."""
        if self._keys.expires_at is not None:
            threading.Thread(target=self._run, name="credentials", daemon=True).start()

    def stop(self) -> None:
        """End the thread, without waiting for a refresh that is under way."""
        self._stopping.set()

    def pause(self) -> float:
        """Return the seconds until the next refresh: at half of their life, or 15 minutes before its end."""
        expires_at = self._keys.expires_at or 0.0
        remaining = expires_at - self._clock()
        margin = min(_LONGEST_MARGIN, (expires_at - self._obtained_at) / 2)
        if remaining > margin:
            return max(_SHORTEST_PAUSE, remaining - margin)
        # The source failed, or gave the same credentials again, as an instance's metadata may do for a while.
        return min(_LONGEST_PAUSE, max(_SHORTEST_PAUSE, remaining / 4))

    def refresh(self) -> None:
        """Ask the source for credentials once. A failure is counted and logged."""
        try:
            keys = self._call.within(self._patience, lambda: _read(self._source))
        # Whatever a source raises, among them errors of processes and files, must not end the thread.
        except Exception as error:  # noqa: BLE001
            self.refreshes["error"] += 1
            self._log_failure(error)
            return
        self.refreshes["ok"] += 1
        if keys != self._keys:
            self._keys, self._obtained_at = keys, self._clock()
        if self._is_failing:
            self._is_failing = False
            log.info(
                "The AWS credentials are refreshed again", extra={"fields": {"expire": utc_second(self.expires_at)}}
            )

    def _is_over(self, keys: Keys) -> bool:
        return keys.expires_at is not None and self._clock() >= keys.expires_at

    def _log_failure(self, error: Exception) -> None:
        level = logging.DEBUG if self._is_failing else logging.WARNING
        self._is_failing = True
        log.log(
            level,
            "Cannot refresh the AWS credentials; trying again",
            extra={"fields": {"error": one_line(error), "expire": utc_second(self.expires_at)}},
        )

    def _run(self) -> None:
        while not self._stopping.wait(self.pause()):
            self.refresh()


def _read(source: Any) -> Keys:
    frozen = source.get_frozen_credentials()
    # botocore has no public name for it; `aws configure export-credentials` reads it the same way.
    expiry = getattr(source, "_expiry_time", None)
    return Keys(
        frozen.access_key,
        frozen.secret_key,
        frozen.token,
        expiry.timestamp() if expiry is not None else None,
        getattr(frozen, "account_id", None) or "",
    )
