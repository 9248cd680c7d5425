"""Flow logs as Parquet."""

from __future__ import annotations

import gzip
import sys
from typing import Any

import pytest

from kcl_flowlog.errors import ConfigError
from tests.support.replay import nonzero, parquet_file, replay

ROW: dict[str, Any] = {
    "version": 2,
    "account_id": "123456789010",
    "interface_id": "eni-a",
    "srcaddr": "10.0.1.10",
    "dstaddr": "198.51.100.7",
    "protocol": 6,
    "packets": 10,
    "bytes": None,
    "action": "ACCEPT",
    "log_status": "OK",
    "instance_tag": "two words",
}


@pytest.mark.parametrize("is_gzip", [False, True])
def test_each_row_is_a_log_event(is_gzip: bool) -> None:
    """Compressed by Parquet's own means or by gzip around it."""
    content = parquet_file(ROW, {**ROW, "srcaddr": None, "dstaddr": None, "log_status": "NODATA"})

    report = replay(gzip.compress(content) if is_gzip else content)

    assert ({"counted": 1, "nodata": 1}, {}) == (nonzero(report.outcomes), nonzero(report.payloads))


@pytest.mark.parametrize("tag", ["two words", "", None])
def test_no_value_shifts_the_columns_behind_it(tag: str | None) -> None:
    """A null is AWS' `-`, and a tag of two words or none is one field."""
    row = {"instance_tag": tag, **{name: value for name, value in ROW.items() if name != "instance_tag"}}

    (series,) = replay(parquet_file(row)).subnets["subnet-a"]

    assert (1, 10, 0) == (series.flows, series.packets, series.bytes)


def test_a_damaged_file_is_a_bad_payload(caplog: pytest.LogCaptureFixture) -> None:
    """The log names the file, and other files are counted."""
    report = replay(parquet_file(ROW)[:-20], parquet_file(ROW))

    assert ({"counted": 1}, {"payload_damaged": 1}) == (nonzero(report.outcomes), report.malformed)
    assert ["Cannot read the Parquet file"] == caplog.messages


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most installations need no pyarrow."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ConfigError) as refused:
        replay(parquet_file(ROW))

    assert "file 1 is a Parquet file and needs pyarrow; run: pip install 'kcl-flowlog[parquet]'" == str(refused.value)
