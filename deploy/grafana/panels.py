# ruff: noqa: INP001  # the neighbour of a script belongs to no package
"""The kinds of panels that the dashboards are made of, and queries for what daemons show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    Threshold,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

__all__ = [
    "ALARM",
    "AMBER",
    "GREEN",
    "RED",
    "SOURCE",
    "YES",
    "Chapter",
    "bars",
    "lines",
    "most",
    "number",
    "of",
    "phases",
    "rise",
    "rows",
]

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
HERE = 'environment=~"$environment"'
GREEN, AMBER, RED = "green", "orange", "red"

Words = Mapping[int, tuple[str, str]]
"""What a value is called, and its colour."""
YES: Words = {1: ("yes", GREEN), 0: ("no", RED)}
ALARM: Words = {1: ("yes", RED), 0: ("no", GREEN)}


@dataclass(frozen=True, slots=True)
class Chapter:
    """A row of panels below one headline."""

    title: str
    panels: tuple[Any, ...]


def of(metric: str, *more: str) -> str:
    """Select a metric in the chosen environments."""
    return f"{metric}{{{', '.join([HERE, *more])}}}"


def most(labels: str, metric: str, *more: str) -> str:
    """Take the greatest of what replicas say, by labels."""
    return f"max by ({labels}) ({of(metric, *more)})"


def rise(labels: str, counter: str, per: str = "$__rate_interval") -> str:
    """Say by how much a counter rose, by labels."""
    return f"sum by ({labels}) (increase({of(counter)}[{per}]))"


# --- kinds of panels ------------------------------------------------------------------------------


def _dressed(
    panel: Any,
    title: str,
    about: str,
    queries: Mapping[str, str],
    *,
    unit: str,
    width: int,
    height: int,
    now: bool,
    steps: Mapping[float, str] | None = None,
    words: Words | None = None,
) -> Any:
    """Give a panel what every kind of panel has."""
    panel = panel.title(title).description(about).datasource(SOURCE).unit(unit)
    panel = panel.span(width).height(height)
    for letter, (legend, expr) in zip("ABCDE", queries.items(), strict=False):
        query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(letter)
        query = query.datasource(SOURCE)
        panel = panel.with_target(query.instant() if now else query.range())
    if steps is not None:
        colours = [Threshold(value=at, color=colour) for at, colour in steps.items()]
        colours.insert(0, Threshold(value=None, color=GREEN))
        panel = panel.thresholds(dashboard.ThresholdsConfig().steps(colours))
    if words is not None:
        said = {
            str(value): ValueMappingResult(text=text, color=colour, index=place)
            for place, (value, (text, colour)) in enumerate(words.items())
        }
        panel = panel.mappings([ValueMap(options=said)])
    return panel


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def number(
    title: str,
    about: str,
    expr: str,
    *,
    legend: str = "{{environment}}",
    unit: str = "short",
    width: int = 6,
    steps: Mapping[float, str] | None = None,
    words: Words | None = None,
) -> Any:
    """Show numbers as they are now."""
    panel = stat.Panel().graph_mode(BigValueGraphMode.NONE).reduce_options(_last())
    if steps is None and words is None:
        panel = panel.color_mode(BigValueColorMode.NONE)
    return _dressed(
        panel,
        title,
        about,
        {legend: expr},
        unit=unit,
        width=width,
        height=4,
        now=True,
        steps=steps,
        words=words,
    )


def lines(
    title: str,
    about: str,
    queries: Mapping[str, str],
    *,
    unit: str = "short",
    width: int = 12,
    stacked: bool = False,
    top: float | None = None,
) -> Any:
    """Show how numbers went, by legend; stacked ones add up."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
    panel = timeseries.Panel().min(0).legend(legend.placement(LegendPlacement.BOTTOM))
    panel = panel.fill_opacity(25 if stacked else 5).line_width(1)
    if top is not None:
        panel = panel.max(top)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return _dressed(panel, title, about, queries, unit=unit, width=width, height=8, now=False)


def bars(
    title: str,
    about: str,
    expr: str,
    *,
    legend: str,
    unit: str = "short",
    width: int = 12,
    steps: Mapping[float, str] | None = None,
) -> Any:
    """Show numbers side by side, as they are now."""
    panel = bargauge.Panel().orientation(VizOrientation.HORIZONTAL).reduce_options(_last()).min(0)
    return _dressed(
        panel,
        title,
        about,
        {legend: expr},
        unit=unit,
        width=width,
        height=8,
        now=True,
        steps=steps or {},
    )


def phases(title: str, about: str, expr: str, *, legend: str, words: Words, width: int = 12) -> Any:
    """Show when something was the case."""
    panel = statetimeline.Panel().row_height(0.7)
    return _dressed(
        panel,
        title,
        about,
        {legend: expr},
        unit="short",
        width=width,
        height=6,
        now=False,
        words=words,
    )


def rows(title: str, about: str, expr: str, *, hidden: Iterable[str], width: int = 12) -> Any:
    """Show the labels of series as a table."""
    panel = table.Panel().title(title).description(about).datasource(SOURCE)
    query = prometheus.Dataquery().expr(expr).ref_id("A").datasource(SOURCE).instant()
    panel = panel.with_target(query.format(PromQueryFormat.TABLE)).span(width).height(8)
    excluded = dict.fromkeys(sorted({"Time", "Value", *hidden}), True)
    shown = DataTransformerConfig(id_val="organize", options={"excludeByName": excluded})
    return panel.with_transformation(shown)
