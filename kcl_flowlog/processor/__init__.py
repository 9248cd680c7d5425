"""The record processor of one shard: `python -m kcl_flowlog.processor`."""
