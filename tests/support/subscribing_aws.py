"""The embedded AWS, whose subscriptions write envelopes as CloudWatch Logs does: with texts as the ids of events.

Run as `python -m tests.support.subscribing_aws` in place of `kcl_flowlog.demo.aws_server`.
"""

from __future__ import annotations

from typing import Any

from moto.kinesis.models import KinesisBackend

from kcl_flowlog.demo import aws_server


def _send_as_aws(send: Any) -> Any:
    def sending(*arguments: Any) -> None:
        *others, events = arguments
        send(*others, [{**event, "id": str(event["id"])} for event in events])

    return sending


if __name__ == "__main__":
    KinesisBackend.send_log_event = _send_as_aws(KinesisBackend.send_log_event)  # type: ignore[method-assign]
    aws_server.main()
