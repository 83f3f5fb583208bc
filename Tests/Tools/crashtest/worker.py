"""One process that works in the mount: it chooses operations at random, logs each, does it, and logs that it is done."""
import ctypes
import json
import os
import random

from .model import SHARED, content, digest

LIBC = ctypes.CDLL(None, use_errno=True)


class Worker:
    """Its log is all that remains of it."""

    def __init__(self, world, number, cycle, model, stop_after):
        self.world, self.number, self.model = world, number, model
        self.random = random.Random(f"{world.seed}/{cycle}/{number}")
        self.prefix, self.cycle, self.count, self.stop_after = f"w{number}-", cycle, 0, stop_after
        self.log = open(world.log_path(number), "wb", buffering=0)

    def run(self):
        while self.count < self.stop_after:
            op = self.choose()
            self.count += 1
            self.say(op)
            try:
                problem = self.do(op)
            except OSError as error:
                self.say({"failed": error.errno, "text": str(error)})
                return
            if problem:
                self.say({"wrong": problem})
                return
            self.say({"done": True})
            self.model.apply(op)

    def say(self, line):
        os.write(self.log.fileno(), json.dumps(line).encode() + b"\n")

    # What is done next. A seed stands for a run: the order in which random numbers are asked for is part of it.

    def paths(self, *kinds):
        return sorted(p for p, node in self.model.names.items() if node.kind in kinds)

    def directories(self):
        return ["", *(d + "/" for d in SHARED), *(d + "/" for d in self.paths("directory") if d.count("/") < 3)]

    def fresh(self):
        name = f"{self.prefix}{self.cycle}.{self.count}" + self.random.choice(["", ".jpg", " ä.png"])
        return self.random.choice(self.directories()) + name

    def size(self):
        return self.random.choice([0, 1, 100, 4096, 5000, 30_000, 70_000, 200_000])

    def choose(self):
        files = self.paths("file")
        seed = f"{self.world.seed}/{self.cycle}/{self.number}/{self.count}"
        kinds, numbers = zip(*self.world.weights.items(), strict=True)
        while True:
            kind = self.random.choices(kinds, numbers)[0]
            op = self.work_on_names(kind, files, seed) or files and self.work_on_files(kind, files, seed)
            if op:
                return op

    def work_on_names(self, kind, files, seed):
        """An operation that makes or removes a name, or moves a directory; None if there is nothing to do it to."""
        rnd = self.random
        if kind == "create" and len(files) < 40:
            return dict(op="write", path=self.fresh(), seed=seed, size=self.size(), truncate=True, exclusive=True,
                        pieces=rnd.randint(1, 3), sync=rnd.random() < 0.1)
        if kind == "mkdir" and len(self.paths("directory")) < 6:
            return dict(op="mkdir", path=self.fresh())
        if kind == "symlink" and len(self.paths("symlink", "fifo")) < 8:
            if rnd.random() < 0.3:
                return dict(op="mkfifo", path=self.fresh())
            return dict(op="symlink", path=self.fresh(), target=f"nowhere/{seed}")
        if kind == "rmdir":
            empty = [d for d in self.paths("directory") if not any(p.startswith(d + "/") for p in self.model.names)]
            if empty:
                return dict(op="rmdir", path=rnd.choice(empty))
        if kind == "move-directory" and self.paths("directory"):
            path, to = rnd.choice(self.paths("directory")), self.fresh()
            if not to.startswith(path + "/"):
                return dict(op="rename", path=path, to=to)
        if kind == "unlink" and files + self.paths("symlink", "fifo"):
            return dict(op="unlink", path=rnd.choice(files + self.paths("symlink", "fifo")))
        return None

    def work_on_files(self, kind, files, seed):
        """An operation on a file that is there; None if it is none, or cannot be done to the one that was drawn."""
        rnd = self.random
        path, other = rnd.choice(files), rnd.choice(files)
        single = self.model.links(self.model.names[path]) == 1
        restorable = single and self.model.names[path].acknowledged
        if kind == "overwrite":
            return dict(op="write", path=path, seed=seed, size=self.size(), truncate=True, pieces=rnd.randint(1, 3),
                        lost=restorable and rnd.random() < 0.3)
        if kind == "patch":
            return dict(op="write", path=path, seed=seed, size=rnd.choice([1, 5000, 40_000]), pieces=rnd.randint(1, 2),
                        offset=rnd.choice([0, 10, 4096, 10**9]), sync=rnd.random() < 0.2)
        if kind == "truncate":
            return dict(op="truncate", path=path, size=rnd.choice([0, 10, 4096, 9000]))
        if kind == "rename":
            return dict(op="rename", path=path, to=self.fresh())
        if kind == "replace" and path != other:
            return dict(op="rename", path=path, to=other)
        if kind == "exchange" and path != other:
            return dict(op="exchange", path=path, to=other)
        if kind == "link":
            return dict(op="link", path=path, to=self.fresh())
        if kind == "unlink-open" and single:
            return dict(op="unlink-open", path=path, seed=seed, size=5000, pieces=1)
        if kind == "attributes":
            return dict(op="attributes", path=path, mode=rnd.choice([0o600, 0o644, 0o755]), time=rnd.randint(0, 2**31))
        if kind == "read" or kind == "recover" and restorable:
            return dict(op=kind, path=path)
        return None

    # Doing it

    def do(self, op):
        """Does it in the mount; returns what is wrong with what it saw, if anything."""
        path, name = self.world.mount + "/" + op["path"], op["op"]
        if name == "write":
            self.write(path, op)
        elif name == "unlink-open":
            return self.unlink_open(path, op)
        elif name in ("read", "recover"):
            return self.read(path, op)
        elif name == "truncate":
            os.truncate(path, op["size"])
        elif name == "rename":
            os.rename(path, self.world.mount + "/" + op["to"])
        elif name == "exchange":
            exchange(path, self.world.mount + "/" + op["to"])
        elif name == "link":
            os.link(path, self.world.mount + "/" + op["to"])
        elif name == "unlink":
            os.unlink(path)
        elif name == "rmdir":
            os.rmdir(path)
        elif name == "mkdir":
            os.mkdir(path)
        elif name == "symlink":
            os.symlink(op["target"], path)
        elif name == "mkfifo":
            os.mkfifo(path)
        elif name == "attributes":
            os.chmod(path, op["mode"])
            os.utime(path, (op["time"], op["time"]))
        return None

    def write(self, path, op):
        if op.get("lost"):
            self.lose(op)
        flags = os.O_WRONLY | (os.O_TRUNC if op.get("truncate") else 0)
        flags |= os.O_CREAT | os.O_EXCL if op.get("exclusive") else 0
        file = os.open(path, flags, 0o644)
        try:
            old = self.model.names.get(op["path"])
            offset = 0 if op.get("truncate") else min(op.get("offset", 0), len(old.data))
            put(file, offset, op)
            if op.get("sync"):
                os.fsync(file)
        except OSError:
            close_anyway(file)
            raise
        os.close(file)

    def unlink_open(self, path, op):
        file = os.open(path, os.O_RDWR)
        try:
            os.unlink(path)
            put(file, 0, op)
            if os.pread(file, op["size"], 0) != content(op["seed"], op["size"]):
                return "a deleted open file did not read as written"
        finally:
            close_anyway(file)
        return None

    def read(self, path, op):
        if op["op"] == "recover":
            self.lose(op)
        with open(path, "rb") as file:
            found = file.read()
        data = self.model.names[op["path"]].data
        return None if found == data else f"read {len(found)} bytes, {digest(found)}, not {digest(data)}"

    def lose(self, op):
        """Removes main's copy behind the mount."""
        os.unlink(self.world.main + "/" + op["path"])


def put(file, offset, op):
    """Writes the content in the operation's number of pieces."""
    data = content(op["seed"], op["size"])
    step = max(1, -(-len(data) // op["pieces"]))
    for start in range(0, len(data), step):
        os.pwrite(file, data[start : start + step], offset + start)


def exchange(one, two):
    """renameat2 with RENAME_EXCHANGE, which Python does not have."""
    if LIBC.syscall(316, -100, one.encode(), -100, two.encode(), 2) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def close_anyway(file):
    try:
        os.close(file)
    except OSError:
        pass
