"""What is asked of the machine: programs, child processes and mounts."""
import os
import signal
import subprocess
import sys
import traceback

from .wrong import Wrong


def run(*command):
    outcome = subprocess.run(command, capture_output=True)
    if outcome.returncode:
        raise Wrong(f"{' '.join(command)} ended with {outcome.returncode}: {(outcome.stdout + outcome.stderr).decode()}")


def child(deed):
    """Does it in a process of its own, whose id it returns; signals end that process, and a failure is its status."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        try:
            deed()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(9)
    return pid


def is_mount(path):
    with open("/proc/self/mountinfo") as file:
        return any(line.split(" ")[4] == path for line in file)


def unmount(path):
    """Unmounts it as often as something is mounted there, whoever still uses it."""
    while is_mount(path):
        subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)
