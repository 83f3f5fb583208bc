"""A picture of the table: how much of the server's or the disk's speed each mount has, as bars."""

import html

from .table import medians, ratio

#: Colours that are readable on white and on black.
COLOURS = {"backupfs": "#1f8a4c", "backupfs-directory": "#7cb342", "s3fs": "#d9822b", "juicefs": "#3b7dd8",
           "rclone": "#9c5fc4"}
#: Pixels: of a bar, between rows, of the bars' area, and left of it.
BAR, GAP, WIDTH, LEFT, TOP = 13, 16, 520, 250, 88
#: What the right end means. A longer bar is cut there; its number is what it is.
MOST = 1.5

STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #6e7781; }
    text.what { font-weight: 600; }
    line { stroke: #8c959f; }
    @media (prefers-color-scheme: dark) { text { fill: #b6bec8; } }
  """


def text(x, y, words, anchor="start", kind=""):
    """Words at a place. The attributes are for programs that do not read styles."""
    name = f' class="{kind}"' if kind else ""
    return (f'<text x="{x}" y="{y}"{name} text-anchor="{anchor}" font-family="sans-serif" font-size="12"'
            f' fill="#6e7781">{html.escape(words)}</text>')


def legend(systems):
    """The systems with their colours, in one line."""
    parts, x = [], LEFT
    for one in systems:
        parts += [f'<rect x="{x}" y="38" width="{BAR}" height="{BAR}" rx="2" fill="{COLOURS[one.key]}"/>',
                  text(x + BAR + 5, 48, one.title)]
        x += 34 + 7 * len(one.title)
    return parts


def bars(row, systems, values, y):
    """The bars of a row, from y downwards."""
    parts = []
    for one in systems:
        value = ratio(values.get(one.key), values.get(row.against))
        if value is None:
            continue
        length = max(1, min(value, MOST) / MOST * WIDTH)
        parts += [f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 2}" rx="2" fill="{COLOURS[one.key]}"/>',
                  text(f"{LEFT + length + 5:.1f}", y + BAR - 3, f"{value:.2f}" + (" »" if value > MOST else ""))]
        y += BAR
    return parts, y


def draw(rows, systems, figures):
    """The picture as SVG."""
    systems = [one for one in systems if one.key in COLOURS]
    parts, y = [], TOP
    for row in rows:
        values = medians(row, figures)
        drawn, end = bars(row, systems, values, y)
        if drawn:
            middle = (y + end) // 2
            parts += [text(LEFT - 12, middle, row.title, "end", "what"), text(LEFT - 12, middle + 14, f"of {row.against}", "end"),
                      *drawn]
            y = max(end, middle + 20) + GAP
    one = LEFT + WIDTH / MOST
    parts += [f'<line x1="{one:.1f}" y1="{TOP - 6}" x2="{one:.1f}" y2="{y - GAP}" stroke="#8c959f" stroke-dasharray="3 3"/>',
              f'<line x1="{LEFT}" y1="{TOP - 6}" x2="{LEFT}" y2="{y - GAP}" stroke="#8c959f"/>',
              text(f"{one:.1f}", TOP - 10, "1: as fast", "middle")]
    title = text(LEFT, 22, "Speed as a share of the S3 server's (raw) or the disk's (native); longer is faster", kind="what")
    return "\n  ".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 70} {y}"'
                        f' width="{LEFT + WIDTH + 70}" height="{y}" role="img">', f"<style>{STYLE}</style>", title,
                        *legend(systems), *parts]) + "\n</svg>\n"
