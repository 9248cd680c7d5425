"""Items of this product in the KCL's table of coordinator state, beside the KCL's own.

Creates the table as the KCL would if it is missing, because it is needed before the first daemon. Reads are consistent
and writes are conditional. What the user can fix is a `ConfigError`; calls may raise `AWS_ERRORS`, and
`launcher.until_done` repeats them. Must not know what the items mean.

The KCL does not mind the items: it asks for its own two by their keys (`Leader`, `Migration3.0`), and takes any other
for a state that it does not know. Source: `CoordinatorStateDAO`, `MigrationState`, `DdbTableConfig` and `TagConverter`,
amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_errors import (
    AWS_ERRORS,
    is_denied,
    is_existing,
    is_failed_condition,
    is_not_found,
)
from kcl_flowlog.launcher.until_done import Wait

_PAUSE = 1.0


class Answer(NamedTuple):
    """An item, or None if it does not exist; and when AWS answered, in Unix seconds."""

    item: dict[str, str] | None
    moment: float


class CoordinatorTable:
    """The table of one application. `properties` are the user's for the KCL; attributes of items are texts."""

    def __init__(
        self, dynamodb: Any, name: str, properties: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self._dynamodb = dynamodb
        self._properties = properties
        self._clock = clock

    def read(self, key: str) -> Answer:
        """Return an item as it is now."""
        answer = self._dynamodb.get_item(TableName=self.name, Key={"key": {"S": key}}, ConsistentRead=True)
        item = answer.get("Item")
        texts = {name: value["S"] for name, value in item.items() if "S" in value} if item is not None else None
        return Answer(texts, self._moment(answer))

    def put(self, key: str, item: Mapping[str, str], replaces: Mapping[str, str] | None = None) -> bool:
        """Put an item; return False if it exists, or if what it `replaces` has not these attributes any more."""
        return self._write(
            self._dynamodb.put_item, replaces, Item={name: {"S": text} for name, text in {"key": key, **item}.items()}
        )

    def delete(self, key: str, expected: Mapping[str, str]) -> bool:
        """Delete an item; return False if it has not these attributes any more."""
        return self._write(self._dynamodb.delete_item, expected, Key={"key": {"S": key}})

    def create(self, wait: Wait) -> bool:
        """Create the table if it is missing, and wait until it can be used; return False if a stop is requested.

        Raises `ConfigError` if the permission is missing, or if the user's properties are invalid.
        """
        try:
            self._dynamodb.create_table(**self._creation())
        except AWS_ERRORS as error:
            if is_denied(error):
                raise ConfigError(
                    f"No permission to create the table {self.name} in DynamoDB; allow dynamodb:CreateTable, or create"
                    " it with the partition key `key`, a string."
                ) from error
            # Another instance has just created it.
            if not is_existing(error):
                raise
        while not self._is_active():
            if wait(_PAUSE):
                return False
        if _is_on(self._properties.get("coordinatorStatePointInTimeRecoveryEnabled")):
            # The KCL does it only after it has created the table itself.
            self._dynamodb.update_continuous_backups(
                TableName=self.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )
        return True

    def _creation(self) -> dict[str, Any]:
        """Return the request with which the KCL creates the table."""
        properties = self._properties
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
            "BillingMode": properties.get("coordinatorStateBillingMode", "PAY_PER_REQUEST"),
        }
        if request["BillingMode"] == "PROVISIONED":
            request["ProvisionedThroughput"] = {
                "ReadCapacityUnits": _number(properties, "coordinatorStateReadCapacity"),
                "WriteCapacityUnits": _number(properties, "coordinatorStateWriteCapacity"),
            }
        if _is_on(properties.get("coordinatorStateDeletionProtectionEnabled")):
            request["DeletionProtectionEnabled"] = True
        if tags := _tags(properties.get("coordinatorStateTags", "")):
            request["Tags"] = tags
        return request

    def _is_active(self) -> bool:
        try:
            return bool(self._dynamodb.describe_table(TableName=self.name)["Table"]["TableStatus"] == "ACTIVE")
        except AWS_ERRORS as error:
            # Just after its creation, not every server of DynamoDB knows the table.
            if is_not_found(error):
                return False
            raise

    def _write(self, write: Callable[..., Any], expected: Mapping[str, str] | None, **request: Any) -> bool:
        """Write if the item has the expected attributes; if None are expected, if it does not exist."""
        if expected is None:
            condition: dict[str, Any] = {
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": {"#key": "key"},
            }
        else:
            numbered = dict(enumerate(expected.items()))
            condition = {
                "ConditionExpression": " AND ".join(f"#n{place} = :v{place}" for place in numbered),
                "ExpressionAttributeNames": {f"#n{place}": name for place, (name, _) in numbered.items()},
                "ExpressionAttributeValues": {f":v{place}": {"S": text} for place, (_, text) in numbered.items()},
            }
        try:
            write(TableName=self.name, **request, **condition)
        except AWS_ERRORS as error:
            if is_failed_condition(error):
                return False
            raise
        return True

    def _moment(self, answer: Mapping[str, Any]) -> float:
        """Return when AWS answered, by its clock; by the clock of this machine only if the answer does not tell."""
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            return parsedate_to_datetime(date).timestamp()
        except ValueError:
            return self._clock()


def _is_on(text: str | None) -> bool:
    return text is not None and text.lower() in ("true", "yes", "y", "on", "1")


def _number(properties: Mapping[str, str], name: str) -> int:
    text = properties.get(name, "0")
    if not text.isdigit():
        raise ConfigError(f"--kcl-property: {name} is {text!r}; it must be a whole number.")
    return int(text)


def _tags(text: str) -> list[dict[str, str]]:
    pairs = [pair.split("=") for pair in text.split(",")]
    return [{"Key": pair[0].strip(), "Value": pair[1].strip()} for pair in pairs if len(pair) == 2]
