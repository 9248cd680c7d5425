"""VPC Flow Logs from a Kinesis stream to Prometheus counters per subnet.

Two programs live here. The launcher (`kcl-flowlog run`) serves /metrics and
keeps Amazon's MultiLangDaemon running; the daemon starts one processor
(`python -m kcl_flowlog.processor`) for each shard it leases. What a processor
counts reaches the launcher through the ledger, a SQLite file.
"""

__version__ = "0.1.0"
