"""Everything that one run has: the daemon, its disk, its mount and its backup, and what must be in them."""
import os
import random
import shutil
import tempfile

from .daemon import Daemon
from .disk import Disk
from .model import SHARED, Model
from .stores import Bucket, Directory
from .wrong import Wrong


class World:
    def __init__(self, options):
        self.options, self.seed = options, options.seed
        self.root = tempfile.mkdtemp(prefix="backupfs-torture.")
        self.mount, self.logs = self.root + "/mount", self.root + "/logs"
        for path in (self.mount, self.logs):
            os.mkdir(path)
        self.backup = self.new_backup(self.root)
        self.disk = Disk(self.root, options.file_system if options.power_loss else None)
        self.main = self.disk.path + "/main"
        os.mkdir(self.main)
        self.daemon = Daemon(self)
        self.models = [Model() for _ in range(options.workers)]
        self.history = {}  # each worker's log of the last cycle
        self.undoable = {}  # what each did since something durable: the model before it, and the operation
        self.step = "the first mount"  # where the run is
        self.random = random.Random(self.seed)  # each cycle has its own
        self.figures = dict(cycles=0, kills=0, cuts=0, operations=0, checks=0, aside=0)
        self.figures |= {"outages": 0, "objects lost": 0}
        # How often the workers do what.
        self.weights = dict(create=10, overwrite=4, patch=4, truncate=2, rename=4, replace=4, exchange=2, link=2, unlink=5,
                            mkdir=2, rmdir=1, symlink=2, attributes=3, read=3, recover=2)
        self.weights["unlink-open"] = 1
        self.weights["move-directory"] = 2

    def new_backup(self, directory):
        return Bucket(directory) if self.options.backup == "s3" else Directory(directory)

    def log_path(self, number):
        return f"{self.logs}/{number}"

    def prepare(self):
        if not self.daemon.start():
            raise Wrong("the daemon does not start")
        for name in SHARED:
            os.mkdir(self.mount + "/" + name)

    def tear_down(self, keep):
        self.daemon.kill()
        self.disk.remove()
        self.backup.stop()
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)
