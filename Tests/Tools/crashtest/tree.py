"""What a directory holds, and how that differs from a model."""
import os
import stat

from .model import digest
from .wrong import Wrong


def tree(root):
    """Everything below a directory, contents included."""
    found = {}

    def walk(directory, prefix):
        for name in sorted(os.listdir(directory)):
            path, key = directory + "/" + name, prefix + name
            if key == ".backupfs":
                continue
            status = os.lstat(path)
            mode, changed, links = stat.S_IMODE(status.st_mode), int(status.st_mtime), status.st_nlink
            if stat.S_ISDIR(status.st_mode):
                found[key] = ("directory", b"", None, mode, changed, links)
                walk(path, key + "/")
            elif stat.S_ISLNK(status.st_mode):
                found[key] = ("symlink", b"", os.readlink(path), mode, changed, links)
            elif stat.S_ISFIFO(status.st_mode):
                found[key] = ("fifo", b"", None, mode, changed, links)
            else:
                with open(path, "rb") as file:
                    data = file.read()
                if len(data) != status.st_size:
                    raise Wrong(f"{key} has {len(data)} bytes and stat says {status.st_size}")
                found[key] = ("file", data, None, mode, changed, links)

    walk(root, "")
    return found


def describe(entry):
    return "absent" if entry is None else f"{entry[0]} of {len(entry[1])} bytes {digest(entry[1])}"


def difference(model, found):
    for path in sorted(set(model.names) | set(found)):
        node, actual = model.names.get(path), found.get(path)
        if node is None:
            return f"{path} is there and must not be ({describe(actual)})"
        if actual is None:
            return f"{path} is gone; it must be a {node.kind} of {len(node.data)} bytes"
        kind, data, target, mode, changed, links = actual
        if kind != node.kind or data != node.data or target != node.target:
            return f"{path} is {describe(actual)}; it must be {node.kind} of {len(node.data)} bytes {digest(node.data)}"
        if node.mode is not None and mode != node.mode or node.time is not None and changed != node.time:
            return f"{path} has mode {mode:o} and time {changed}; it must have {node.mode:o} and {node.time}"
        if kind == "file" and links != model.links(node):
            return f"{path} has {links} links; it must have {model.links(node)}"
    return None
