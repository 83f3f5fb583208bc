"""A file of some gigabytes: through a mount of its own until close returns, and with s5cmd, each into an empty bucket."""

import os
import shutil
import statistics

from .mounts import BackupFSS3
from .programs import Failure, run, seconds
from .table import lines, number, ratio


class LargeMount(BackupFSS3):
    """BackupFS with a bucket for the large file only."""

    key = "large-mount"

    def __init__(self, tools):
        super().__init__(tools)
        os.mkdir(f"{self.root}/main")

    def prepare(self):
        """The bucket comes and goes with each turn."""

    def copy(self, file):
        """Mounts, copies, and removes everything again; how many seconds the copy took."""
        self.tools.server.make(self.key)
        self.come()
        try:
            taken = seconds(["cp", file, self.path("file")], 3600)
            self.go()
        finally:
            self.stop()
            shutil.rmtree(f"{self.root}/main")
            os.mkdir(f"{self.root}/main")
            self.tools.server.remove(self.key)
        return taken


def copy_raw(tools, file):
    """The same with s5cmd."""
    tools.server.make("large-raw")
    try:
        return seconds([tools.s5cmd, "--log", "error", "--endpoint-url", tools.server.endpoint, "cp", file,
                        "s3://large-raw/file"], 3600)
    finally:
        tools.server.remove("large-raw")


def table(tools, mebibytes, rounds, tell):
    """Takes turns and returns the table and its raw values."""
    if not tools.s5cmd:
        raise Failure("--large needs s5cmd, and it cannot be had")
    room = os.statvfs(tools.temp)
    if room.f_bavail * room.f_frsize < 3 * mebibytes << 20:
        raise Failure(f"--large needs room for {3 * mebibytes} MiB in {tools.temp}")
    mount, file = LargeMount(tools), f"{tools.temp}/large-file"
    run(["dd", "if=/dev/urandom", f"of={file}", "bs=1M", f"count={mebibytes}"], 3600)
    found = {"BackupFS": [], "s5cmd cp": []}
    for turn in range(rounds):
        for title in sorted(found, reverse=turn % 2 == 1):
            tell(f"{mebibytes} MiB, round {turn + 1}: {title}")
            run(["sync", "-f", tools.temp], 600)
            run(["dd", f"if={file}", "of=/dev/null", "bs=1M"], 600)
            found[title].append(mount.copy(file) if title == "BackupFS" else copy_raw(tools, file))
    os.remove(file)
    own, other = (mebibytes * 1.048576 / statistics.median(some) for some in found.values())
    return lines([f"{mebibytes} MiB", "BackupFS, MB/s", "s5cmd cp, MB/s", "of s5cmd", "peak memory, MB"],
                 [["write, close", number(own), number(other), f"{ratio(own, other):.2f}", f"{mount.usage.peak:,}"]]), found
