"""The documentation and the tables in the code agree; REWRITE_DOCS=1 rewrites the generated parts."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable

import cost_model
import pipeline_cost
import pytest

from kcl_flowlog.checks.permissions import PERMISSIONS
from kcl_flowlog.config import settings
from kcl_flowlog.counting import outcomes
from kcl_flowlog.counting.fields import FIELDS
from kcl_flowlog.counting.flow_record import PROTOCOL_NAMES
from kcl_flowlog.counting.interface_types import INTERFACE_TYPES
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.paths import PATHS
from kcl_flowlog.counting.peers import PEERS
from kcl_flowlog.counting.recommended_format import COSTS as FIELD_COSTS
from kcl_flowlog.counting.recommended_format import RECOMMENDED_FORMAT
from kcl_flowlog.demo.story import STORY
from kcl_flowlog.exporter.contract import METRICS
from kcl_flowlog.inventory.delivery_errors import DELIVERY_ERRORS
from kcl_flowlog.inventory.identity import REFRESH_OUTCOMES as CREDENTIAL_OUTCOMES
from kcl_flowlog.inventory.keeper import REFRESH_OUTCOMES
from kcl_flowlog.launcher.supervisor import RESTART_REASONS
from kcl_flowlog.web.tls import CLIENT_AUTH_TYPES
from kcl_flowlog.web.web_config_keys import CLIENT_AUTH, WEB_CONFIG_KEYS
from ops.alerts import ALERTS
from ops.dashboards.cost import ITEMS
from ops.dashboards.table import dashboards
from ops.values import read_values
from tests.support.commands import commands_table
from tests.support.costs import COSTS
from tests.support.paths import ROOT
from tests.support.samples import denial_sample, metrics_sample, policy_sample, table_sample


def settings_table() -> str:
    lines = ["| option | environment variable | default | description |", "| --- | --- | --- | --- |"]
    group = ""
    for setting in settings().values():
        if setting.group != group:
            group = setting.group
            lines.append(f"| **{group}** | | | |")
        shown = f"`{setting.default}`" if setting.default else ""
        choices = f" One of: {', '.join(f'`{choice}`' for choice in setting.choices)}." if setting.choices else ""
        lines.append(f"| `{setting.shown_flag}` | `{setting.variable}` | {shown} | {setting.help}{choices} |")
    return "\n".join(lines)


def metrics_table() -> str:
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    suffix = {"counter": "_total", "info": "_info"}
    for name, kind, labels, text in METRICS.values():
        shown = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}{suffix.get(kind, '')}` | {kind} | {shown} | {text} |")
    return "\n".join(lines)


def word_table(heading: str, words: dict[str, str]) -> str:
    lines = [f"| {heading} | meaning |", "| --- | --- |"]
    return "\n".join(lines + [f"| `{word}` | {meaning} |" for word, meaning in words.items()])


def costs_table() -> str:
    lines = [
        "| egress and ingress of one subnet | direction | peer | path | interface_type |",
        "| --- | --- | --- | --- | --- |",
    ]
    for traffic, (_, *labels, _) in COSTS.items():
        lines.append(f"| {traffic} | {' | '.join(f'`{label}`' for label in labels)} |")
    return "\n".join(lines)


def advice_table(heading: str, words: dict[str, outcomes.Word]) -> str:
    lines = [f"| {heading} | meaning | what to do |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| `{name}` | {word.meaning} | {word.advice} |" for name, word in words.items()])


def story_table() -> str:
    """Return the acts of the demo's story, and the alerts that they provoke."""
    lines = [
        "| seconds | act | subnet | what it shows | alerts, and within how many minutes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for act in STORY:
        alerts = ", ".join(
            f"[{each.alert}](#{each.alert.lower()}) {each.severity} ({each.within})" for each in act.alerts
        )
        lines.append(f"| {act.start} to {act.end} | {act.title} | {act.subnet} | {act.shows} | {alerts or 'none'} |")
    return "\n".join(lines)


def alerts_table() -> str:
    lines = ["| alert | severity | for | thresholds | meaning |", "| --- | --- | --- | --- | --- |"]
    levels = read_values().alerts
    for alert in (alert for alerts in ALERTS.values() for alert in alerts):
        for level in levels[alert.name]:
            thresholds = ", ".join(f"`{name}` {number:,.15g}" for name, number in level.thresholds.items())
            name = f"[{alert.name}](#{alert.name.lower()})"
            lines.append(f"| {name} | {level.severity} | {level.hold or '0m'} | {thresholds} | {alert.summary} |")
    return "\n".join(lines)


def dashboards_table() -> str:
    parts = []
    for path, dashboard in dashboards(read_values()).items():
        parts.append(f"### {dashboard.title}\n\n`{path.relative_to(ROOT)}`. {dashboard.description}\n")
        parts += ["| row | panel | what it shows | alerts |", "| --- | --- | --- | --- |"]
        for row, panels in dashboard.rows.items():
            for panel in panels:
                alerts = ", ".join(f"[{alert}](runbooks.md#{alert.lower()})" for alert in panel.alerts)
                parts.append(f"| {row} | {panel.title} | {panel.description} | {alerts} |")
        parts.append("")
    return "\n".join(parts)


def prices_table() -> str:
    lines = ["| field | traffic | USD for a GiB | region | source |", "| --- | --- | --- | --- | --- |"]
    for name, price in read_values().dashboards.prices.items():
        item = ITEMS[name]
        cells = (f"`price_{name}`", item.description, f"{price.usd_per_gib:g}", price.region, f"<{price.source}>")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def fields_table() -> str:
    lines = ["| field | version | a format without it |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| `{name}` | {FIELDS[name].version} | {cost} |" for name, cost in FIELD_COSTS.items()])


