"""Flow logs that AWS has written to S3 as Parquet, as lines.

Each column is a field, with `_` for `-` in its name; a null is AWS's `-`.
Needs pyarrow, which is imported when there is such a file; without it, and
for a file that pyarrow can't read, raises `ConfigError`.

Source: "Publish flow logs to Amazon S3", Amazon VPC User Guide.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from typing import Any

from kcl_flowlog.counting.flow_record import NONE
from kcl_flowlog.errors import ConfigError

MAGIC = b"PAR1"

_ROWS_AT_ONCE = 10_000


def lines(file: io.BufferedReader, name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of a Parquet file piece by piece, each with their format."""
    try:
        arrow = importlib.import_module("pyarrow")
        reader = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            f"{name} is a Parquet file, which needs pyarrow: pip install 'kcl-flowlog[parquet]'."
        ) from None
    try:
        # A Parquet file is read from its end, so that it has to be there whole.
        table = reader.ParquetFile(io.BytesIO(file.read()))
        log_format = " ".join(f"${{{column.replace('_', '-')}}}" for column in table.schema_arrow.names)
        for batch in table.iter_batches(_ROWS_AT_ONCE):
            yield log_format, [" ".join(map(_word, row.values())) for row in batch.to_pylist()]
    except (arrow.ArrowException, OSError) as error:
        raise ConfigError(f"{name} is a Parquet file that can't be read: {error}") from error


def _word(value: Any) -> str:
    # A line is split at its spaces, and a tag may have some.
    return NONE if value is None else "_".join(str(value).split()) or NONE
