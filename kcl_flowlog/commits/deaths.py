"""What the claims in a lease row tell about deaths: which records kill, and how carefully the next holder goes on.

Two kinds of evidence. A processor that is killed alone leaves a note of its record in hand in the state directory; the
next claim of that instance names it. If the whole instance dies and its state directory with it, only the claims are
left. So after `DEATHS` claims at one checkpoint that say nothing, the next holder commits after each group of records,
and if it dies as well, the next one names each record in its claim before it counts it.

Pure: knows no DynamoDB.
"""

from __future__ import annotations

from collections import Counter

from kcl_flowlog.commits.claims import Care, LeaseRow, claims_of, digest

DEATHS = 3
"""After how many deaths with the same record in hand it is skipped; and after how many without an explanation care
begins."""


def poison(row: LeaseRow) -> frozenset[str]:
    """Return the digests of the records that killed `DEATHS` processors."""
    here = digest(row.checkpoint)
    claims = claims_of(row)
    reported = Counter(claim.suspect for claim in claims if claim.suspect and claim.begins_at == here)
    # A holder that names its record commits after it, so a record that survived is never delivered again.
    in_hand = Counter(claim.in_hand for claim in claims if claim.in_hand)
    return frozenset(record for deaths in (reported, in_hand) for record, number in deaths.items() if number >= DEATHS)


def care_needed(row: LeaseRow) -> Care:
    """Return how carefully the next holder of the row has to go on."""
    claims = claims_of(row)
    if claims and claims[-1].care in (Care.GROUPS, Care.SINGLE):
        return Care.SINGLE
    here = digest(row.checkpoint)
    latest = claims[-DEATHS:]
    is_unexplained = all(
        claim.begins_at == here and not claim.suspect and claim.care is Care.NORMAL for claim in latest
    )
    return Care.GROUPS if len(latest) == DEATHS and is_unexplained else Care.NORMAL
