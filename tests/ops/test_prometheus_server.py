"""A Prometheus that can't be started is an error of one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.prometheus_server import PrometheusError, running_prometheus


def test_without_prometheus_one_sentence_says_how_to_get_it(tmp_path: Path) -> None:
    with (
        pytest.raises(PrometheusError, match=r"not installed; on Debian: apt-get install prometheus\.$"),
        running_prometheus(tmp_path, {}, 1, program="no-such-program"),
    ):
        pass


def test_a_prometheus_that_ends_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "prometheus"
    program.write_text("#!/bin/sh\necho out of luck\n")
    program.chmod(0o755)

    with (
        pytest.raises(PrometheusError, match="did not start: out of luck"),
        running_prometheus(tmp_path, {}, 1, program=str(program)),
    ):
        pass
