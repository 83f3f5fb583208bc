"""The tables: medians of the rounds, what they are of the server's or the disk's, and what the daemons have used."""

import statistics


def medians(row, figures):
    """The median of each system that has figures of the row."""
    return {key: statistics.median(one.value(row.unit) for one in some) for key, some in figures[row.name].items()}


def ratio(value, other):
    """How many times as fast, or nothing if one of them is not there."""
    return value / other if value is not None and other else None


def best_peer(values, systems):
    """The peer with the highest value."""
    found = [(values[one.key], one.title) for one in systems if one.is_peer and one.key in values]
    return max(found, default=(None, ""))


def number(value):
    """A number in as many digits as it deserves."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def lines(header, body):
    """A Markdown table whose columns are of equal width."""
    widths = [max(len(line[at]) for line in [header, *body]) for at in range(len(header))]

    def line(cells):
        padded = [cells[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return "\n".join([line(header), line(rule), *map(line, body)])


def comparison(rows, systems, figures):
    """One line for each row. The ratios are those of BackupFS with a bucket."""
    header = ["what", "unit", *(one.title for one in systems), "of raw or native", "of the best peer"]
    body = []
    for row in rows:
        values = medians(row, figures)
        own, reference = values.get("backupfs"), ratio(values.get("backupfs"), values.get(row.against))
        peer, name = best_peer(values, systems)
        body.append([row.title, row.unit, *(number(values.get(one.key)) for one in systems),
                     f"{reference:.2f} {row.against}" if reference is not None else "",
                     f"{ratio(own, peer):.2f} {name}" if ratio(own, peer) is not None else ""])
    return lines(header, body)


def daemons(systems, figures):
    """What each daemon has used. A small file costs more than a large one, so only the larger ones are counted here."""
    body = []
    for one in systems:
        if one.has_daemon:
            body.append([one.title, cpu(one, figures, "write"), cpu(one, figures, "lost"), f"{one.usage.peak:,}"])
    return lines(["daemon", "CPU s per GB written", "CPU s per GB fetched", "peak memory, MB"], body)


def cpu(system, figures, what):
    """CPU seconds per GB in the rows with 3 MB and 150 MB."""
    some = [one for size in ("medium", "large") for one in figures.get(f"{what}-{size}", {}).get(system.key, [])]
    moved = sum(one.bytes for one in some) / 1e9
    return number(sum(one.cpu for one in some) / moved) if moved else ""


def scaling(title, labels, systems, found):
    """A table of one thing that grows; `found` has the values of each label and system."""
    body = [[label, *(number(statistics.median(found[label][one.key])) if found[label].get(one.key) else ""
                      for one in systems)] for label in labels]
    return lines([title, *(one.title for one in systems)], body)
