"""The steps from each version of the ledger's tables to the next, as they were released: `schema` runs them.

To change the schema, append a step; never edit a released step. A step that changes a checked table begins with the
table as it was, which is verified, as new checksums would hide its damage, and ends with `*_sealed(…)` of that table.
"""

# ruff: noqa: S608 - the SQL is made of names of this module, never of data

from __future__ import annotations

from kcl_flowlog.commits.checked_table import CheckedTable

Step = tuple[str | CheckedTable, ...]
"""The statements that turn one version into the next, and the tables to verify before."""

_VERSION_1: Step = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "CREATE TABLE holders (shard_id TEXT PRIMARY KEY, token TEXT NOT NULL, generation INTEGER NOT NULL)",
    """CREATE VIEW holders_now AS
SELECT shard_id, token FROM holders WHERE generation = (SELECT value FROM meta WHERE name = 'generation')""",
    """CREATE TABLE prepared (
    shard_id TEXT NOT NULL, token TEXT NOT NULL,
    upto_sequence TEXT NOT NULL, upto_sub INTEGER NOT NULL,
    abandoned INTEGER NOT NULL DEFAULT 0,
    delta BLOB NOT NULL,
    PRIMARY KEY (shard_id, token)
)""",
    """CREATE TABLE traffic (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, action TEXT NOT NULL,
    protocol TEXT NOT NULL, peer TEXT NOT NULL,
    flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,
    birth INTEGER NOT NULL, counted_at REAL NOT NULL,
    PRIMARY KEY (subnet_id, direction, action, protocol, peer)
) WITHOUT ROWID""",
    """CREATE TABLE rejected_ports (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, protocol TEXT NOT NULL, port TEXT NOT NULL,
    flows INTEGER NOT NULL,
    birth INTEGER NOT NULL,
    PRIMARY KEY (subnet_id, direction, protocol, port)
) WITHOUT ROWID""",
    """CREATE TABLE counts (
    count TEXT NOT NULL, label TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (count, label)
) WITHOUT ROWID""",
    "CREATE TABLE histograms (histogram TEXT PRIMARY KEY, body BLOB NOT NULL)",
    """CREATE TABLE fingerprints (
    id INTEGER PRIMARY KEY AUTOINCREMENT, shard_id TEXT NOT NULL, body BLOB NOT NULL, number INTEGER NOT NULL,
    folded_at REAL NOT NULL
)""",
    "CREATE INDEX fingerprints_of_shard ON fingerprints (shard_id, id)",
    "CREATE TABLE dead_letters (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)",
)


def _sealed(table: str, *columns: str) -> tuple[str, ...]:
    """Return the statements that give all rows of a table their checksums; `columns` in the order of its rows."""
    return (
        f"UPDATE {table} SET checksum = row_checksum('{table}', {', '.join(columns)})",
        f"INSERT OR REPLACE INTO checksums SELECT '{table}', count(*), coalesce(sum(checksum), 0) FROM {table}",
    )


