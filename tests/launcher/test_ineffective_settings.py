"""Settings that are valid and have no effect: each is a warning."""

from __future__ import annotations

import pytest

from kcl_flowlog.config import Config
from kcl_flowlog.launcher.ineffective_settings import warn_of_ineffective_settings
from kcl_flowlog.values import parse_peer


@pytest.mark.parametrize(("who", "warnings"), [(True, []), (False, ["--peers has no effect with --no-who"])])
def test_peers_are_of_no_use_without_who(who: bool, warnings: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """Nobody answers their questions, nor asks."""
    warn_of_ineffective_settings(Config(stream="flow-logs", who=who, peers=(parse_peer("http://a:1"),)), [], "LATEST")

    assert warnings == caplog.messages
