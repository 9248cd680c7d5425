"""The checks, in the order of the table that the user sees."""

from __future__ import annotations

from kcl_flowlog.checks import account, flow_logs, machine, tables
from kcl_flowlog.checks.result import Check
from kcl_flowlog.checks.world import World

_AWS = ("settings", "credentials")

CHECKS: tuple[Check[World], ...] = (
    Check("settings", machine.settings),
    Check("java", machine.java),
    Check("jars", machine.jars),
    Check("state directory", machine.state_directory),
    Check("port", machine.port),
    Check("web config", machine.web_config),
    Check("peers", machine.peers),
    Check("proxy", machine.proxy, ("settings",)),
    Check("credentials", account.credentials, ("settings",)),
    Check("clock", account.clock, _AWS),
    Check("stream", account.stream, _AWS),
    Check("reading", account.reading, (*_AWS, "stream")),
    Check("tables", tables.permissions, _AWS),
    Check("application", tables.application, (*_AWS, "stream", "tables")),
    Check("subnets", flow_logs.subnets, _AWS),
    Check("flow logs", flow_logs.flow_logs, (*_AWS, "subnets")),
    Check("formats", flow_logs.formats, (*_AWS, "subnets")),
    Check("subscriptions", flow_logs.subscriptions, (*_AWS, "stream", "subnets")),
)
