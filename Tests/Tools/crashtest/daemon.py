"""The daemon that is killed, and what its commands say."""
import json
import os
import signal
import subprocess
import time

from .system import is_mount, unmount
from .wrong import PATIENCE, Wrong


class Daemon:
    def __init__(self, world):
        self.world, self.process, self.boot = world, None, 0
        self.reached = world.root + "/reached"

    def environment(self):
        return {**os.environ, **self.world.backup.environment}

    def start(self, failpoint=None):
        """Mounts; False if the daemon died before it served (which a failpoint may make it do)."""
        world = self.world
        environment = {**self.environment(), "BACKUPFS_FAILPOINT": failpoint or "",
                       "BACKUPFS_FAILPOINT_REACHED": self.reached, "BACKUPFS_BOOT_ID": f"boot-{self.boot}"}
        with open(world.root + "/daemon.log", "ab") as log:
            self.process = subprocess.Popen(
                [world.options.executable, "mount", world.main, world.mount, "--foreground", "--backup", world.backup.url,
                 "--close-timeout", "30s", *(["-o", "dirsync"] if world.options.dirsync else [])], env=environment, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while not is_mount(world.mount):
            if self.process.poll() is not None:
                return False
            if time.monotonic() > end:
                raise Wrong("the mount does not come")
            time.sleep(0.005)
        return True

    def start_again(self):
        if not self.start():
            raise Wrong("the daemon does not start again")

    def kill(self):
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
        unmount(self.world.mount)

    def stop(self):
        """A clean stop."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        unmount(self.world.mount)

    def freeze(self):
        """Stops it where it is; from here on nobody hears an answer."""
        self.process.send_signal(signal.SIGSTOP)
        while self.process.poll() is None and self.state() not in "TZX":
            time.sleep(0.001)

    def state(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]

    def ask(self, *arguments):
        """What one of its commands says."""
        outcome = subprocess.run([self.world.options.executable, *arguments, "--json"], capture_output=True, timeout=PATIENCE,
                                 env=self.environment())
        if outcome.returncode:
            raise Wrong(f"backupfs {arguments}: {outcome.stderr.decode()}")
        return json.loads(outcome.stdout or b"null")

    def check_objects(self):
        """`check --objects`: its exit status and what it prints."""
        outcome = subprocess.run([self.world.options.executable, "check", "--objects", self.world.mount], capture_output=True,
                                 text=True, timeout=PATIENCE, env=self.environment())
        return outcome.returncode, outcome.stdout, outcome.stderr

    def was_taken(self, failpoint):
        """Whether it came to this point, which it was started with, and did what it was told to do there."""
        try:
            with open(self.reached) as file:
                return f"{failpoint.split('=')[0]} taken\n" in file.readlines()
        except FileNotFoundError:
            return False

    def forget_reached(self):
        try:
            os.unlink(self.reached)
        except FileNotFoundError:
            pass
