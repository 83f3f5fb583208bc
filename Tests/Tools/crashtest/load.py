"""The load: workers in the mount, and what their logs say they did."""
import json
import os
import signal
import time

from .system import child
from .worker import Worker
from .wrong import PATIENCE, Wrong


class Load:
    """The workers of one cycle, at work since this was made."""

    def __init__(self, world, cycle, limit):
        self.workers = [child(lambda number=number, model=model: Worker(world, number, cycle, model, limit).run())
                        for number, model in enumerate(world.models)]

    def still_works(self):
        return any(not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) for pid in self.workers)

    def wait(self):
        end, statuses = time.monotonic() + PATIENCE, []
        for pid in self.workers:
            while True:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    statuses.append(status)
                    break
                if time.monotonic() > end:
                    os.kill(pid, signal.SIGKILL)
                    raise Wrong(f"a program still hangs in the mount after the daemon's death: {pid}")
                time.sleep(0.002)
        if any(statuses):
            raise Wrong(f"a worker of the test itself failed: {statuses}")


def replay(world):
    """Takes over what the workers acknowledged; returns each one's operation of unknown outcome."""
    pending, world.history, world.undoable = [], {}, {}
    for number, model in enumerate(world.models):
        op = None
        undoable = world.undoable[number] = []
        with open(world.log_path(number), "rb") as log:
            lines = [json.loads(line) for line in log]
        for line in lines:
            if "op" in line:
                op = line
            elif "wrong" in line:
                raise Wrong(f"I4: worker {number}: {line['wrong']} in {op}")
            elif "done" in line:
                if model.syncs(op):
                    undoable.clear()
                elif not world.options.dirsync:
                    undoable.append((model.copy(), op))
                model.apply(op)
                world.figures["operations"] += 1
                op = None
        if op and op["op"] in ("read", "recover"):
            op = None
        pending.append(op)
        world.history[number] = lines
    return pending
