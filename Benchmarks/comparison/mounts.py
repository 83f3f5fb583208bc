"""The mounts: BackupFS with a bucket or a directory, and other people's programs that put files into a bucket.

Each runs in the foreground as a child of ours. The peers are set up as their documents say for a user who wants files to be
safe at close, and with what was asked for in their favour where they have a choice.
"""

import os
import subprocess
import time

from .programs import Failure, end_group, is_mounted, last_line, run
from .systems import Native, Raw, System


class Mount(System):
    """A file system with a daemon, and with a bucket of its own named after it."""

    #: Whether a file becomes one object whose key begins with the directory's name.
    has_plain_objects = False
    has_daemon = True

    def __init__(self, tools):
        super().__init__(tools)
        self.mount, self.log, self.program = f"{self.root}/mount", f"{self.root}/log", None
        os.mkdir(self.mount)

    def path(self, name):
        return f"{self.mount}/{name}"

    def start(self):
        self.prepare()
        self.come()

    def prepare(self):
        """What is done once before the first mount."""
        self.tools.server.make(self.key)

    def command(self):
        """The command that mounts and stays in the foreground."""
        raise NotImplementedError

    def environment(self):
        """Further variables for its programs. What they write into a home is removed with ours."""
        return {"HOME": self.root}

    def come(self):
        """Mounts, and waits until that is there."""
        with open(self.log, "a") as log:
            self.program = subprocess.Popen([str(part) for part in self.command()], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={**os.environ, **self.environment()}, start_new_session=True)
        self.daemon = self.program.pid
        with open(f"{self.tools.temp}/daemons", "a") as file:
            file.write(f"{self.daemon}\n")
        end = time.monotonic() + 60
        while not is_mounted(self.mount):
            if self.program.poll() is not None or time.monotonic() > end:
                with open(self.log, errors="replace") as log:
                    raise Failure(f"the mount of {self.title} does not come up: {last_line(log.read())}")
            time.sleep(0.02)
        run(["stat", self.mount], 60)

    def go(self):
        """Unmounts in good order."""
        self.settle()
        self.usage.end(self.daemon)
        self.daemon = None
        self.unmount()
        try:
            self.program.wait(60)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.title} did not end within 60 s of its unmount") from None

    def unmount(self):
        run(["umount", self.mount])

    def stop(self):
        """Unmounts whatever state it is in, and ends the daemon. What it has not uploaded is not wanted any more."""
        if self.daemon:
            self.usage.end(self.daemon)
        self.daemon = None
        while is_mounted(self.mount):
            subprocess.run(["timeout", "20", "umount", "-l", self.mount], stderr=subprocess.DEVNULL, check=False)
        if self.program:
            end_group(self.program.pid)
            self.program.wait()

    def write(self, name, count, size, threads):
        taken = super().write(name, count, size, threads)
        self.check_objects(name, count, size)
        return taken

    def check_objects(self, name, count, size):
        """A close that has returned and an object that is not there would make the figure a lie."""
        if self.has_plain_objects and self.tools.server.count(self.key, name + "/", size) < count:
            raise Failure(f"{self.title} returned from a close before the object was in the bucket")

    def lose(self, name):
        self.go()
        self.lose_copies(name)
        self.come()

    def lose_copies(self, name):
        """Takes the copies on this machine away while it is not mounted: a peer's whole cache."""
        if os.path.exists(f"{self.root}/cache"):
            os.rename(f"{self.root}/cache", self.new_place_for_lost())

    def new_place_for_lost(self):
        """Where copies go. ext4 takes long to make files where many were removed within the last minute."""
        os.makedirs(f"{self.root}/lost", exist_ok=True)
        return f"{self.root}/lost/{len(os.listdir(f'{self.root}/lost'))}"


class BackupFSS3(Mount):
    """BackupFS with a bucket."""

    key, title = "backupfs", "BackupFS"
    has_plain_objects = True

    def prepare(self):
        super().prepare()
        os.mkdir(f"{self.root}/main")

    def url(self):
        return f"s3://{self.key}"

    def command(self):
        return [self.tools.executable, "mount", f"{self.root}/main", self.mount, "--foreground", "--backup", self.url(),
                "--close-timeout", "3600"]

    def unmount(self):
        run([self.tools.executable, "unmount", self.mount])

    def settle(self):
        run([self.tools.executable, "sync", self.mount], self.tools.limit)

    def lose_copies(self, name):
        place = self.new_place_for_lost()
        os.mkdir(place)
        run(["find", f"{self.root}/main/{name}", "-type", "f", "-exec", "mv", "-t", place, "{}", "+"])


