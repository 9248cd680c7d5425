"""The names of the counts and histograms in a delta.

The ledger stores totals under these names, so they stay. The metrics have other names.
"""

from __future__ import annotations

EVENTS = "events"
PAYLOADS = "payloads"
MALFORMED = "malformed"
DEAD_LETTERS = "dead_letters"
DEAD_LETTERS_DROPPED = "dead_letters_dropped"
DENIALS_HELD_BACK = "denials_held_back"
CHECKPOINTS = "checkpoints"
UNDECIDED_COMMITS = "undecided_commits"

EVENT_DELAY = "event_delay"
BATCH_DURATION = "batch_duration"

# Upper bounds in seconds; values above the last are in +Inf.
BOUNDS = {
    EVENT_DELAY: (30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0),
    BATCH_DURATION: (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0),
}
