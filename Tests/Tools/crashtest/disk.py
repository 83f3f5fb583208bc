"""Where main is: a plain directory, or a file system of its own whose power can be cut."""
import fcntl
import os
import struct
import subprocess

from .system import run

SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN of ext4 and xfs: what was not synced is gone


class Disk:
    def __init__(self, root, file_system=None):
        self.path, self.image = root + "/disk", None
        os.mkdir(self.path)
        if file_system:
            self.image = root + "/disk.img"
            run("truncate", "-s", "512M", self.image)
            run("mkfs." + file_system, "-q", self.image)
            run("mount", "-o", "loop", self.image, self.path)

    def cut_power(self):
        """What it was not told to sync is gone, and every call to it fails."""
        disk = os.open(self.path, os.O_RDONLY)
        fcntl.ioctl(disk, SHUTDOWN, struct.pack("I", 2))  # without flushing the log
        os.close(disk)

    def bring_power_back(self):
        run("umount", self.path)
        # The file system's journal is replayed. What e2fsck says of blocks behind the end of a file after a forced shutdown is
        # ext4's own affair; what is promised is judged by what the files hold.
        run("mount", "-o", "loop", self.image, self.path)

    def remove(self):
        if self.image:
            subprocess.run(["umount", "-l", self.path], stderr=subprocess.DEVNULL)
