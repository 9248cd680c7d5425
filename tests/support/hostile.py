"""Texts of payloads that were made to cost memory or time; nothing that CloudWatch Logs sends."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.builders import line

_HEAD = '{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"flow-logs","logStream":"eni-new-all","logEvents":['


def _repeated(item: str, head: str = _HEAD, tail: str = "]}") -> Callable[[int], str]:
    """Return a builder of texts of about `size` bytes: `item` again and again."""
    return lambda size: head + item * ((size - len((head + tail).encode())) // len(item.encode())) + tail


def _listed(item: str, last: str = "") -> Callable[[int], str]:
    """Return a builder of an envelope whose events are all `item`, but for the last."""
    fill = _repeated(item + ",", tail="")
    return lambda size: fill(size - len((last or item).encode()) - 2) + (last or item) + "]}"


def _message(item: str, start: str = "", end: str = "") -> Callable[[int], str]:
    """Return a builder of an envelope with one log event, whose message repeats `item`."""
    return _repeated(item, f'{_HEAD}{{"id":"1","message":"{start}', f'{end}"}}]}}')


_SHORT_LINE = '{"message":"2 1 eni-new 10.0.1.7 8.8.8.8 1 1 6 1 1 1700000000 1700000060 ACCEPT OK"}'
_SHORT_REJECT = _SHORT_LINE.replace("ACCEPT", "REJECT")

HOSTILE: dict[str, Callable[[int], str]] = {
    "a string of escapes that does not end": _repeated('\\"', head='{"', tail=""),
    "a string of escapes as a message": _message('\\"'),
    "escapes of characters that take four bytes": _message("\\n", "\\ud83d\\ude00"),
    "a message of ASCII with a character of four bytes": _message("a", "\N{GRINNING FACE}"),
    "words with characters of four bytes": _message("\N{GRINNING FACE}a "),
    "a long name of a log stream": _repeated(
        "a", '{"messageType":"DATA_MESSAGE","logStream":"eni-', '","logEvents":[]}'
    ),
    "events without a text": _listed('{"message":""}'),
    "events with a short text": _listed('{"message":"ab"}'),
    "events with a short text and id": _listed('{"id":"ab","message":"cd"}'),
    "events with an odd text": _listed('{"message":"\N{GRINNING FACE}"}'),
    "events that are numbers": _listed("0"),
    "events with a short text, and a number": _listed('{"message":"ab"}', "0"),
    "events with nested lists": _listed('{"message":"ab","x":[[[]]]}'),
    "the shortest lines": _listed(_SHORT_LINE),
    "the shortest rejects": _listed(_SHORT_REJECT),
    "lines of an interface that never has a second peer": _listed(
        f'{{"id":"1","message":"{line("10.0.1.7", "8.8.8.8", "eni-lone")}"}}'
    ),
    "a message of many fields": _message("ab "),
    "a message of many tags": _message("ab ", "2 "),
    "a message of long fields": lambda size: _message("x" * max(1, size // 14) + " ")(size),
    "a message of JSON lists": _message("[],", '{\\"x\\":[', "[]]}"),
    "a message of JSON keys": lambda size: (
        f'{_HEAD}{{"message":"{{' + ",".join(f'\\"{n}\\":0' for n in range(size // 14)) + '}"}]}'
    ),
    "a message with a huge number": _message("9", '{\\"srcAddr\\":\\"10.0.1.7\\",\\"bytes\\":', "}"),
    "a message with a huge exponent": _message("9", '{\\"srcAddr\\":\\"10.0.1.7\\",\\"bytes\\":1e', "}"),
    "a line with a huge number": _message("9", "2 1 eni-a 10.0.1.10 8.8.8.8 1 1 6 ", " 1 1 1 ACCEPT OK"),
    "a line with a huge address": _message(":", "2 1 eni-a ", "x 8.8.8.8 1 1 6 1 1 1 1 ACCEPT OK"),
    "lists nested in each other": _repeated("[", head='{"x":', tail=""),
    "objects nested in each other": _repeated('{"x":', head="", tail=""),
    "lists beside each other, cut short": _repeated("[],", head='{"x":[', tail=""),
    "strings beside each other, cut short": _repeated('"",', head='{"x":[', tail=""),
    "empty objects": _repeated("{}", head="", tail=""),
    "objects that are not JSON": _repeated("{x}", head="", tail=""),
    "envelopes without events": _repeated('{"messageType":"DATA_MESSAGE"}', head="", tail=""),
    "envelopes of numbers": _repeated('{"messageType":"DATA_MESSAGE","logEvents":[' + "0," * 900 + "0]}", "", ""),
    "envelopes of short texts": _repeated(
        '{"messageType":"DATA_MESSAGE","logEvents":[' + '{"message":"ab"},' * 900 + '{"message":"ab"}]}', "", ""
    ),
    "spaces after an envelope": _repeated(" ", head='{"messageType":"DATA_MESSAGE"}', tail=" x"),
    "garbage after an envelope": _repeated("x", head='{"messageType":"DATA_MESSAGE"}', tail="{"),
    "spaces": _repeated(" ", head="{", tail=""),
    "keys of an envelope, again and again": _repeated(
        '"logEvents":[{"message":"ab"},{"message":"cd"}],', '{"messageType":"DATA_MESSAGE",', '"owner":"1"}'
    ),
}