# Checksums. The times of the wall clock are gone; seconds of running begin at 0.
_VERSION_2: Step = (
    "DROP VIEW holders_now",
    "CREATE TABLE checksums (name TEXT PRIMARY KEY, number INTEGER NOT NULL, total INTEGER NOT NULL) WITHOUT ROWID",
    "ALTER TABLE meta RENAME TO old_meta",
    """CREATE TABLE meta (
    name TEXT PRIMARY KEY, value INTEGER NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID""",
    "INSERT INTO meta SELECT name, value, 0 FROM old_meta",
    "DROP TABLE old_meta",
    *_sealed("meta", "name", "value"),
    "ALTER TABLE holders RENAME TO old_holders",
    """CREATE TABLE holders (
    shard_id TEXT PRIMARY KEY, token TEXT NOT NULL, generation INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) WITHOUT ROWID""",
    "INSERT INTO holders SELECT shard_id, token, generation, 0 FROM old_holders",
    "DROP TABLE old_holders",
    *_sealed("holders", "shard_id", "token", "generation"),
    "ALTER TABLE prepared RENAME TO old_prepared",
    """CREATE TABLE prepared (
    shard_id TEXT NOT NULL, token TEXT NOT NULL,
    upto_sequence TEXT NOT NULL, upto_sub INTEGER NOT NULL,
    abandoned INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (shard_id, token)
) WITHOUT ROWID""",
    "INSERT INTO prepared SELECT shard_id, token, upto_sequence, upto_sub, abandoned, 0 FROM old_prepared",
    *_sealed("prepared", "shard_id", "token", "upto_sequence", "upto_sub", "abandoned"),
    # Apart from the rest of a prepared commit, which is read every two seconds.
    """CREATE TABLE deltas (
    shard_id TEXT NOT NULL, token TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (shard_id, token)
) WITHOUT ROWID""",
    "INSERT INTO deltas SELECT shard_id, token, 0, delta FROM old_prepared",
    "DROP TABLE old_prepared",
    *_sealed("deltas", "shard_id", "token", "body"),
    "ALTER TABLE traffic RENAME TO old_traffic",
    """CREATE TABLE traffic (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, action TEXT NOT NULL,
    protocol TEXT NOT NULL, peer TEXT NOT NULL,
    flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,
    birth INTEGER NOT NULL, counted_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (subnet_id, direction, action, protocol, peer)
) WITHOUT ROWID""",
    """INSERT INTO traffic
SELECT subnet_id, direction, action, protocol, peer, flows, packets, bytes, birth, 0, 0 FROM old_traffic""",
    "DROP TABLE old_traffic",
    *_sealed(
        "traffic",
        *("subnet_id", "direction", "action", "protocol", "peer"),
        *("flows", "packets", "bytes", "birth", "counted_at"),
    ),
    "ALTER TABLE rejected_ports RENAME TO old_rejected_ports",
    """CREATE TABLE rejected_ports (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, protocol TEXT NOT NULL, port TEXT NOT NULL,
    flows INTEGER NOT NULL,
    birth INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (subnet_id, direction, protocol, port)
) WITHOUT ROWID""",
    "INSERT INTO rejected_ports SELECT subnet_id, direction, protocol, port, flows, birth, 0 FROM old_rejected_ports",
    "DROP TABLE old_rejected_ports",
    *_sealed("rejected_ports", "subnet_id", "direction", "protocol", "port", "flows", "birth"),
    "ALTER TABLE counts RENAME TO old_counts",
    """CREATE TABLE counts (
    count TEXT NOT NULL, label TEXT NOT NULL, number INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (count, label)
) WITHOUT ROWID""",
    "INSERT INTO counts SELECT count, label, number, 0 FROM old_counts",
    "DROP TABLE old_counts",
    *_sealed("counts", "count", "label", "number"),
    "ALTER TABLE histograms RENAME TO old_histograms",
    """CREATE TABLE histograms (
    histogram TEXT PRIMARY KEY, checksum INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID""",
    "INSERT INTO histograms SELECT histogram, 0, body FROM old_histograms",
    "DROP TABLE old_histograms",
    *_sealed("histograms", "histogram", "body"),
    "ALTER TABLE fingerprints RENAME TO old_fingerprints",
    """CREATE TABLE fingerprints (
    shard_id TEXT NOT NULL, upto INTEGER NOT NULL,
    written INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (shard_id, upto)
) WITHOUT ROWID""",
    """INSERT INTO fingerprints
SELECT shard_id, sum(number) OVER (PARTITION BY shard_id ORDER BY id), id, 0, body FROM old_fingerprints""",
    "DROP TABLE old_fingerprints",
    *_sealed("fingerprints", "shard_id", "upto", "written", "body"),
    "ALTER TABLE dead_letters RENAME TO old_dead_letters",
    "CREATE TABLE dead_letters (id INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, body BLOB NOT NULL)",
    "INSERT INTO dead_letters SELECT id, 0, body FROM old_dead_letters",
    "DROP TABLE old_dead_letters",
    *_sealed("dead_letters", "id", "body"),
    """CREATE TABLE own_series (
    subnet_id TEXT PRIMARY KEY, is_listed INTEGER NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID""",
    "INSERT INTO own_series SELECT DISTINCT subnet_id, 0, 0 FROM traffic",
    *_sealed("own_series", "subnet_id", "is_listed"),
    """CREATE TABLE folded_subnets (
    subnet_id TEXT PRIMARY KEY, counted_at INTEGER NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID""",
    *_sealed("folded_subnets", "subnet_id", "counted_at"),
)

# The ledger's id, and its memory of its claims.
_VERSION_3: Step = (
    "INSERT INTO meta VALUES ('ledger', random() & 4294967295, 0)",
    *_sealed("meta", "name", "value"),
    """CREATE TABLE claims_made (
    shard_id TEXT NOT NULL, token TEXT NOT NULL,
    number INTEGER NOT NULL, begins_at TEXT NOT NULL, prepared TEXT NOT NULL, folded TEXT NOT NULL,
    has_ended INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (shard_id, token)
) WITHOUT ROWID""",
    *_sealed("claims_made", "shard_id", "token", "number", "begins_at", "prepared", "folded", "has_ended"),
)

# Two more labels of traffic. A prepared delta without them is read as it is.
_VERSION_4: Step = (
    CheckedTable(
        "traffic",
        ("subnet_id", "direction", "action", "protocol", "peer"),
        ("flows", "packets", "bytes", "birth", "counted_at"),
    ),
    "ALTER TABLE traffic RENAME TO old_traffic",
    """CREATE TABLE traffic (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, action TEXT NOT NULL,
    protocol TEXT NOT NULL, peer TEXT NOT NULL, path TEXT NOT NULL, interface_type TEXT NOT NULL,
    flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,
    birth INTEGER NOT NULL, counted_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (subnet_id, direction, action, protocol, peer, path, interface_type)
) WITHOUT ROWID""",
    """INSERT INTO traffic
SELECT subnet_id, direction, action, protocol, peer, 'unknown', 'unknown', flows, packets, bytes, birth, counted_at, 0
FROM old_traffic""",
    "DROP TABLE old_traffic",
    *_sealed(
        "traffic",
        *("subnet_id", "direction", "action", "protocol", "peer", "path", "interface_type"),
        *("flows", "packets", "bytes", "birth", "counted_at"),
    ),
)

# Who sent what. A prepared delta without it is read as it is.
_VERSION_5: Step = (
    "CREATE TABLE who_added (id INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, body BLOB NOT NULL)",
    *_sealed("who_added", "id", "body"),
    """CREATE TABLE who_steps (
    step INTEGER NOT NULL, subnet_id TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (step, subnet_id)
) WITHOUT ROWID""",
    *_sealed("who_steps", "step", "subnet_id", "body"),
)

STEPS: tuple[Step, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5)
"""The steps from an empty file on; after the n-th, a file has version n."""
