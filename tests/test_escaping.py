"""Text from outside that is shown: no character in it moves a cursor, ends a line or turns the direction."""

from __future__ import annotations

import json
import logging
import sys
import unicodedata
from collections.abc import Callable

import pytest

from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting.attribution import Place
from kcl_flowlog.counting.delta import Delta, Traffic
from kcl_flowlog.counting.flow_record import record_from_fields
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.counting.subnets import Inventory, Subnet
from kcl_flowlog.demo.columns import Column, table_lines
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.exporter.state import InstanceState
from kcl_flowlog.logs import Formatter
from kcl_flowlog.processor.denials import denial_line
from kcl_flowlog.replay.report import to_json
from kcl_flowlog.text_table import format_table
from tests.support.exporter import page

_DANGEROUS = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))

DANGEROUS = "".join(char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char) in _DANGEROUS)
"""Every character of Unicode that a terminal may obey instead of showing it; some thousand surrogates among them."""
# Nothing that comes as JSON has surrogates, and the denials' encoder refuses them.
WITHOUT_SURROGATES = "".join(char for char in DANGEROUS if unicodedata.category(char) != "Cs")


def a_log_line(form: str, text: str) -> str:
    record = logging.LogRecord("kcl", logging.WARNING, "x.py", 1, "%s", (text,), None)
    record.__dict__["fields"] = {"log_stream": text}
    return Formatter(form).format(record)


def a_denial(text: str) -> str:
    fields = {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "action": "REJECT", "reject-reason": text}
    denial = Denial(record_from_fields(fields), Place("subnet-a", "ingress", "internet"))
    return bytes(denial_line(denial, 0.0)).decode()


def a_replay(text: str) -> str:
    delta = Delta()
    delta.add_flow(Traffic("".join(char for char in text if unicodedata.category(char) != "Cs"), "", "", "", ""), 1, 1)
    return to_json(delta, {}).replace("\n", "")


def a_metrics_page(text: str) -> str:
    subnet = Subnet("subnet-a", text, text, text, (text,), text, text, vpc_name=text, tags=(("team", text),))
    state = InstanceState(Totals([], [], {}, {}), Inventory(1.0, (subnet,)))
    return page(state, subnet_tags=("team",)).replace("\n", "")


OUTPUTS: dict[str, Callable[[str], str]] = {
    "the function itself": escape_unprintable,
    "a line of logfmt": lambda text: a_log_line("logfmt", text),
    "a line of JSON": lambda text: a_log_line("json", text),
    "the JSON of a replay": a_replay,
    "a table": lambda text: "".join(format_table(("name",), [[text]], ())),
    "a table of the demo": lambda text: "".join(table_lines([Column("name")], [[text]])),
    "the metrics page, without its line ends": a_metrics_page,
    "a denial": lambda text: a_denial("".join(char for char in text if unicodedata.category(char) != "Cs")),
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_no_dangerous_character_comes_through(output: Callable[[str], str]) -> None:
    """Categories Cc, Cf, Cs, Zl and Zp, all characters of them, each between letters."""
    shown = output("a" + "a".join(DANGEROUS) + "a")

    assert set() == set(DANGEROUS) & set(shown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain text, größe, 東京, 🙂", "plain text, größe, 東京, 🙂"),
        ("\x9b31m", r"\u009b31m"),
        ("a\x7fb", r"a\u007fb"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("two\u2028lines\u2029", r"two\u2028lines\u2029"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\udb40\udc01"),
        ("no\u00a0break", r"no\u00a0break"),
    ],
)
def test_what_is_visible_stays_and_the_rest_is_escaped(text: str, expected: str) -> None:
    """Letters of any language are no danger."""
    assert expected == escape_unprintable(text)


def test_what_a_caller_keeps_is_not_escaped() -> None:
    """Such as the line ends of a text that has several lines."""
    assert "a\nb\\u0009" == escape_unprintable("a\nb\t", keep="\n")


@pytest.mark.parametrize(
    ("line", "key"), [(a_log_line("json", DANGEROUS), "log_stream"), (a_denial(WITHOUT_SURROGATES), "reject_reason")]
)
def test_a_reader_of_json_gets_the_original_text(line: str, key: str) -> None:
    """The escapes are JSON's own, so nothing is lost."""
    found = json.loads(line)[key].encode("utf-16", "surrogatepass")

    assert found == (DANGEROUS if key == "log_stream" else WITHOUT_SURROGATES).encode("utf-16", "surrogatepass")
