"""What the mount must show: a model of one worker's names, and what an operation of unknown outcome may have left."""
import hashlib
import os

SHARED = ("s0", "s1")  # directories that all workers use


def content(seed, size):
    return hashlib.shake_128(str(seed).encode()).digest(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


class Node:
    """A file, directory, link or pipe: what the mount must show of it."""

    def __init__(self, kind, data=b"", target=None):
        self.kind, self.data, self.target, self.acknowledged = kind, data, target, kind != "file"
        self.mode = self.time = None  # not checked until they were set

    def copy(self):
        other = Node(self.kind, self.data, self.target)
        other.mode, other.time, other.acknowledged = self.mode, self.time, self.acknowledged
        return other


class Model:
    """What one worker's names must be: paths to nodes; hard links share a node."""

    def __init__(self):
        self.names = {}

    def copy(self):
        other, copies = Model(), {}
        for path, node in self.names.items():
            other.names[path] = copies.setdefault(id(node), node.copy())
        return other

    def links(self, node):
        return sum(1 for other in self.names.values() if other is node)

    def syncs(self, op):
        """Whether everything before the operation, and itself, survives a power cut once it has succeeded."""
        if op["op"] == "rename":
            return self.names[op["path"]].kind != "file" and self.names.get(op["to"]) is not self.names[op["path"]]
        return op["op"] in ("write", "exchange", "link")

    def apply(self, op):
        """The effect of an operation that succeeded."""
        name, names = op["op"], self.names
        if name == "write":
            node = names.get(op["path"])
            if node is None or op.get("exclusive"):
                node = names[op["path"]] = Node("file")
            node.data = overlay(node.data, op)
            node.acknowledged, node.time = True, None
        elif name == "truncate":
            node = names[op["path"]]
            node.data = (node.data + bytes(op["size"]))[: op["size"]]
            node.time = None
        elif name == "rename":
            if names.get(op["to"]) is names[op["path"]]:
                return
            for path in [p for p in names if p == op["path"] or p.startswith(op["path"] + "/")]:
                names[op["to"] + path[len(op["path"]):]] = names.pop(path)
        elif name == "exchange":
            names[op["path"]], names[op["to"]] = names[op["to"]], names[op["path"]]
        elif name == "link":
            names[op["to"]] = names[op["path"]]
        elif name in ("unlink", "rmdir", "unlink-open"):
            del names[op["path"]]
        elif name == "mkdir":
            names[op["path"]] = Node("directory")
        elif name == "symlink":
            names[op["path"]] = Node("symlink", target=op["target"])
        elif name == "mkfifo":
            names[op["path"]] = Node("fifo")
        elif name == "attributes":
            names[op["path"]].mode, names[op["path"]].time = op["mode"], op["time"]


def overlay(old, op):
    new = content(op["seed"], op["size"])
    if op.get("truncate"):
        return new
    offset = min(op.get("offset", 0), len(old))
    return old[:offset] + new + old[offset + len(new):]


def outcomes(model, op, found, power):
    """The models that an operation of unknown outcome may have left."""
    yield model
    if op is None:
        return
    after = model.copy()
    after.apply(op)
    if op["op"] in ("write", "truncate"):
        yield from half_written(model, after, op, found.get(op["path"]), power)
    elif op["op"] == "unlink-open":
        yield after
        yield from not_yet_unlinked(model, op, found.get(op["path"]), power)
    elif op["op"] == "attributes":
        yield after
        half = model.copy()
        half.names[op["path"]].mode = op["mode"]
        yield half
    else:
        yield after


def undone(undoable, pending, found):
    """The models that a power cut may have left which took changes of names and attributes that nothing durable followed.

    It takes the last of them. What main has of those, the mount takes over: directories, links and pipes.
    """
    made = []
    for model, op in reversed(undoable):
        if op["op"] in ("mkdir", "symlink", "mkfifo") and op["path"] in found:
            made.append(op)
        for last in (op, pending):
            makes = last and last["op"] in ("write", "mkdir", "symlink", "mkfifo")
            if last and not makes and last["path"] not in model.names:
                continue
            for candidate in outcomes(model, last, found, True):
                candidate = candidate.copy()
                for other in reversed(made):
                    if other["path"] not in candidate.names:
                        candidate.apply(other)
                yield candidate


def half_written(model, after, op, actual, power):
    """What a write or a truncation may have left where `actual` is found."""
    node, old = after.names[op["path"]], model.names.get(op["path"])
    node.acknowledged = False
    yield after
    if old and not old.data:  # emptying an empty file changes its time, and that much may be all that happened
        touched = model.copy()
        touched.names[op["path"]].time = None
        yield touched
    if actual is None or actual[0] != "file":
        return
    before, data, got = old.data if old else b"", node.data, actual[1]
    if power and old and old.acknowledged:
        return  # the old or the new one, never a mixture
    # What was written so far, and behind it what was there before.
    cut = len(os.path.commonprefix([got, data]))
    rest = b"" if op.get("truncate") else before[cut:]
    if power or op["op"] == "write" and got == data[:cut] + rest:
        node.data = got
        yield after


def not_yet_unlinked(model, op, actual, power):
    """What a write to a file that is deleted while it is open may have left: the file, changed in part."""
    if not actual or power:
        return
    half, got = model.copy(), actual[1]
    half.names[op["path"]].data = got
    old, new = model.names[op["path"]].data, content(op["seed"], op["size"])
    if got == overlay(old, dict(op, offset=0)) or got[: len(new)] == new[: len(got)]:
        half.names[op["path"]].acknowledged = False
        yield half
