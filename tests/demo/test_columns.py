"""Tables that fit a width."""

from kcl_flowlog.demo.columns import Column, table_lines

COLUMNS = (Column("name", is_left_aligned=True), Column("zone", rank=2), Column("flows", rank=1), Column("bytes"))
ROWS = [["shop-public-a", "az1", "1,000", "7"], ["lab", "az2", "5", "12,345,678"]]


def test_without_a_width_all_columns_stay() -> None:
    """Names are aligned to the left, figures to the right."""
    assert [
        "name           zone  flows       bytes",
        "shop-public-a   az1  1,000           7",
        "lab             az2      5  12,345,678",
    ] == table_lines(COLUMNS, ROWS)


def test_columns_go_before_names_are_cut() -> None:
    """A narrow table loses the columns of the highest ranks, as whole columns."""
    titles = {width: table_lines(COLUMNS, ROWS, width)[0].split() for width in (38, 37, 32, 31, 10)}
    assert {
        38: ["name", "zone", "flows", "bytes"],
        37: ["name", "flows", "bytes"],
        32: ["name", "flows", "bytes"],
        31: ["name", "bytes"],
        10: ["name", "bytes"],
    } == titles
    assert "shop-public-a           7" == table_lines(COLUMNS, ROWS, 10)[1]


def test_a_reserved_width_keeps_the_layout() -> None:
    """A column is at least as wide as its reserved width, whatever its cells are."""
    columns = (Column("name", is_left_aligned=True), Column("flows", width=6))
    assert ["name   flows", "a          1"] == table_lines(columns, [["a", "1"]])


def test_a_table_without_rows_has_its_titles() -> None:
    """A table without rows is a line of titles."""
    assert ["name  zone  flows  bytes"] == table_lines(COLUMNS, [])
