"""`kcl-flowlog replay`: files counted as the stream's payloads are.

`inputs` tells what is in a file, `parquet` reads one kind of it, `books`
counts, `report` shows what came of it. None of them knows a stream, a ledger
or a daemon; what counts is `kcl_flowlog.counting.payload`, as in a processor.
"""