def flow_log_commands() -> str:
    return f"""```sh
aws ec2 create-flow-logs --resource-type VPC --resource-ids vpc-… --traffic-type ALL --max-aggregation-interval 60 \\
    --log-group-name /vpc/flow-logs --deliver-logs-permission-arn arn:aws:iam::…:role/flow-logs \\
    --log-format '{RECOMMENDED_FORMAT}'
aws logs put-subscription-filter --log-group-name /vpc/flow-logs --filter-name to-kinesis --filter-pattern '' \\
    --destination-arn arn:aws:kinesis:…:stream/flow-logs --role-arn arn:aws:iam::…:role/logs-to-kinesis
```"""


def optional_permissions_table() -> str:
    lines = ["| may be missing | for | what an instance does without |", "| --- | --- | --- |"]
    return "\n".join(
        lines + [f"| `{row.action}` | {row.resource} | {row.without} |" for row in PERMISSIONS if row.without]
    )


def web_config_table() -> str:
    lines = ["| key | meaning |", "| --- | --- |"]
    for section, keys in WEB_CONFIG_KEYS.items():
        lines += [f"| **{section}** | |", *(f"| `{key}` | {meaning} |" for key, meaning in keys.items())]
    return "\n".join(lines)


def client_auth_table() -> str:
    lines = ["| `client_auth_type` | a client needs | warning |", "| --- | --- | --- |"]
    return "\n".join(
        [*lines, *(f"| `{kind}` | {needs} | {warning} |" for kind, (needs, warning) in CLIENT_AUTH.items())]
    )


