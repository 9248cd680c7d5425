"""What a start can check before it asks AWS for anything: properties of the KCL, and the files that settings name.

The files are read again when they are used. A mistake is a `ConfigError`.
"""

from __future__ import annotations

from kcl_flowlog.config import Config
from kcl_flowlog.launcher import kcl_properties
from kcl_flowlog.web.web_config_keeper import WebConfigKeeper


def check_settings(config: Config) -> None:
    """Check the properties, the web config and what it names, and the files of `--peers`. Raises `ConfigError`."""
    kcl_properties.check_extra(config.kcl_property)
    WebConfigKeeper(str(config.web_config_file or "")).check()
    if config.peers and config.who:
        # Not above: it loads numpy, which --no-who does without.
        from kcl_flowlog.peers.fleet import Fleet

        Fleet.of(config).check()
