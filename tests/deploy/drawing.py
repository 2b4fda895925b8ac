"""Pictures of series, as small SVG files that suit a light page and a dark one."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

__all__ = ["Line", "picture"]

Line = tuple[str, Sequence[tuple[float, float]]]
"""A name, and values with their moments in seconds."""

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 178, 34, 26
COLOURS = ("#3b82c4", "#d9822b", "#3a9d5d", "#c4453b", "#8f63c9", "#9a7b4f")
STYLE = (
    "text{font:12px sans-serif;fill:#3a3f45}.t{font-size:14px;font-weight:600}"
    ".g{stroke:#8886;stroke-width:1}.l{fill:none;stroke-width:2;stroke-linejoin:round}"
    "@media(prefers-color-scheme:dark){text{fill:#d0d4d9}}"
)


def picture(title: str, lines: Sequence[Line]) -> str:
    """Draw lines as steps below a title; the first moment of all is the beginning."""
    moments = [moment for _, values in lines for moment, _ in values]
    began, ended = min(moments), max(moments)
    top = _round(max((value for _, values in lines for _, value in values), default=1.0))
    across = (WIDTH - LEFT - RIGHT) / max(ended - began, 1.0)
    up = (HEIGHT - TOP - BOTTOM) / top
    parts = [f'<text class="t" x="{LEFT}" y="20">{escape(title)}</text>', *_grid(top, up)]
    for place, (name, values) in enumerate(lines):
        colour = COLOURS[place % len(COLOURS)]
        points = [
            (LEFT + (moment - began) * across, HEIGHT - BOTTOM - value * up)
            for moment, value in values
        ]
        parts.append(f'<path class="l" stroke="{colour}" d="{_steps(points)}"/>')
        y = TOP + 8 + 18 * place
        x = WIDTH - RIGHT + 14
        parts.append(f'<path class="l" stroke="{colour}" d="M{x} {y}h14"/>')
        parts.append(f'<text x="{x + 20}" y="{y + 4}">{escape(name)}</text>')
    middle = (LEFT + WIDTH - RIGHT) // 2
    axis = f"{ended - began:.0f} seconds"
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{axis}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    said = f"<title>{escape(title)}</title><style>{STYLE}</style>"
    return "\n".join([head, said, *parts, "</svg>", ""])


def _grid(top: float, up: float) -> list[str]:
    found = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - top * share * up
        found.append(f'<path class="g" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        label = f"{top * share:g}"
        found.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    return found


def _steps(points: Sequence[tuple[float, float]]) -> str:
    """Hold each value until the next: between two looks nobody knows better."""
    x, y = points[0]
    found, height = [f"M{x:.1f} {y:.1f}"], y
    for x, y in points[1:]:
        if y != height:
            found.append(f"H{x:.1f}V{y:.1f}")
            height = y
    found.append(f"H{points[-1][0]:.1f}")
    return "".join(found)


def _round(value: float) -> float:
    """Return the next number above that is easy to read: 1, 2 or 5 times a power of ten."""
    step = 1.0
    while step * 10 <= value:
        step *= 10
    return next(step * factor for factor in (1, 2, 5, 10) if step * factor >= value)
