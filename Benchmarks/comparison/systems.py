"""What is compared: a directory, the server itself, and mounts. All of them do the same deeds, so that rows need not know
which one they measure."""

import glob
import os

from .programs import Usage, run, seconds


class System:
    """A place for files that the load generator knows how to use."""

    key = title = ""
    is_peer = has_daemon = False
    #: Whether files can be lost here and come back from the bucket, and whether there are names and attributes to ask for.
    recovers = has_names = True
    rsync_options = ()

    def __init__(self, tools):
        self.tools, self.usage, self.daemon, self.stocks = tools, Usage(), None, set()
        self.root = f"{tools.temp}/{self.key}"
        os.mkdir(self.root)

    def start(self):
        """Makes it ready."""

    def stop(self):
        """Ends it; nothing of it is mounted any more."""

    def path(self, name):
        """The directory of this name."""
        return f"{self.root}/{name}"

    def load(self, mode, name, count, size, threads=1, passes=1):
        """Lets the load generator do something with the files of a directory; how many seconds it took."""
        command = [self.tools.load, mode, self.path(name), count, size, threads, passes]
        return float(run(command, self.tools.limit))

    def make(self, name):
        """Makes a directory."""
        run(["mkdir", self.path(name)])

    def write(self, name, count, size, threads):
        """Creates, writes and closes files, until they are safe."""
        return self.load("write", name, count, size, threads)

    def read(self, name, count, size, threads, passes=1):
        """Opens, reads and closes files."""
        return self.load("read", name, count, size, threads, passes)

    def unlink(self, name, count, size):
        """Removes files one by one."""
        return self.load("unlink", name, count, size)

    def rsync(self, source, name, count, size):
        """Copies the files of a directory with rsync, until they are safe.

        The directory's own attributes are left alone: s3fs cannot set them with SeaweedFS.
        """
        return seconds(["rsync", "-a", *self.rsync_options, *sorted(glob.glob(source + "/*")), self.path(name) + "/"],
                       self.tools.limit)

    def lose(self, name):
        """Removes what is kept on this machine of the files of a directory, in memory too."""
        raise NotImplementedError

    def settle(self):
        """Waits for what goes on in the background, or it would go on while the next one is measured."""

    def remove(self, name):
        """Removes a directory that is not needed any more."""
        run(["rm", "-rf", self.path(name)], self.tools.limit)

    def cpu(self):
        """CPU seconds of its daemons until now."""
        return self.usage.cpu(self.daemon)


class Native(System):
    """The disk itself. What it writes is synced, since that is what safe means there."""

    key, title = "native", "native"
    recovers = False
    rsync_options = ("--fsync",)

    def write(self, name, count, size, threads):
        return self.load("write-fsync", name, count, size, threads)


class Raw(System):
    """The server itself, with the least that a client can do. What is large is also moved by s5cmd, in parts: the faster of
    both counts."""

    key, title = "raw", "raw S3"
    has_names = False
    LARGE = 64_000_000

    def start(self):
        self.tools.server.make(self.key)

    def path(self, name):
        return f"{self.tools.server.endpoint}/{self.key}/{name}"

    def make(self, name):
        """There are no directories."""

    def write(self, name, count, size, threads):
        taken = self.load("put", name, count, size, threads)
        if self.tools.s5cmd and size >= self.LARGE and count == 1:
            taken = min(taken, self.s5cmd("cp", self.large_file(size), f"s3://{self.key}/{name}/000000.jpg"))
        return taken

    def read(self, name, count, size, threads, passes=1):
        taken = self.load("get", name, count, size, threads, passes)
        if self.tools.s5cmd and size >= self.LARGE and count == 1:
            there = f"{self.root}/read"
            taken = min(taken, self.s5cmd("cp", f"s3://{self.key}/{name}/000000.jpg", there))
            os.remove(there)
        return taken

    def unlink(self, name, count, size):
        return self.load("delete", name, count, size)

    def rsync(self, source, name, count, size):
        return self.load("put", name, count, size)

    def lose(self, name):
        """Nothing of it is kept on this machine."""

    def remove(self, name):
        if self.tools.server.holds(self.key, name + "/"):
            self.s5cmd_or_nothing("rm", f"s3://{self.key}/{name}/*")

    def s5cmd(self, *arguments):
        return seconds([self.tools.s5cmd, "--log", "error", "--endpoint-url", self.tools.server.endpoint, *arguments],
                       self.tools.limit)

    def s5cmd_or_nothing(self, *arguments):
        if self.tools.s5cmd:
            self.s5cmd(*arguments)

    def large_file(self, size):
        """A file of this size on the disk, which is written once and stays in memory as long as it can."""
        place = f"{self.root}/{size}"
        if not os.path.exists(place):
            os.mkdir(place)
            run([self.tools.load, "write", place, 1, size, 1], self.tools.limit)
        return place + "/000000.jpg"
