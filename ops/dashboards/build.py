"""Dashboards as Grafana's JSON, with grafana-foundation-sdk, which needs Python 3.11."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as words
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as queries

from ops.dashboards.model import LETTERS, Column, Dashboard, Limits, Panel, Query, Variable
from ops.dashboards.table import TAG, dashboards
from ops.values import Values

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_COLOURS = {"info": "yellow", "warning": "orange", "critical": "red"}
_COLUMNS = 24


def dashboard_files(values: Values) -> dict[Path, str]:
    """Return each dashboard's file with its content."""
    return {path: dashboard_json(dashboard, values) for path, dashboard in dashboards(values).items()}


def dashboard_json(dashboard: Dashboard, values: Values) -> str:
    """Return a dashboard as the text of its file."""
    built = (
        builders.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.description)
        .tags([TAG])
        .readonly()
        .time("now-6h", "now")
        .timezone("browser")
        .refresh("1m")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .links(
            [
                builders.DashboardLink("Dashboards")
                .type(models.DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .include_vars(True)
                .keep_time(True),
                _link("Runbooks", values.runbooks),
            ]
        )
        .variables([_source_variable(), *map(_variable, dashboard.variables)])
    )
    for panel in _laid_out(dashboard, values):
        if isinstance(panel, builders.Row):
            built.with_row(panel)
        else:
            built.with_panel(panel)
    return json.dumps(built.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _laid_out(dashboard: Dashboard, values: Values) -> Iterator[Any]:
    """Yield rows and panels with their places: left to right, each line as high as its highest panel."""
    number, y = 0, 0
    for title, panels in dashboard.rows.items():
        number += 1
        yield builders.Row(title).id(number).grid_pos(models.GridPos(h=1, w=_COLUMNS, x=0, y=y))
        y, x, height = y + 1, 0, 0
        for panel in panels:
            number += 1
            if x + panel.width > _COLUMNS:
                y, x, height = y + height, 0, 0
            place = models.GridPos(h=panel.height, w=panel.width, x=x, y=y)
            yield _panel(panel, dashboard, values).id(number).grid_pos(place)
            x, height = x + panel.width, max(height, panel.height)
        y += height


def _panel(panel: Panel, dashboard: Dashboard, values: Values) -> Any:
    built = (
        _KINDS[panel.kind](panel)
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .interval(dashboard.step)
        .thresholds(builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(_steps(panel, values)))
        .links([_link(alert, f"{values.runbooks}#{alert.lower()}") for alert in panel.alerts])
    )
    for letter, query in zip(LETTERS, panel.queries, strict=False):
        built.with_target(_target(panel, query).ref_id(letter))
    return built


def _target(panel: Panel, query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().datasource(SOURCE).expr(query.expr).legend_format(query.legend)
    if panel.kind == "table":
        return target.instant().format(queries.PromQueryFormat.TABLE)
    # What happened in the time that the dashboard shows is one number, not a graph.
    return target.instant() if "$__range" in query.expr else target.range()


def _steps(panel: Panel, values: Values) -> list[models.Threshold]:
    limits = panel.limits
    if limits is None:
        return [models.Threshold(color="text")]
    levels = _levels(limits, values)
    numbers = [None, *(number for number, _ in levels)]
    colours = [colour for _, colour in levels]
    colours = [*colours, "green"] if limits.is_lower_limit else ["green", *colours]
    return [models.Threshold(value=number, color=colour) for number, colour in zip(numbers, colours, strict=True)]


def _levels(limits: Limits, values: Values) -> list[tuple[float, str]]:
    """Return numbers with their colours, the smallest first; nothing for an alert that a team has removed."""
    if not limits.threshold:
        return [(limits.number, "orange" if limits.alert else "red")]
    return sorted(
        (level.thresholds[limits.threshold], _COLOURS[level.severity]) for level in values.alerts[limits.alert]
    )


def _timeseries(panel: Panel) -> timeseries.Panel:
    built = (
        timeseries.Panel()
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(words.LegendDisplayMode.LIST)
            .placement(words.LegendPlacement.BOTTOM)
            .calcs([])
        )
        .tooltip(common.VizTooltipOptions().mode(words.TooltipDisplayMode.MULTI).sort(words.SortOrder.DESCENDING))
        .line_width(1)
        .fill_opacity(30 if panel.is_stacked else 0)
        .axis_soft_min(0)
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )
    if panel.is_stacked:
        built.stacking(common.StackingConfig().mode(words.StackingMode.NORMAL).group("A"))
    if panel.limits:
        built.thresholds_style(common.GraphThresholdsStyleConfig().mode(words.GraphThresholdsStyleMode.LINE))
    return built


def _stat(panel: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(words.BigValueGraphMode.AREA)
        .color_mode(words.BigValueColorMode.VALUE)
        .color_scheme(builders.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    )


def _bargauge(panel: Panel) -> bargauge.Panel:
    return (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(words.VizOrientation.HORIZONTAL)
        .display_mode(words.BarGaugeDisplayMode.BASIC)
        .min(0)
    )


def _table(panel: Panel) -> table.Panel:
    """Return a table whose queries become columns of the rows with the same labels."""
    names = [column.name for column in panel.columns]
    hidden = ["Time", "Value", *(f"Value #{letter}" for letter, _ in zip(LETTERS, panel.queries, strict=False))]
    built = table.Panel().filterable(True)
    if len(panel.queries) > 1:
        built.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    built.with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {name: True for name in hidden if name not in names},
                "indexByName": {name: index for index, name in enumerate(names)},
                "renameByName": {column.name: column.heading for column in panel.columns},
            },
        )
    )
    for column in panel.columns:
        if properties := list(_properties(column)):
            built.override_by_name(column.heading, properties)
    return built


def _properties(column: Column) -> Iterator[models.DynamicConfigValue]:
    if column.unit:
        yield models.DynamicConfigValue(id_val="unit", value=column.unit)
    if column.link:
        yield models.DynamicConfigValue(id_val="links", value=[{"title": "Open", "url": column.link}])


_KINDS: dict[str, Callable[[Panel], Any]] = {
    "timeseries": _timeseries,
    "stat": _stat,
    "bargauge": _bargauge,
    "table": _table,
}


def _link(title: str, url: str) -> builders.DashboardLink:
    return builders.DashboardLink(title).type(models.DashboardLinkType.LINK).url(url).target_blank(True)


def _source_variable() -> builders.DatasourceVariable:
    return (
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .description("The Prometheus that scrapes the instances.")
        .type("prometheus")
    )


def _variable(variable: Variable) -> Any:
    """Return a variable of its kind: a query, a list or a text."""
    if variable.options:
        return (
            _described(builders.CustomVariable(variable.name), variable)
            .values(",".join(variable.options))
            .current(models.VariableOption(selected=True, text=variable.default, value=variable.default))
        )
    if not variable.query:
        return _described(builders.TextBoxVariable(variable.name), variable).default_value(variable.default)
    built = (
        _described(builders.QueryVariable(variable.name), variable)
        .query(
            {
                "query": variable.query,
                "refId": variable.name,
                "qryType": 3 if variable.query.startswith("query_") else 1,
            }
        )
        .datasource(SOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .regex(variable.regex)
    )
    return built.multi(True).include_all(True).all_value(".*") if variable.has_all else built


def _described(built: Any, variable: Variable) -> Any:
    return built.label(variable.label).description(variable.description)
