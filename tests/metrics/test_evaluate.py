"""The table of metrics: each says what it is, in words of its own."""

import pytest

from emotalk_cli.metrics.base import HIGHER, LOWER, NEITHER, Described
from emotalk_cli.metrics.evaluate import FAMILIES, METRICS, definition_of, metric_class


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_says_what_it_is(metric: type[Described]) -> None:
    assert vars(metric)["__doc__"]  # not its parent's
    assert metric.definition().endswith((".", ")."))
    assert isinstance(metric.unit, str)
    assert metric.better in (LOWER, HIGHER, NEITHER)
    assert metric.family in FAMILIES


def test_definitions_are_all_different() -> None:
    assert len({definition_of(name) for name in METRICS}) == len(METRICS)


def test_groups_of_units_are_one_metric() -> None:
    assert metric_class("expression error, jaw").family == "Coefficients"
