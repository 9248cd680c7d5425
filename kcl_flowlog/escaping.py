"""Text from outside, made safe to show: in log lines, denials, dead letters, and on terminals.

What others wrote (log streams, records, tags) may hold characters that move a terminal's cursor, end a line, or turn
the direction of the text that follows. Pure; knows nothing of where the text goes, and never fails.
"""

from __future__ import annotations


def escape_unprintable(text: str, keep: str = "") -> str:
    r"""Return the text with every character that is not visible as JSON's escape of it, such as `\u202e`.

    These are control and format characters, separators other than the space, surrogates, and what Unicode has not
    assigned, except those in `keep`. In a JSON text the escapes stand for the same value as before.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def _escape(char: str) -> str:
    # JSON escapes the units of UTF-16: two of them beyond U+FFFF.
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
