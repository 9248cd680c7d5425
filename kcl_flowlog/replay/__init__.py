"""`kcl-flowlog replay`: counts files as `run` counts the stream.

`inputs` recognises what is in a file and reads it into `items`, `counter`
counts them, `report` shows the result. Knows no stream, ledger or daemon. What
counts is `kcl_flowlog.counting.payload`, as in a processor.
"""
