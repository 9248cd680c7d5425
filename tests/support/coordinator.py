"""A table of coordinator state in memory, with the conditions of the real table; and the real table in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import botocore.exceptions
from moto import mock_aws

from kcl_flowlog.launcher.coordinator_table import Answer, CoordinatorTable
from kcl_flowlog.launcher.until_done import Wait
from tests.support.ec2 import client_error

FAILED = client_error("InternalServerError", "Try again.", "GetItem")
DENIED = client_error("AccessDeniedException", "Not authorized to perform dynamodb:GetItem.", "GetItem")
NOT_FOUND = client_error("ResourceNotFoundException", "Requested resource not found.", "GetItem")


def never(_: float) -> bool:
    """Wait for nothing; no stop is requested."""
    return False


class FakeTable(CoordinatorTable):
    """Items by key; AWS answers at `now`. Each of `errors` fails a call."""

    def __init__(self, exists: bool = True) -> None:
        super().__init__(None, "flows-CoordinatorState", {})
        self.exists = exists
        self.items: dict[str, dict[str, str]] = {}
        self.now = 1_769_860_800.9
        self.errors: list[Exception] = []
        self.before_write: list[Callable[[], object]] = []
        """What others do just before the next writes."""

    def read(self, key: str) -> Answer:
        self._fail_if_told()
        return Answer(self.items.get(key), self.now)

    def put(self, key: str, item: Mapping[str, str], replaces: Mapping[str, str] | None = None) -> bool:
        self._fail_if_told()
        if self.before_write:
            self.before_write.pop(0)()
        if not self._is_as_expected(key, replaces):
            return False
        self.items[key] = {"key": key, **item}
        return True

    def delete(self, key: str, expected: Mapping[str, str]) -> bool:
        self._fail_if_told()
        if not self._is_as_expected(key, expected):
            return False
        del self.items[key]
        return True

    def create(self, wait: Wait) -> bool:
        if wait(1.0):
            return False
        self.exists = True
        return True

    def _is_as_expected(self, key: str, expected: Mapping[str, str] | None) -> bool:
        if expected is None or key not in self.items:
            return expected is None and key not in self.items
        return expected.items() <= self.items[key].items()

    def _fail_if_told(self) -> None:
        if not self.exists:
            raise NOT_FOUND
        if self.errors:
            raise self.errors.pop(0)


@contextmanager
def dynamodb() -> Iterator[Any]:
    """Yield a client of a DynamoDB in this process, without tables."""
    with mock_aws():
        yield boto3.client(
            "dynamodb", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
        )


def fail_once(client: Any, method: str, error: botocore.exceptions.ClientError) -> None:
    """Make the next call of a client's method raise an error."""
    call, errors = getattr(client, method), [error]

    def fail(**request: Any) -> Any:
        if errors:
            raise errors.pop()
        return call(**request)

    setattr(client, method, fail)
