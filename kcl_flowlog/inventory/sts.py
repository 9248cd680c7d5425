"""What only STS can tell: the account of the credentials, and the keys of a role.

If STS can't be reached, as in a network without its endpoint, that is logged once, and for ten minutes nobody asks it
again: each attempt takes seconds, and every reading of the inventory would wait for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_unreachable, one_line
from kcl_flowlog.inventory.identity import Keys

log = logging.getLogger(__name__)

REST = 600.0
"""Seconds for which an STS out of reach is not asked again."""

ROLE_SESSION_NAME = "kcl-flowlog"
# Seconds: how long a session lasts, after how long its role is assumed again, and the pause after a failure.
_SESSION, _ASSUMED_AGAIN_AFTER, _PAUSE = 3600.0, 2700.0, 60.0

T = TypeVar("T")

CLIENT_SETTINGS = {"connect_timeout": 3, "read_timeout": 5}
"""The settings of STS' client."""


class Sts:
    """Asks STS. `open_client` returns a client; `clock` is monotonic."""

    def __init__(self, open_client: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._open_client = open_client
        self._clock = clock
        self._account_id = ""
        self._failure: Exception | None = None
        self._ask_again_at = 0.0

    def account_id(self) -> str:
        """Return the account of the credentials, or an empty text if STS does not tell. Asks until it knows."""
        if not self._account_id:
            try:
                self._account_id = self._ask(lambda sts: str(sts.get_caller_identity()["Account"]))
            except AWS_ERRORS as error:
                log.debug("Unknown account of the credentials", extra={"fields": {"error": one_line(error)}})
        return self._account_id

    def assume(self, role: str) -> Keys:
        """Return the keys of a role, which last for an hour. Raises `AWS_ERRORS`."""
        answer = self._ask(lambda sts: sts.assume_role(RoleArn=role, RoleSessionName=ROLE_SESSION_NAME))
        keys = answer["Credentials"]
        return Keys(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], None)

    def _ask(self, question: Callable[[Any], T]) -> T:
        if self._failure is not None and self._clock() < self._ask_again_at:
            raise self._failure
        try:
            answer = question(self._open_client())
        except AWS_ERRORS as error:
            self._failure = self._rest_after(error) if is_unreachable(error) else None
            raise
        self._failure = None
        return answer

    def _rest_after(self, error: Exception) -> Exception:
        if self._failure is None:
            log.warning(
                "Cannot reach STS; without it the account of the credentials is unknown, and no role can be assumed",
                extra={"fields": {"error": one_line(error), "asked_again_after_seconds": REST}},
            )
        self._ask_again_at = self._clock() + REST
        return error


class RoleKeys:
    """The keys of a role, assumed again before its session of an hour ends; `clock` is monotonic.

    A call may raise `AWS_ERRORS`, but not while the last session is valid.
    """

    def __init__(self, sts: Sts, role: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._sts = sts
        self._role = role
        self._clock = clock
        self._keys: Keys | None = None
        self._ends_at = 0.0
        self._assume_at = 0.0

    def __call__(self) -> Keys:
        """Return the keys."""
        now = self._clock()
        if self._keys is not None and now < self._assume_at:
            return self._keys
        try:
            self._keys = self._sts.assume(self._role)
        except AWS_ERRORS as error:
            if self._keys is None or now >= self._ends_at:
                raise
            log.warning(
                "Cannot assume a role again; trying again while its keys are valid",
                extra={
                    "fields": {"role": self._role, "error": one_line(error), "seconds_left": round(self._ends_at - now)}
                },
            )
            self._assume_at = now + _PAUSE
        else:
            self._ends_at, self._assume_at = now + _SESSION, now + _ASSUMED_AGAIN_AFTER
        return self._keys
