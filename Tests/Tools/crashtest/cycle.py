"""One cycle: load, a death or another trouble, the repair, and the check. Then it goes on in the same state."""
import os
import random
import time

from . import catalogue
from .check import check_mount, check_storages, settle
from .load import Load, replay
from .wrong import Wrong


class Cycle:
    """`failpoint`: NAME=ACTION@COUNT; `when`: the moment that point is reached in, as docs/DURABILITY.md has it."""

    def __init__(self, world, number, deep, failpoint=None, when="load"):
        self.world, self.number, self.failpoint, self.when = world, number, failpoint, when
        world.random = self.random = random.Random(f"{world.seed}/{number}")
        world.figures["cycles"] += 1
        troubles = ["death", "outage", "objects"] + (["remount"] if world.disk.image else [])
        self.trouble = self.random.choice(troubles) if world.options.troubles else "death"
        self.deep = deep or self.trouble == "objects"

    def run(self):
        world, daemon = self.world, self.world.daemon
        load = Load(world, self.number, limit=100 if self.when == "stop" else 10**9)
        self.wait_for_end(load)
        power = self.strike()
        load.wait()
        if self.when == "stop":
            daemon.stop()
        # Not before the workers have ended: below the mount they would find an ordinary directory.
        daemon.kill()
        pending = replay(world)
        if power:
            world.disk.bring_power_back()
        if self.when in ("repair", "cut") and self.failpoint:
            daemon.start(self.failpoint)
            daemon.kill()
        daemon.start_again()
        check_mount(world, pending, power)
        if self.deep:
            self.check_deeply(power)

    def wait_for_end(self, load):
        """The load goes on for a random time, or until the failpoint is reached."""
        daemon, end = self.world.daemon, time.monotonic() + self.random.uniform(0.02, self.world.options.load)
        if not (self.failpoint and self.when == "load"):
            while time.monotonic() < end and load.still_works():
                time.sleep(0.005)
            return
        end = time.monotonic() + 15
        while time.monotonic() < end and not daemon.was_taken(self.failpoint) and load.still_works():
            time.sleep(0.01)
        if daemon.was_taken(self.failpoint) and not self.failpoint.split("=")[1].startswith("kill"):
            time.sleep(0.1)

    def strike(self):
        """What ends the load; whether it was the power."""
        world = self.world
        if self.trouble == "outage":
            self.stop_in_outage()
        elif world.disk.image:
            self.cut_power(reboots=self.trouble != "remount")
            return True
        elif not (self.failpoint and self.when == "stop"):
            world.figures["kills"] += 1
            world.daemon.process.kill()
        return False

    def cut_power(self, reboots):
        """What the disk was not told is gone. Without a reboot it is a disk that goes away and comes back."""
        daemon = self.world.daemon
        # Nobody may hear an answer after the power is gone: ext4 lets a sync that is under way then return 0.
        daemon.freeze()
        self.world.disk.cut_power()
        daemon.process.kill()
        daemon.boot += reboots
        self.world.figures["cuts"] += 1

    def stop_in_outage(self):
        """The backup goes away, and the machine is shut down in order, and booted."""
        world = self.world
        world.backup.take_away()
        time.sleep(self.random.uniform(0, 0.5))
        world.daemon.stop()
        world.backup.bring_back()
        world.daemon.boot += 1
        world.figures["outages"] += 1

    def check_deeply(self, power):
        world = self.world
        settle(world)
        found = check_mount(world, power=power)
        check_storages(world, found, power or world.disk.image is not None)
        if self.trouble == "objects":
            self.lose_objects(found)
            settle(world)
            check_storages(world, check_mount(world), False)
        for model in world.models:
            for node in model.names.values():
                node.acknowledged = True

    def lose_objects(self, found):
        """Somebody removes and cuts objects behind the mount: `check --objects` finds them, and main has them all."""
        world = self.world
        rows, objects = catalogue.read(world.main), world.backup.objects()
        files = [path for path, entry in found.items() if entry[0] == "file" and os.path.exists(f"{world.main}/{path}")]
        keys = {rows[path][0] for path in files}
        lost = self.random.sample(sorted(keys), len(keys) // 3)
        missing = damaged = 0
        for key in lost:
            if objects[key] and self.random.random() < 0.5:
                world.backup.cut(key)
                damaged += 1
            else:
                world.backup.remove(key)
                missing += 1
        status, said, complaints = world.daemon.check_objects()
        if status != bool(lost) or f", {missing} missing, {damaged} damaged," not in said:
            raise Wrong(f"{missing} objects were removed and {damaged} cut, and it says: {said}{complaints}")
        world.figures["objects lost"] += len(lost)
