"""What is compared after a death: the mount with the models, and main, the catalogue and the backup with the mount.

Messages name the invariants of docs/SEMANTICS.md by their numbers.
"""
import hashlib
import itertools
import json
import os
import pickle
import re
import signal
import time

from . import catalogue
from .model import SHARED, outcomes, undone
from .system import child
from .tree import describe, difference, tree
from .wrong import PATIENCE, Wrong


def look(mount):
    """What the mount shows. A process of its own looks, so that a mount that hangs ends that one and not us."""
    reader, writer = os.pipe()

    def tell():
        os.close(reader)
        signal.alarm(PATIENCE)
        with os.fdopen(writer, "wb") as out:
            pickle.dump(tree(mount), out)

    pid = child(tell)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        data = source.read()
    _, status = os.waitpid(pid, 0)
    if status:
        raise Wrong(f"I4, I10: the mount cannot be read ({status})")
    return pickle.loads(data)


def check_mount(world, pending=None, power=False):
    """I2, I4, I5, I6: the mount is what was acknowledged. `pending`: each worker's operation of unknown outcome."""
    found = look(world.mount)
    world.figures["checks"] += 1
    for number in range(len(world.models)):
        own = {p: v for p, v in found.items() if p.rsplit("/", 1)[-1].startswith(f"w{number}-")}
        check_worker(world, number, own, pending[number] if pending else None, power)
    strangers = [p for p in found if p not in SHARED and not re.match(r"w\d+-", p.rsplit("/", 1)[-1])]
    if strangers:
        raise Wrong(f"I6: names that nobody made: {strangers}")
    world.undoable = {}
    return found


def check_worker(world, number, own, op, power):
    """One worker's names are as its model says, which then is the one of those that `op` may have left."""
    first = None
    candidates = outcomes(world.models[number], op, own, power)
    if power:
        candidates = itertools.chain(candidates, undone(world.undoable.get(number, []), op, own))
    for candidate in candidates:
        problem = difference(candidate, own)
        if problem is None:
            world.models[number] = candidate
            return
        first = first or problem
    path = first.split(" ")[0]
    lines = [line for line in world.history.get(number, []) if "op" in line][-8:]
    raise Wrong(f"I6: worker {number}: {first}\n  of unknown outcome: {op}\n  last: "
                + "\n        ".join(json.dumps(line) for line in lines) + f"\n  ({path})")


def settle(world):
    """Waits until nothing is pending and nothing is left over."""
    end = time.monotonic() + PATIENCE
    while True:
        status = world.daemon.ask("status", world.mount)
        if status["leftovers"] == 0 and not any(status["pending"].values()):
            break
        if time.monotonic() > end:
            raise Wrong(f"I2, I6: it does not settle: {status}\n{world.daemon.ask('leftovers', world.mount)}")
        time.sleep(0.05)
    if [row for row in world.daemon.ask("leftovers", world.mount) if not row["reason"].startswith("set aside")]:
        raise Wrong("leftovers where status says none")


def check_storages(world, found, power):
    """I1, I3, I6: catalogue, main and backup agree with the mount, and nothing is left over anywhere."""
    check_backup(world, found)
    check_main(world, found)
    check_aside(world, power)
    check_info(world, found)


def check_backup(world, found):
    rows, objects = catalogue.read(world.main), world.backup.objects()
    wanted = set()
    for path, (kind, data, *_) in found.items():
        if kind == "file":
            key, sha = rows[path]
            wanted.add(key)
            stored = objects.get(key)
            if stored is None or hashlib.sha256(stored).hexdigest() != sha or stored != data:
                raise Wrong(f"I1: the backup does not hold {path} under {key}")
    unwanted = set(objects) - wanted - catalogue.kept_keys(world.main)
    if unwanted:
        raise Wrong(f"I6: in the backup and wanted by nobody: {sorted(unwanted)}")


def check_main(world, found):
    below = tree(world.main)
    for path in sorted(set(below) | set(found)):
        one, two = found.get(path), below.get(path)
        if one is None or two is None or one[:3] != two[:3]:
            raise Wrong(f"I6: main and mount differ in {path}: {describe(two)} and {describe(one)}")
    if os.listdir(world.main + "/.backupfs/staging"):
        raise Wrong("staging is not empty")


def check_aside(world, power):
    """I14: only after a power cut is something set aside, and what is, is on record. It is discarded."""
    aside = os.listdir(world.main + "/.backupfs/aside")
    if aside and not power:
        raise Wrong(f"set aside though nobody touched main: {aside}")
    world.figures["aside"] += len(aside)
    if world.daemon.ask("status", world.mount)["aside"] != len(aside):
        raise Wrong(f"I14: what is set aside is not on record: {aside}")
    if aside:
        world.daemon.ask("aside", world.mount, *(f"--discard={name}" for name in aside))


def check_info(world, found):
    """One file, drawn by lot, is what `info` says of it."""
    files = sorted(p for p, v in found.items() if v[0] == "file")
    if files:
        path = world.random.choice(files)
        info = world.daemon.ask("info", world.mount + "/" + path)
        if info["status"] != "created" or info["sha256"] != hashlib.sha256(found[path][1]).hexdigest():
            raise Wrong(f"info of {path}: {info}")
