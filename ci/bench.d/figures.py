"""Figures and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; every column but the first is aligned to the right."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(seconds: Sequence[float]) -> list[str]:
    """Median, least and most, in milliseconds."""
    return [f"{value * 1000:.1f}" for value in (median(seconds), min(seconds), max(seconds))]


def goals(rows: Iterable[tuple]) -> str:
    """What was aimed at and whether it is met, from the arguments of `goal`."""
    return table(["goal", "measured", "met"], [goal(*row) for row in rows])


def goal(what: str, measured: float, limit: float, unit: str, at_least: bool = False) -> list[str]:
    met = measured >= limit if at_least else measured <= limit
    sign = "≥" if at_least else "≤"
    return [f"{what} {sign} {limit:g} {unit}", f"{measured:.3g}", "yes" if met else "**no**"]
