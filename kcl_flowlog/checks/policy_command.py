"""The command `kcl-flowlog policy`: prints the least IAM policy for the given settings. Asks nobody."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from kcl_flowlog.checks.permissions import Permission
from kcl_flowlog.checks.policy import OF_INVENTORY, OF_STREAM, OWN, ROLES, Grant, Roles, as_text, document
from kcl_flowlog.inventory.stream import stream_region
from kcl_flowlog.options import SettingsCommand, config_of, some_settings
from kcl_flowlog.text_table import format_table

_HEADER = ("action", "resource", "needed", "used by", "to")


@click.command(cls=SettingsCommand)
@click.option(
    "--account", default="", metavar="ID", help="Account of the instances. Default: that of the stream's ARN."
)
@click.option("--kms-key", "key", default="", metavar="ARN", help="Key with which the stream is encrypted.")
@click.option(
    "--for",
    "role",
    type=click.Choice(tuple(ROLES)),
    default=OWN,
    show_default=True,
    help="Whose policy: " + ", ".join(f"{role} ({text})" for role, text in ROLES.items()) + ".",
)
@click.option(
    "--optional/--no-optional",
    "has_optional",
    default=True,
    help="Allow what an instance can do without, too; on by default. Such statements end in Optional.",
)
@click.option(
    "--output",
    type=click.Choice(("json", "table")),
    default="json",
    show_default=True,
    help="`json` is the policy, `table` explains each action.",
)
@some_settings(
    "stream",
    "stream_role",
    "application",
    "region",
    "retrieval",
    "inventory_role",
    "inventory_region",
    "kcl_property",
    "kcl_metrics",
)
def policy(account: str, key: str, role: str, has_optional: bool, output: str, **values: Any) -> None:
    """Print the least IAM policy that `run` needs with the same settings. Asks nobody, and changes nothing.

    With --stream-role or --inventory-role, those roles need a policy as well; --for prints it.

    \b
    Examples:
      kcl-flowlog policy --stream flow-logs --region eu-central-1 --account 123456789012
      kcl-flowlog policy --config.file kcl-flowlog.yml --account 123456789012 --output table
    """
    # It is long because click wants each option as an argument, and shows the text above as the help.
    config = config_of(values)
    roles = Roles(config, stream_region(config.stream, config.region, os.environ), account, key)
    grants = list(roles.grants(role))
    if output == "table":
        kept = [grant for grant in grants if has_optional or grant.permission.is_required]
        click.echo("\n".join(format_table(_HEADER, map(_row, kept), left_aligned=_HEADER)))
    else:
        click.echo(as_text(document(grants, has_optional)))
    for other, given in ((OF_STREAM, config.stream_role), (OF_INVENTORY, config.inventory_role)):
        if given and role == OWN:
            click.echo(f"Note: {ROLES[other]} needs a policy as well; print it with --for {other}.", err=True)


def _row(grant: Grant) -> Sequence[str]:
    permission: Permission = grant.permission
    return (
        permission.action,
        " ".join(grant.resources),
        "yes" if permission.is_required else "no",
        permission.user,
        permission.why,
    )
