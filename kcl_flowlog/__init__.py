"""VPC Flow Logs from a Kinesis stream to Prometheus counters per subnet.

The package has two programs. The launcher (`kcl-flowlog run`) serves /metrics
and keeps Amazon's MultiLangDaemon running. The daemon starts one processor
(`python -m kcl_flowlog.processor`) for each shard that it leases. The counts
of a processor reach the launcher through the ledger, a SQLite file.
"""

__version__ = "0.1.0"