GENERATED: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "settings"): settings_table,
    ("README.md", "metrics sample"): metrics_sample,
    ("README.md", "flow log"): flow_log_commands,
    ("README.md", "policy"): policy_sample,
    ("README.md", "optional permissions"): optional_permissions_table,
    ("README.md", "denial sample"): denial_sample,
    ("README.md", "table sample"): table_sample,
    ("docs/accounting.md", "fields"): fields_table,
    ("docs/metrics.md", "metrics"): metrics_table,
    ("docs/metrics.md", "peers"): lambda: word_table("peer", PEERS),
    ("docs/metrics.md", "paths"): lambda: word_table("path", PATHS),
    ("docs/metrics.md", "interface types"): lambda: word_table("interface_type", INTERFACE_TYPES),
    ("docs/metrics.md", "costs"): costs_table,
    ("docs/accounting.md", "events"): lambda: advice_table("outcome", outcomes.EVENT_OUTCOMES),
    ("docs/accounting.md", "payloads"): lambda: advice_table("outcome", outcomes.PAYLOAD_OUTCOMES),
    ("docs/accounting.md", "malformed"): lambda: advice_table("reason", outcomes.MALFORMED_REASONS),
    ("docs/metrics.md", "refreshes"): lambda: word_table("outcome", REFRESH_OUTCOMES),
    ("docs/metrics.md", "delivery errors"): lambda: word_table("reason", DELIVERY_ERRORS),
    ("docs/metrics.md", "credentials"): lambda: word_table("outcome", CREDENTIAL_OUTCOMES),
    ("docs/runbooks.md", "alerts"): alerts_table,
    ("docs/runbooks.md", "story"): story_table,
    ("docs/security.md", "web config keys"): web_config_table,
    ("docs/security.md", "client_auth_type"): client_auth_table,
    ("docs/dashboards.md", "dashboards"): dashboards_table,
    ("docs/dashboards.md", "prices"): prices_table,
    ("docs/performance.md", "fleets"): cost_model.fleet_table,
    ("docs/performance.md", "requests"): cost_model.requests_table,
    ("docs/performance.md", "prices"): cost_model.prices_table,
    ("docs/aws-cost.md", "cases"): pipeline_cost.cases_table,
    ("docs/aws-cost.md", "prices"): pipeline_cost.prices_table,
    ("docs/commands.md", "commands"): commands_table,
    ("docs/metrics.md", "restarts"): lambda: word_table("reason", RESTART_REASONS),
}


def test_every_type_of_client_authentication_has_a_row() -> None:
    """In the order of the code."""
    assert list(CLIENT_AUTH_TYPES) == list(CLIENT_AUTH)


@pytest.mark.parametrize(("page", "part"), GENERATED, ids=lambda value: value)
def test_generated_part_is_up_to_date(page: str, part: str) -> None:
    """Each table in the documentation is what the code generates."""
    path = ROOT / page
    text = path.read_text()
    pattern = re.compile(rf"(<!-- {part}: [^\n]*-->\n)(.*?)(<!-- end of {part} -->)", re.DOTALL)
    match = pattern.search(text)
    assert match is not None, f"{page} has no part {part}"
    if os.environ.get("REWRITE_DOCS"):
        path.write_text(text[: match.start(2)] + GENERATED[page, part]() + "\n" + text[match.end(2) :])
        return

    assert GENERATED[page, part]() + "\n" == match[2]


def test_protocol_names_are_documented() -> None:
    """docs/metrics.md lists every protocol that has a name."""
    text = (ROOT / "docs/metrics.md").read_text()

    assert [] == [name for name in PROTOCOL_NAMES.values() if f"`{name}`" not in text]


def test_every_example_has_the_recommended_format() -> None:
    """AWS can't change the format of a flow log afterwards, so no example may lack a field."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # CloudFormation's !Sub writes `${!version}`, and YAML folds lines.
    pattern = re.compile(r"\$\{!?[a-z][a-z-]+\}(?:\s+\$\{!?[a-z][a-z0-9-]+\}){4,}")
    found = {
        (name, " ".join(match[0].replace("!", "").split()))
        for name in listed.stdout.splitlines()
        if not name.startswith(("tests/", "kcl_flowlog/", "benchmarks/"))
        for match in pattern.finditer((ROOT / name).read_text(encoding="utf-8", errors="replace"))
    }

    assert {RECOMMENDED_FORMAT} == {text for _, text in found} - {DEFAULT_FORMAT}
