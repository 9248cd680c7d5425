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


def test_the_burst_is_whole_whatever_the_clock_says() -> None:
    """Sums of such times are rounded: 260060.54 + 3600 - 260060.54 is more than 3600."""
    clock = FakeClock()
    wrong = []
    for hundredths in range(0, 100_000_000, 40_009):
        clock.now = hundredths / 100
        for limit in (RateLimit(3600.0, 1), RateLimit(0.1, 3), RateLimit(0.001, 7)):
            limiter = RateLimiter(clock)
            allowed = sum(limiter.allows(limit, "a") for _ in range(limit.burst + 2))
            if allowed != limit.burst:
                wrong.append((clock.now, limit, allowed))

    assert [] == wrong


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
