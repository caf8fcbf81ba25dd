"""Figures and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Goal:
    """What was aimed at, and what came of it."""

    what: str
    measured: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True)
class Findings:
    """What one measurement found: markdown, and the goals that it can judge."""

    text: str
    goals: list[Goal] = field(default_factory=list)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; every column but the first is aligned to the right."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(seconds: Sequence[float]) -> list[str]:
    """Median, least and most, in milliseconds; empty cells where there is nothing."""
    if not seconds:
        return ["", "", ""]
    return [milliseconds(value) for value in (median(seconds), min(seconds), max(seconds))]


def milliseconds(seconds: float) -> str:
    """One digit behind the point: what is measured here is no better than that."""
    return f"{seconds * 1000:.1f}"


def goals_table(goals: Iterable[Goal]) -> str:
    """Each goal, and whether it is met."""
    rows = []
    for goal in goals:
        sign = "≥" if goal.at_least else "≤"
        measured = (
            f"{goal.measured:.3g} {goal.unit}" if goal.measured < 1000 else f"{goal.measured:.0f} {goal.unit}"
        )
        rows.append(
            [goal.what, f"{sign} {goal.limit:g} {goal.unit}", measured, "met" if goal.met else "**not met**"]
        )
    return table(["", "goal", "measured", ""], rows)
