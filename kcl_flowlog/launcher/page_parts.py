"""The pages of an instance, made from its parts."""

from __future__ import annotations

from kcl_flowlog.config import Config
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.exposition import renderer
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.launcher.overviews import Overviews
from kcl_flowlog.launcher.status import Status
from kcl_flowlog.launcher.supervisor import Supervisor
from kcl_flowlog.web.pages import Pages
from kcl_flowlog.web.who_page import WhoSource


def pages_of(
    config: Config,
    status: Status,
    new_series: NewSeries,
    supervisor: Supervisor,
    overviews: Overviews,
    who: WhoSource | None,
) -> Pages:
    """Return the contents that the web server serves."""
    collector = FlowlogCollector(
        status.read_state, config.traffic_labels, new_series, config.subnet_tags, config.legacy_metrics
    )
    return Pages(
        telemetry_path=config.web_telemetry_path,
        render=renderer(metrics_registry(collector, lambda: supervisor.pid)),
        healthy=status.why_unhealthy,
        ready=status.why_not_ready,
        overview=overviews.read,
        are_probes_open=config.web_probes_without_auth,
        who=who,
    )
