"""The command `kcl-flowlog who`. A partial answer is shown as such, and is exit code 3; no answer is a sentence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import click
import msgspec

from kcl_flowlog.errors import ConfigError, NobodyKnows
from kcl_flowlog.options import SettingsCommand, some_settings
from kcl_flowlog.peers import one_peer
from kcl_flowlog.peers.client_files import ClientFiles
from kcl_flowlog.peers.fleet import Fleet
from kcl_flowlog.peers.merging import Me, Merged, merge
from kcl_flowlog.peers.reporting import Place, report_of
from kcl_flowlog.values import PeerUrl, parse_peer
from kcl_flowlog.web.who_page import BadQuestion, Question, question_of
from kcl_flowlog.web.who_report import SubnetList, WhoReport
from kcl_flowlog.who.tables import list_lines, report_lines

PARTIAL = 3
"""The exit code if an instance is missing in the answer."""

_SETTINGS = ("peers", "peers_timeout", "peers_ca", "peers_client_cert", "peers_client_key", "peers_credentials")


@click.command(cls=SettingsCommand)
@click.argument("urls", metavar="[URL]...", nargs=-1)
@click.option("--subnet", metavar="ID", default="", help="Subnet to tell of. Default: list the subnets with rejects.")
@click.option("--window", metavar="TIME", default="1h", show_default=True, help="How far back, from 5m to 1h.")
@click.option("--action", metavar="ACTION", default="", help="One of: reject, accept. Default: both.")
@click.option("--limit", metavar="N", default="10", show_default=True, help="Names of each kind, up to 100.")
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to show it."
)
@some_settings(*_SETTINGS)
def who(urls: Sequence[str], subnet: str, window: str, action: str, limit: str, output: str, **values: Any) -> None:
    """Ask instances who sent what in the last hour, and show what they know together.

    A URL is http:// or https:// with host and port, or dns+http:// for all addresses of a name; without, it is what
    --peers is set to. No instance asks another for it.

    Exit codes: 0 all instances have answered; 1 none has, or none knows the subnet; 2 a mistake in the command; 3 some
    have answered, and the others are named.

    \b
    Examples:
      kcl-flowlog who dns+http://kcl-flowlog:10514
      kcl-flowlog who http://a:10514 http://b:10514 --subnet subnet-0a1b2c3d --window 15m --output json
    """
    question = _question({"subnet": subnet, "window": window, "action": action, "limit": limit})
    peers = tuple(map(_peer, urls)) or values["peers"]
    if not peers:
        raise ConfigError("No instance to ask: name its URL, such as http://localhost:10514, or set --peers.")
    files = ClientFiles(*(values[name] for name in _SETTINGS[2:]))
    merged = _ask(Fleet(peers, files, values["peers_timeout"]), question)
    answer = _answer(merged, question, time.time())
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2))
    else:
        for line in _lines(answer, window):
            click.echo(line)
    if merged.missing:
        raise click.exceptions.Exit(PARTIAL)


def _question(fields: dict[str, str]) -> Question:
    try:
        return question_of(urlencode({name: text for name, text in fields.items() if text}))
    except BadQuestion as error:
        raise ConfigError(str(error)) from None


def _peer(text: str) -> PeerUrl:
    try:
        return parse_peer(text)
    except ValueError as error:
        raise ConfigError(f"URL: {error}.") from None


def _ask(fleet: Fleet, question: Question) -> Merged:
    """Return what the instances know. Raises `NobodyKnows` if none answers, and `ConfigError`."""
    fleet.check()
    merged = merge(fleet.ask(one_peer.PeerQuestion(question.subnet_id, question.steps)), question.subnet_id, Me())
    missing = " ".join(map(str, merged.missing))
    if not merged.answered:
        raise NobodyKnows(f"No instance has answered. {missing}")
    if question.subnet_id and not merged.is_known:
        sentence = f"Nothing is known of the subnet {question.subnet_id!a}; without --subnet, all are listed."
        raise NobodyKnows(f"{sentence} {missing}".rstrip())
    return merged


def _answer(merged: Merged, question: Question, now: float) -> WhoReport | SubnetList:
    if not question.subnet_id:
        return SubnetList(merged.lines, merged.peers)
    place = Place(merged.name, merged.vpc_id)
    report = report_of(merged.sketches, question, place, now, merged.interfaces.get)
    report.peers = merged.peers
    return report


def _lines(answer: WhoReport | SubnetList, window: str) -> Sequence[str]:
    return list_lines(answer) if isinstance(answer, SubnetList) else report_lines(answer, window)
