"""Compares BackupFS with the server behind it, the disk below it, and its peers: all are mounted at once and take turns."""

import argparse
import dataclasses
import json
import os
import platform
import signal
import sys
import time

from . import large, picture, rows, scale, table
from .bucket import Server
from .mounts import PEERS, available
from .programs import Failure, is_mounted


@dataclasses.dataclass
class Tools:
    """Where everything is. A program that is not there has no path."""

    temp: str
    load: str
    executable: str
    s5cmd: str
    s3fs: str
    juicefs: str
    rclone: str
    server: Server
    #: Seconds that one deed may take.
    limit: int


def arguments():
    """What was asked for. `Benchmarks/run` adds the hidden options."""
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("--executable", metavar="PATH", help="of BackupFS; a release build of these sources if not given")
    parser.add_argument("--quick", action="store_true", help="one round, and fewer files")
    parser.add_argument("--rounds", type=int, metavar="N", help="5 if not given")
    parser.add_argument("--row", action="append", metavar="NAME", choices=[one.name for one in rows.ROWS],
                        help="only this row, may be repeated: " + ", ".join(one.name for one in rows.ROWS))
    parser.add_argument("--peers", default=",".join(one.key for one in PEERS), metavar="NAMES",
                        help="none, or some of s3fs,juicefs,rclone; all if not given")
    parser.add_argument("--large", action="store_true", help="also a file of 5 GiB against s5cmd (--quick: 256 MiB)")
    parser.add_argument("--scale", action="append", metavar="WHAT[=N,N...]",
                        help="instead of the rows: files, writers or sizes (4K, 1M, 1G), may be repeated")
    parser.add_argument("--svg", metavar="FILE", help="draws the ratios")
    parser.add_argument("--json", metavar="FILE", help="writes what was measured")
    for name in ("temp", "load", "s5cmd", "s3fs", "juicefs", "rclone"):
        parser.add_argument("--" + name, default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.peers = [] if options.peers == "none" else options.peers.split(",")
    unknown = set(options.peers) - {one.key for one in PEERS}
    if unknown or options.rounds < 1:
        parser.error("--peers takes none or some of s3fs,juicefs,rclone" if unknown else "--rounds takes 1 or more")
    options.scale = [scale.parse(one) for one in options.scale or []]
    return options


def tell(words):
    """Says on standard error what is going on."""
    print(words, file=sys.stderr, flush=True)


def measure(chosen, systems, sizes, rounds):
    """All rounds: in each, each row goes through the systems, and each round begins with another one.

    A peer that cannot do a row has no figure there; all others must.
    """
    figures, failures = {row.name: {} for row in chosen}, {}
    for turn in range(rounds):
        for row in chosen:
            tell(f"round {turn + 1} of {rounds}: {row.title}")
            for system in systems[turn % len(systems):] + systems[:turn % len(systems)]:
                if not row.concerns(system):
                    continue
                try:
                    begun = time.monotonic()
                    figure = row.measure(system, sizes, turn)
                except Failure as failure:
                    what = f"{row.name} on {system.title}: {failure}"
                    if not system.is_peer or not is_mounted(system.mount):
                        raise Failure(what) from None
                    failures.setdefault((row.name, system.key), what)
                    continue
                tell(f"  {system.title}: {figure.value(row.unit):.1f} {row.unit}, {time.monotonic() - begun:.1f} s in all")
                figures[row.name].setdefault(system.key, []).append(figure)
    for row, key in failures:
        figures[row].pop(key, None)
    return figures, list(failures.values())


def compare(options, systems):
    """The main table, the one of the daemons, and the picture; returns the raw values."""
    chosen = [row for row in rows.ROWS if not options.row or row.name in options.row]
    figures, failures = measure(chosen, systems, rows.QUICK if options.quick else rows.Sizes(), options.rounds)
    for system in systems:
        system.usage.note_peak(system.daemon)
    print(table.comparison(chosen, systems, figures) + "\n")
    for failure in failures:
        print(f"Left out: {failure}")
    print("\n" * bool(failures) + table.daemons(systems, figures))
    if options.svg:
        with open(options.svg, "w") as file:
            file.write(picture.draw(chosen, systems, figures))
    return {name: {key: [dataclasses.asdict(one) for one in some] for key, some in found.items()}
            for name, found in figures.items()}


def run_all(options, tools):
    """Mounts all, measures what was asked for, and unmounts all whatever happens."""
    systems, missing = available(tools, options.peers)
    for title in missing:
        print(f"{title} cannot be had here and is left out.")
    raw = {"cores": os.cpu_count(), "kernel": platform.release(), "rounds": options.rounds}
    try:
        for system in systems:
            system.start()
        print(f"{os.cpu_count()} cores, {platform.release()}; medians of {options.rounds} round(s); more is better. Server,"
              " mounts and load share the cores.\n", flush=True)
        if options.scale:
            for what, values in options.scale:
                words, raw[f"scale {what}"] = scale.table(what, values, systems, options.rounds, tell)
                print(words + "\n", flush=True)
        else:
            raw["rows"] = compare(options, systems)
        raw["peak memory, MB"] = {one.key: one.usage.peak for one in systems if one.has_daemon}
        if options.large:
            words, raw["large, s"] = large.table(tools, 256 if options.quick else 5120, options.rounds, tell)
            print("\n" + words)
    finally:
        for system in systems:
            system.stop()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(raw, file, indent=1)


def stop(number, frame):
    """A signal ends the run in good order; a second one does not disturb that."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: None)
    sys.exit(128 + number)


def main():
    """Runs; without a place for temporary files it has only looked at its options."""
    try:
        options = arguments()
        if options.temp:
            signal.signal(signal.SIGINT, stop)
            signal.signal(signal.SIGTERM, stop)
            run_all(options, Tools(options.temp, options.load, options.executable, options.s5cmd, options.s3fs,
                                   options.juicefs, options.rclone, Server(), 3600 if options.scale else 900))
    except Failure as failure:
        sys.exit(f"run: {failure}")


if __name__ == "__main__":
    main()
