"""The table: a row for each result, with its bound."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

HEAD = ("", "CPU µs", "req/s", "p50 ms", "p99 ms", "result", "spread", "must be", "")


@dataclass(frozen=True)
class Bound:
    """What a result must be: at least `least`, or below `below`."""

    least: float | None = None
    below: float | None = None

    def keeps(self, value):
        """Whether the result is within the bound."""
        return value >= self.least if self.least is not None else value < self.below

    def __str__(self):
        return f"≥ {self.least:g}" if self.least is not None else f"< {self.below:g}"


@dataclass
class Row:
    """A line of the table: the load's samples, the result of each round, and its bound."""

    what: str
    samples: list | None = None
    figures: list | None = None
    unit: str = ""
    bound: Bound | None = None

    def verdict(self):
        """`ok`, `MISSED`, or nothing where nothing is asked."""
        if self.bound is None:
            return ""
        if not self.figures:
            return "NOT MEASURED"
        return "ok" if self.bound.keeps(median(self.figures)) else "MISSED"

    def cells(self):
        """The texts of its columns."""
        bound = "" if self.bound is None else f"{self.bound}{self.unit}"
        return (f"  {self.what}", *self._load(), *self._figure(), bound, self.verdict())

    def _load(self):
        if not self.samples:
            return ("",) * 4
        middle = {
            field: median(getattr(sample, field) for sample in self.samples)
            for field in ("cpu_us", "rate", "p50_us", "p99_us")
        }
        return (
            f"{middle['cpu_us']:.1f}",
            f"{middle['rate']:,.0f}",
            f"{middle['p50_us'] / 1000:.2f}",
            f"{middle['p99_us'] / 1000:.2f}",
        )

    def _figure(self):
        if not self.figures:
            return "", ""
        spread = f"{_short(min(self.figures))} – {_short(max(self.figures))}"
        return _short(median(self.figures)) + self.unit, spread if len(self.figures) > 1 else ""


def _short(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show(sections):
    """The whole table as text; `sections` maps titles to rows."""
    lines = [HEAD]
    for title, rows in sections.items():
        lines += [(title,), *(row.cells() for row in rows)]
    widths = [max(len(line[at]) for line in lines if len(line) > 1) for at in range(len(HEAD))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells, widths):
    if len(cells) == 1:
        return f"\n{cells[0]}"
    first, *others, last = cells
    middle = (cell.rjust(width) for cell, width in zip(others, widths[1:-1]))
    return "  ".join([first.ljust(widths[0]), *middle, last]).rstrip()
