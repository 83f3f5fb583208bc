"""The command: its options, and a run from its beginning to its last line."""
import argparse
import os
import signal
import sys
import time

from .cycle import Cycle
from .points import REPOSITORY, choices, failpoints, try_point
from .world import World
from .wrong import Wrong


def parse():
    parser = argparse.ArgumentParser(
        description="Kills BackupFS under load again and again, and checks after each death that nothing acknowledged is lost.")
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--backup", choices=["file", "s3"], default="file")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--load", type=float, default=0.5, help="seconds of load before a death, at most")
    parser.add_argument("--deep", type=int, default=4, help="check main, catalogue and backup after each N-th death")
    parser.add_argument("--failpoints", action="store_true", help="die, fail and wait at each point of docs/DURABILITY.md")
    parser.add_argument("--point", help="only this point")
    parser.add_argument("--power-loss", action="store_true", help="the disk loses power, instead of the daemon its life")
    parser.add_argument("--troubles", action="store_true",
                        help="with --backup file: also orderly reboots in an outage, lost objects, and, with --power-loss, a disk "
                        "that goes and comes back without a reboot")
    parser.add_argument("--file-system", choices=["ext4", "xfs"], default="ext4", help="of that disk")
    parser.add_argument("--dirsync", action="store_true", help="mount with -o dirsync: a power cut takes no name either")
    parser.add_argument("--keep", action="store_true", help="keep everything after a failure")
    parser.add_argument("--executable", default=os.environ.get("BACKUPFS_EXECUTABLE", REPOSITORY + "/.build/debug/backupfs"))
    return parser.parse_args()


def refuse(status, reason):
    print(f"torture: {reason}", file=sys.stderr)
    sys.exit(status)


def refuse_what_cannot_run(options):
    if options.troubles and options.backup != "file":
        refuse(1, "--troubles goes with --backup file")
    if options.point is not None:
        moments = {name: when for name, when, _ in failpoints()}
        if options.point not in moments:
            refuse(2, f"docs/DURABILITY.md has no failpoint {options.point}")
        if not list(choices(options)):
            refuse(2, f"{options.point} is reached {'only without' if options.power_loss else 'only with'} --power-loss")
    if os.geteuid() != 0:
        refuse(1, "become root: it mounts")


def run(world):
    """All cycles, or all points that were asked for; `world.step` says where the run is."""
    options = world.options
    if options.failpoints or options.point:
        for number, (name, when, what) in enumerate(choices(options), 1):
            world.step = what
            try_point(world, number, name, when, what)
        return
    for number in range(1, options.cycles + 1):
        world.step = f"cycle {number}"
        Cycle(world, number, deep=number % options.deep == 0 or number == options.cycles).run()
        world.daemon.forget_reached()


def main():
    options = parse()
    refuse_what_cannot_run(options)
    # Whatever ends us, nothing stays mounted.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(f"torture: ended by a signal, seed {options.seed}"))
    world, started, keep = World(options), time.monotonic(), False
    try:
        world.prepare()
        run(world)
        figures = ", ".join(f"{count} {name}" for name, count in world.figures.items())
        print(f"ok: {figures}; seed {options.seed}, {time.monotonic() - started:.0f} s")
        return 0
    except Wrong as problem:
        keep = options.keep
        print(f"BROKEN at {world.step}, seed {options.seed}, {world.figures}: {problem}")
        print(f"again: {' '.join(sys.argv)}" + ("" if "--seed" in sys.argv else f" --seed {options.seed}")
              + (f"; kept in {world.root}" if keep else ""))
        return 1
    except Exception:
        keep = options.keep
        print(f"the test itself failed at {world.step}, seed {options.seed}")
        raise
    finally:
        world.tear_down(keep)
