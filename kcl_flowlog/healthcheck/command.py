"""The command `kcl-flowlog healthcheck`, for calls that `quick` does not understand: help, mistakes, completion.

Every mistake is exit code 1, as for an instance that is not healthy: container engines reserve 2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kcl_flowlog.errors import ConfigError, Unhealthy
from kcl_flowlog.healthcheck.probe import HEALTHY, READY, TIMEOUT, Question, ask
from kcl_flowlog.healthcheck.quick import SETTINGS, parse_timeout
from kcl_flowlog.options import SettingsCommand, some_settings


class HealthcheckCommand(SettingsCommand):
    """A command whose mistakes are exit code 1."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the arguments."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except ConfigError as error:
            raise Unhealthy(str(error)) from None
        except click.ClickException as error:
            raise Unhealthy(" ".join(error.format_message().split())) from None


def _timeout(ctx: click.Context, param: click.Parameter, value: str) -> float:
    try:
        return parse_timeout(value)
    except ValueError as error:
        raise ConfigError(f"--timeout: {error}.") from None


@click.command(cls=HealthcheckCommand)
@click.option("--ready", is_flag=True, help="Ask whether the instance is ready, not only healthy.")
@click.option(
    "--timeout",
    metavar="TIME",
    default=TIMEOUT,
    show_default=True,
    callback=_timeout,
    help="How long to wait for the answer.",
)
@click.option(
    "--client-cert",
    metavar="FILE",
    help="Client certificate to show if the web config requires one. Default: the instance's own.",
)
@click.option("--client-key", metavar="FILE", help="Key of --client-cert. Default: in the same file.")
@some_settings(*SETTINGS)
def healthcheck(ready: bool, timeout: float, client_cert: str | None, client_key: str | None, **values: Any) -> None:
    """Ask the instance on this machine how it is: exit code 0 if it is healthy, else 1 and a sentence.

    Finds the instance by the options, variables and file of `run`. If the web config has users, start the instance
    with --web.probes-without-auth. The instance's certificate is not verified.

    \b
    Examples:
      kcl-flowlog healthcheck
      kcl-flowlog healthcheck --ready --web.listen-address :9000
    """
    click.echo(
        ask(
            Question(
                address=values["web_listen_address"],
                page=READY if ready else HEALTHY,
                timeout=timeout,
                client_cert=Path(client_cert) if client_cert is not None else None,
                client_key=Path(client_key) if client_key is not None else None,
                web_config_file=values["web_config_file"],
            )
        )
    )
