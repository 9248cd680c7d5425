"""The commit of a shard: the ledger, the claims that decide commits in doubt, and the messages between processes."""
