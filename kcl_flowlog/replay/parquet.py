"""Flow logs that AWS wrote to S3 as Parquet, as lines.

Each column is a field, with `_` for `-` in its name; a null is AWS' `-`.
Imports pyarrow when the first such file comes. Raises `ConfigError` if pyarrow
is not installed, and `Damaged` if it can't read the file.

Source: "Publish flow logs to Amazon S3", Amazon VPC User Guide.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from typing import Any

from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.errors import ConfigError

MAGIC = b"PAR1"

_ROWS_AT_ONCE = 10_000


class Damaged(Exception):
    """The file is not valid Parquet; the message is pyarrow's, on one line."""


def read_lines(file: io.BufferedReader, name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of a Parquet file in batches, each batch with its format. `name` is for error messages."""
    try:
        arrow = importlib.import_module("pyarrow")
        reader = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            f"{name} is a Parquet file and needs pyarrow; run: pip install 'kcl-flowlog[parquet]'"
        ) from None
    try:
        # The index of a Parquet file is at its end, so the whole file is needed.
        table = reader.ParquetFile(io.BytesIO(file.read()))
        log_format = " ".join(f"${{{column.replace('_', '-')}}}" for column in table.schema_arrow.names)
        for batch in table.iter_batches(_ROWS_AT_ONCE):
            yield log_format, [" ".join(map(_word, row.values())) for row in batch.to_pylist()]
    except (arrow.ArrowException, OSError) as error:
        raise Damaged(" ".join(str(error).split())) from error


def _word(value: Any) -> str:
    # A line is split at spaces, and the value of a tag may contain spaces.
    return NO_VALUE if value is None else "_".join(str(value).split()) or NO_VALUE
