"""The `rate_limit` of a web config."""

from __future__ import annotations

from kcl_flowlog.web.rate_limit import RateLimit, RateLimiter
from tests.support.clocks import FakeClock

LIMIT = RateLimit(2.0, 3)


def test_a_network_has_a_burst_and_then_a_request_each_interval() -> None:
    """Time that passes unused fills the bucket, but not beyond the burst."""
    clock = FakeClock()
    limiter = RateLimiter(clock)

    def allowed(number: int) -> list[bool]:
        return [limiter.allows(LIMIT, "a") for _ in range(number)]

    assert [True, True, True, False] == allowed(4)
    clock.now += 2.0
    assert [True, False] == allowed(2)
    clock.now += 1000.0
    assert [True, True, True, False] == allowed(4)


def test_no_network_uses_the_burst_of_another() -> None:
    """So nobody locks the scraper out."""
    limiter = RateLimiter(FakeClock())

    for _ in range(10):
        limiter.allows(LIMIT, "a")

    assert limiter.allows(LIMIT, "b")


def test_the_buckets_are_bounded() -> None:
    """Full buckets are forgotten first, as they say nothing."""
    clock = FakeClock()
    limiter = RateLimiter(clock, max_buckets=3)
    for name in "abc":
        limiter.allows(LIMIT, name)
    clock.now += 2.0
    for _ in range(3):
        limiter.allows(LIMIT, "c")

    assert (True, False) == (limiter.allows(LIMIT, "d"), limiter.allows(LIMIT, "c"))
    for name in "efgh":
        limiter.allows(LIMIT, name)
    assert len(limiter._full_at) <= 3