class BackupFSDirectory(BackupFSS3):
    """BackupFS with a directory on the same disk."""

    key, title = "backupfs-directory", "BackupFS, directory"
    has_plain_objects = False

    def prepare(self):
        os.mkdir(f"{self.root}/main")
        os.mkdir(f"{self.root}/backup")

    def url(self):
        return f"file://{self.root}/backup"


class S3FS(Mount):
    """s3fs with a cache on the disk. It uploads in close."""

    key, title, is_peer = "s3fs", "s3fs", True
    has_plain_objects = True

    def prepare(self):
        super().prepare()
        descriptor = os.open(f"{self.root}/password", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, f"{self.tools.server.key}:{self.tools.server.secret}\n".encode())
        os.close(descriptor)

    def command(self):
        options = (f"url={self.tools.server.endpoint},use_path_request_style,endpoint={self.tools.server.region},"
                   f"passwd_file={self.root}/password,use_cache={self.root}/cache,tmpdir={self.root}")
        return [self.tools.s3fs, self.key, self.mount, "-f", "-o", options]


class JuiceFS(Mount):
    """JuiceFS with its names in SQLite on the disk, without write-back: it uploads in close. Nothing is kept as trash."""

    key, title, is_peer = "juicefs", "JuiceFS", True

    def names(self):
        return f"sqlite3://{self.root}/names.db"

    def prepare(self):
        super().prepare()
        run([self.tools.juicefs, "format", "--storage", "s3", "--bucket", f"{self.tools.server.endpoint}/{self.key}",
             "--access-key", self.tools.server.key, "--secret-key", self.tools.server.secret, "--trash-days", "0",
             self.names(), "comparison"], environment=self.environment())

    def command(self):
        return [self.tools.juicefs, "mount", "--no-usage-report", "--no-syslog", "--backup-meta", "0", "--metrics",
                "127.0.0.1:0", "--cache-dir", f"{self.root}/cache", self.names(), self.mount]


class Rclone(Mount):
    """rclone mount with --vfs-cache-mode writes. It uploads after close, so its writes are measured until the objects are
    in the bucket. It begins a tenth of a second after close, not five seconds, and with as many at a time as there are
    writers. (With no pause at all it loses files that rsync renames meanwhile.)"""

    key, title, is_peer = "rclone", "rclone", True
    has_plain_objects = True

    def environment(self):
        remote = {"TYPE": "s3", "PROVIDER": "SeaweedFS", "ENDPOINT": self.tools.server.endpoint,
                  "ACCESS_KEY_ID": self.tools.server.key, "SECRET_ACCESS_KEY": self.tools.server.secret}
        return {**super().environment(), "RCLONE_CONFIG": f"{self.root}/rclone.conf",
                **{f"RCLONE_CONFIG_STORE_{name}": value for name, value in remote.items()}}

    def command(self):
        return [self.tools.rclone, "mount", f"store:{self.key}", self.mount, "--vfs-cache-mode", "writes",
                "--vfs-write-back", "100ms", "--transfers", "32", "--cache-dir", f"{self.root}/cache"]

    def write(self, name, count, size, threads):
        taken = System.write(self, name, count, size, threads)
        return taken + self.tools.server.wait(self.key, name + "/", count, size)

    def rsync(self, source, name, count, size):
        """Until the objects have their last names."""
        taken = System.rsync(self, source, name, count, size)
        return taken + self.tools.server.wait(self.key, name + "/", count, size)


PEERS = [S3FS, JuiceFS, Rclone]


def available(tools, peers):
    """All systems that can be compared here, and the names of the peers that cannot be had."""
    unknown = set(peers) - {one.key for one in PEERS}
    if unknown:
        raise Failure(f"no peer is called {', '.join(sorted(unknown))}; there are "
                      + ", ".join(one.key for one in PEERS))
    chosen = [one for one in PEERS if one.key in peers]
    missing = [one.title for one in chosen if not getattr(tools, one.key)]
    return ([Native(tools), Raw(tools), BackupFSS3(tools), BackupFSDirectory(tools)]
            + [one(tools) for one in chosen if getattr(tools, one.key)], missing)
