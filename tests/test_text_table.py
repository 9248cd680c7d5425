"""Tables as plain text."""

from kcl_flowlog.text_table import format_table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Columns are right-aligned, except those named in `left_aligned`; no line has trailing spaces."""
    rows = [["web", "10", ""], ["database", "7", "a"]]

    assert [
        "name      flows  note",
        "web          10",
        "database      7  a",
    ] == format_table(("name", "flows", "note"), rows, {"name", "note"})


def test_a_table_without_rows_is_its_header() -> None:
    """The header alone sets the widths."""
    assert ["a  bc"] == format_table(("a", "bc"), [], ())
