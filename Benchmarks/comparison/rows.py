"""The rows of the table: one function for each, which measures one turn of one system."""

import dataclasses
import os

from .programs import drop_caches, run

SMALL, MEDIUM, LARGE = 200_000, 3_000_000, 150_000_000


@dataclasses.dataclass
class Sizes:
    """How many files the rows use."""

    one: int = 100
    many: int = 640
    medium: int = 48
    stat_passes: int = 5
    warm_passes: int = 5


QUICK = Sizes(one=20, many=96, medium=16, stat_passes=2, warm_passes=2)


@dataclasses.dataclass
class Figure:
    """What one turn has shown."""

    seconds: float
    count: int
    bytes: int
    cpu: float

    def value(self, unit):
        """In the unit of the row: more is better."""
        return {"files/s": self.count, "calls/s": self.count, "MB/s": self.bytes / 1e6}[unit] / self.seconds


@dataclasses.dataclass
class Row:
    """A row with the function that measures it."""

    name: str
    title: str
    unit: str
    against: str
    measure: object

    def concerns(self, system):
        """Whether the system can do this at all."""
        if self.name.startswith("lost"):
            return system.recovers
        return system.has_names or self.against == "raw"


ROWS = []


def row(title, unit, against):
    """Adds a function as a row; it is named after the function."""

    def add(measure):
        ROWS.append(Row(measure.__name__.replace("_", "-"), title, unit, against, measure))
        return measure

    return add


def measured(system, count, size, work):
    """The figure of a deed, with the CPU seconds until what it has started in the background is done too."""
    run(["sync", "-f", system.tools.temp], 300)
    before = system.cpu()
    taken = work()
    system.settle()
    return Figure(max(taken, 1e-6), count, count * size, system.cpu() - before)


def written(system, name, count, size, threads):
    """Creates, writes and closes so many files."""
    system.make(name)
    figure = measured(system, count, size, lambda: system.write(name, count, size, threads))
    system.remove(name)
    system.settle()
    return figure


def stock(system, count, size):
    """A directory of files to be read, which is written when it is first needed."""
    name = f"stock-{count}-{size}"
    if name not in system.stocks:
        system.make(name)
        system.write(name, count, size, 8)
        system.settle()
        system.stocks.add(name)
    return name


def lost(system, count, size, threads):
    """Reads files of which nothing is left on this machine."""
    name = stock(system, count, size)
    system.lose(name)
    return measured(system, count, size, lambda: system.read(name, count, size, threads))


def warm(system, count, size, threads, passes):
    """Reads files that were read just before."""
    name = stock(system, count, size)
    system.read(name, count, size, threads)
    return measured(system, count * passes, size, lambda: system.read(name, count, size, threads, passes))


@row("200 KB: create, write, close", "files/s", "raw")
def write_small(system, sizes, turn):
    """One program saves photos one by one."""
    return written(system, f"write-small-{turn}", sizes.one, SMALL, 1)


@row("200 KB: the same, 32 writers", "files/s", "raw")
def write_small_many(system, sizes, turn):
    """Many programs save photos."""
    return written(system, f"write-small-many-{turn}", sizes.many, SMALL, 32)


@row("3 MB: the same, 8 writers", "MB/s", "raw")
def write_medium(system, sizes, turn):
    """Some programs save larger photos."""
    return written(system, f"write-medium-{turn}", sizes.medium, MEDIUM, 8)


@row("150 MB: write, close", "MB/s", "raw")
def write_large(system, sizes, turn):
    """One program saves a film."""
    return written(system, f"write-large-{turn}", 1, LARGE, 1)


@row("200 KB: read of lost files", "files/s", "raw")
def lost_small(system, sizes, turn):
    """One program reads what has to be fetched, file by file."""
    return lost(system, sizes.one, SMALL, 1)


@row("3 MB: the same, 8 readers", "MB/s", "raw")
def lost_medium(system, sizes, turn):
    """Some programs read what has to be fetched."""
    return lost(system, sizes.medium, MEDIUM, 8)


@row("150 MB: read of a lost file", "MB/s", "raw")
def lost_large(system, sizes, turn):
    """One program reads a film that has to be fetched."""
    return lost(system, 1, LARGE, 1)


@row("200 KB: rsync -a", "files/s", "raw")
def rsync(system, sizes, turn):
    """rsync makes each file under another name and renames it. The server's figure is one object after the other."""
    source, name = f"{system.tools.temp}/source", f"rsync-{turn}"
    if not os.path.exists(source):
        os.mkdir(source)
        run([system.tools.load, "write", source, sizes.one, SMALL, 1])
    system.make(name)
    figure = measured(system, sizes.one, SMALL, lambda: system.rsync(source, name, sizes.one, SMALL))
    system.remove(name)
    system.settle()
    return figure


@row("200 KB: unlink", "files/s", "raw")
def unlink(system, sizes, turn):
    """One program removes files one by one."""
    name = f"unlink-{turn}"
    system.make(name)
    system.write(name, sizes.one, SMALL, 8)
    system.settle()
    figure = measured(system, sizes.one, 0, lambda: system.unlink(name, sizes.one, SMALL))
    system.remove(name)
    return figure


@row("3 MB: warm read", "MB/s", "native")
def warm_medium(system, sizes, turn):
    """Files that were read just before, one after the other."""
    return warm(system, sizes.medium, MEDIUM, 1, sizes.warm_passes)


@row("150 MB: warm read", "MB/s", "native")
def warm_large(system, sizes, turn):
    """A film that was read just before."""
    return warm(system, 1, LARGE, 1, sizes.warm_passes)


@row("200 KB: warm open, read, close", "files/s", "native")
def warm_small(system, sizes, turn):
    """Small files that were read just before, where opening counts."""
    return warm(system, sizes.one, SMALL, 1, 4 * sizes.warm_passes)


@row("stat", "calls/s", "native")
def stat(system, sizes, turn):
    """Attributes, with the kernel's own memory of them dropped, so that the file system is asked."""
    name, taken = stock(system, sizes.one, SMALL), 0.0
    before = system.cpu()
    for _ in range(sizes.stat_passes):
        drop_caches(2)
        taken += system.load("stat", name, sizes.one, SMALL)
    return Figure(max(taken, 1e-6), sizes.one * sizes.stat_passes, 0, system.cpu() - before)
