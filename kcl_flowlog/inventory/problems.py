"""Log lines about an inventory: EC2 out of reach, missing permissions, flow logs that overlap or fail, subnets without.

Logs each problem once, however often the inventory is read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from kcl_flowlog.counting.subnets import Source
from kcl_flowlog.inventory.coverage import Coverage, FailingFlowLog
from kcl_flowlog.inventory.delivery_errors import DELIVERY_ERRORS
from kcl_flowlog.inventory.overlaps import Overlap

log = logging.getLogger(__name__)

_MAX_LOGGED = 5
_CONSEQUENCES = {
    "ec2:DescribeNetworkInterfaces": "interfaces are recognised by their records, some of which stay unattributed",
    "ec2:DescribeFlowLogs": "lines are read in the format of --flow-log-format or else in the default format, and"
    " failing flow logs and subnets without flow logs are unknown",
    "ec2:DescribeVpcs": "flowlog_subnet_info has no names of VPCs",
}


def missing_actions(source: Source) -> list[str]:
    """Return the actions that EC2 does not permit in a source, though an instance can do without."""
    are_permitted = (source.interfaces_listed, source.flow_logs_listed, source.vpcs_listed)
    return [action for action, is_permitted in zip(_CONSEQUENCES, are_permitted, strict=True) if not is_permitted]


class ProblemLog:
    """Logs problems. `overlaps` are known from an earlier run, and are not logged again."""

    def __init__(self, overlaps: Iterable[Overlap]) -> None:
        self._overlaps = set(overlaps)
        self._missing: set[tuple[str, str]] = set()
        self._failing: set[FailingFlowLog] = set()
        self._uncovered: set[str] = set()
        self._unread: dict[str, str] = {}

    def log_unread(self, source: Source, error: str) -> None:
        """Log that a source can't be read. The same error of the next readings is logged at debug only."""
        level = logging.DEBUG if self._unread.get(source.key) == error else logging.WARNING
        self._unread[source.key] = error
        log.log(
            level,
            "Cannot read the inventory from EC2; keeping the last inventory",
            extra={"fields": {"source": source.key, "error": error}},
        )

    def note_read(self, source: Source) -> None:
        """Log that a source can be read again, if it could not."""
        if self._unread.pop(source.key, None) is not None:
            log.info("EC2 can be read again", extra={"fields": {"source": source.key}})

    def log_missing_permissions(self, sources: Iterable[Source]) -> None:
        """Log what EC2 does not permit to list, and what follows from that."""
        for source in sources:
            for action in missing_actions(source):
                self._log_missing_permission(action, source, _CONSEQUENCES[action])

    def _log_missing_permission(self, action: str, source: Source, consequence: str) -> None:
        if (action, source.key) not in self._missing:
            self._missing.add((action, source.key))
            log.warning(
                "Missing permission; %s", consequence, extra={"fields": {"action": action, "source": source.key}}
            )

    def log_overlaps(self, overlaps: Sequence[Overlap]) -> None:
        """Log new pairs of overlapping flow logs: the first five each, the rest as a number."""
        new = [overlap for overlap in overlaps if overlap not in self._overlaps]
        self._overlaps.update(new)
        for overlap in new[:_MAX_LOGGED]:
            condition = "" if overlap.same_log_group else " if both log groups are subscribed to the stream"
            log.warning(
                "Two flow logs record the same traffic, which counts twice%s; delete one of them",
                condition,
                extra={"fields": {"flow_log": overlap.narrower, "overlaps_with": overlap.wider}},
            )
        if len(new) > _MAX_LOGGED:
            log.warning(
                "More flow logs record the same traffic",
                extra={"fields": {"pairs": len(new) - _MAX_LOGGED}},
            )

    def log_coverage(self, coverage: Coverage) -> None:
        """Log flow logs that fail and subnets without flow logs, if that is news; five each, the rest as a number."""
        failing = set(coverage.failing or ())
        new = sorted(failing - self._failing)
        self._failing = failing
        for flow_log in new[:_MAX_LOGGED]:
            log.warning(
                "A flow log does not deliver its records: %s",
                DELIVERY_ERRORS[flow_log.reason],
                extra={"fields": {"flow_log": flow_log.flow_log_id, "reason": flow_log.reason}},
            )
        if len(new) > _MAX_LOGGED:
            log.warning(
                "More flow logs do not deliver their records", extra={"fields": {"flow_logs": len(new) - _MAX_LOGGED}}
            )
        uncovered = set(coverage.uncovered or ())
        if uncovered - self._uncovered:
            first = ",".join(sorted(uncovered - self._uncovered)[:_MAX_LOGGED])
            log.info(
                "Subnets have no flow log that writes to a log group",
                extra={"fields": {"subnets": len(uncovered), "among_them": first}},
            )
        self._uncovered = uncovered
