from __future__ import annotations

from tests.web.conftest import authority, contents, serve, tls_config, write

__all__ = ["authority", "contents", "serve", "tls_config", "write"]
