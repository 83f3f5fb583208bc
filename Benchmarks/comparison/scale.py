"""How figures change while one thing grows: files in a directory, writers, or the size of a file."""

from .programs import Failure, drop_caches, run
from .table import scaling

DEFAULTS = {"files": "1000,10000", "writers": "1,4,16,64", "sizes": "4K,64K,1M,16M,256M,1G"}
UNITS = {"K": 1000, "M": 1000**2, "G": 1000**3}


def parse(argument):
    """`files`, or `files=1000,1000000`: what grows, and its values."""
    what, _, values = argument.partition("=")
    if what not in DEFAULTS:
        raise Failure(f"--scale takes {', '.join(DEFAULTS)}, and not {what}")
    try:
        return what, [plain(value) for value in (values or DEFAULTS[what]).split(",")]
    except ValueError:
        raise Failure(f"--scale {argument}: these are no numbers") from None


def plain(value):
    """A number that may end in K, M or G."""
    return int(value[:-1]) * UNITS[value[-1]] if value[-1:] in UNITS else int(value)


def short(value):
    """The number as one would write it."""
    return next((f"{value // unit:,} {name}B" for name, unit in reversed(UNITS.items()) if value % unit == 0 and value), str(value))


def files(system, count, name):
    """Creates so many files of 4 KB with 16 writers, and asks for the attributes of each: two values."""
    system.make(name)
    created = count / system.write(name, count, 4096, 16)
    asked = None
    if system.has_names:
        drop_caches(2)
        asked = count / system.load("stat", name, count, 4096)
    return {f"{count:,} files: created/s": created, f"{count:,} files: stat/s": asked}


def writers(system, count, name):
    """Creates files of 200 KB with so many writers."""
    system.make(name)
    number = max(64, 8 * count)
    return {f"{count} writers: files/s": number / system.write(name, number, 200_000, count)}


def sizes(system, size, name):
    """Creates files of this size one by one, 64 MB in all or one file."""
    system.make(name)
    number = max(1, min(200, 64_000_000 // size))
    return {f"{short(size)}: MB/s": number * size / 1e6 / system.write(name, number, size, 1)}


MEASURES = {"files": files, "writers": writers, "sizes": sizes}


def table(what, values, systems, rounds, tell):
    """Measures and returns one table and its raw values."""
    found = {}
    for turn in range(rounds):
        for value in values:
            for system in systems[turn % len(systems):] + systems[:turn % len(systems)]:
                tell(f"{what} {value}, round {turn + 1}: {system.title}")
                name = f"scale-{what}-{value}-{turn}"
                run(["sync", "-f", system.tools.temp], 300)
                for label, figure in MEASURES[what](system, value, name).items():
                    if figure is not None:
                        found.setdefault(label, {}).setdefault(system.key, []).append(figure)
                system.settle()
                system.remove(name)
                system.settle()
    return scaling(what, list(found), systems, found), found
