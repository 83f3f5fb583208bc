"""The failpoints of docs/DURABILITY.md, and how each of them is reached."""
import random
import re
import shutil
import tempfile
from pathlib import Path

from .check import check_mount, check_storages, settle
from .cycle import Cycle
from .wrong import Wrong

REPOSITORY = str(Path(__file__).absolute().parents[3])
# What leaves work for a point of the repair: the death at another one.
CAUSES = {"repair.rename": "rename.main", "repair.name": "link.main", "repair.creation": "create.main",
          "repair.upload": "upload.begun"}


def failpoints():
    """Each point's name, the moment it is reached in, and what it can do."""
    with open(REPOSITORY + "/docs/DURABILITY.md") as file:
        return re.findall(r"^\| `([a-z]+\.[a-z]+)` \| ([a-z]+) \| ([a-z, ]+) \|", file.read(), re.MULTILINE)


def choices(options):
    """The points to be tried, with the moment and one action each: only `--point`, and only what this kind of disk reaches."""
    for name, when, actions in failpoints():
        if when == "own":
            continue  # tests of their own reach them
        if options.point in (None, name) and (when == "cut") == options.power_loss:
            for action in actions.split(", "):
                action = "delay:300" if action == "delay" else action
                first = when != "load" or name.startswith("checkpoint")
                turn = 1 if first else random.Random(f"{options.seed}/{name}").randint(1, 4)
                yield name, when, f"{name}={action}@{turn}"


def try_point(world, number, name, when, what):
    """Reaches one point, in the moment it belongs to, and fails if it is not reached."""
    world.daemon.forget_reached()
    if when == "adoption":
        adopt(world, what)
    else:
        try_in_cycles(world, number, name, when, what)
    if not world.daemon.was_taken(what):
        raise Wrong(f"the point was never reached: {what}")
    print(f"{what}: ok", flush=True)


def adopt(world, what):
    """The catalogue and the backup are gone: a first mount takes over what main has."""
    world.daemon.kill()
    shutil.rmtree(world.main + "/.backupfs")
    world.backup = world.new_backup(tempfile.mkdtemp(dir=world.root))
    world.daemon.start(what)
    world.daemon.kill()
    world.history = {}
    world.daemon.start_again()
    found = check_mount(world)
    settle(world)
    check_storages(world, found, False)


def try_in_cycles(world, number, name, when, what):
    """Cycles until the point is reached, at most twelve."""
    daemon = world.daemon
    for attempt in range(12):
        cause = what if when in ("load", "stop") else f"{CAUSES[name]}=kill@2" if name in CAUSES else None
        if cause:
            daemon.kill()
            daemon.forget_reached()
            if not daemon.start(cause):
                return
        Cycle(world, number * 100 + attempt, deep=True, failpoint=what, when=when).run()
        if daemon.was_taken(what):
            return
