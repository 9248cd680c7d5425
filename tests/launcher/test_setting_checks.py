"""Mistakes in settings that a start finds before it asks AWS for anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.config import Config
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.setting_checks import check_settings
from kcl_flowlog.values import parse_peer

MISSING = Path("/missing.pem")
PEERS = (parse_peer("https://b:1"),)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"peers_ca": MISSING}, "--peers-ca /missing.pem: No such file or directory; check it."),
        (
            {"peers_client_cert": MISSING},
            "--peers-client-cert /missing.pem: No such file or directory; check it and .+",
        ),
        (
            {"peers_client_key": MISSING},
            "--peers-client-key has no use without --peers-client-cert; name both files.",
        ),
        ({"peers_credentials": MISSING}, "--peers-credentials /missing.pem can't be read: No such file or directory."),
        ({"web_config_file": MISSING}, "/missing.pem can't be read: No such file or directory."),
        ({"kcl_property": {"streamName": "x"}}, ".*streamName.*"),
    ],
)
def test_a_mistake_is_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=f"^{sentence}$"):
        check_settings(Config(stream="flow-logs", peers=PEERS, **settings))


@pytest.mark.parametrize("settings", [{"peers": PEERS, "who": False}, {}], ids=["--no-who", "no peers"])
def test_files_of_peers_that_nobody_asks_are_not_read(settings: dict[str, Any]) -> None:
    check_settings(Config(stream="flow-logs", peers_ca=MISSING, peers_credentials=MISSING, **settings))
