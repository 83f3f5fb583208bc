"""Programs that are run: each with a limit of time, since a mount that hangs must not hang the benchmark."""

import os
import signal
import subprocess
import time


class Failure(Exception):
    """What went wrong, in one plain line."""


def run(command, limit=120, environment=None):
    """Runs a command and returns what it printed; kills all of it when the time is over or we are interrupted."""
    program = subprocess.Popen(["timeout", "-k", "5", str(limit), *map(str, command)], start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **(environment or {})})
    try:
        output, errors = program.communicate(timeout=limit + 10)
    except BaseException:
        end_group(program.pid)
        raise
    if program.returncode != 0:
        reason = f"it took more than {limit} s" if program.returncode in (124, 137) else last_line(errors + output)
        raise Failure(f"{' '.join(map(str, command[:2]))}: {reason}")
    return output


def seconds(command, limit=600, environment=None):
    """How long a command takes."""
    begun = time.monotonic()
    run(command, limit, environment)
    return time.monotonic() - begun


def last_line(text):
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it failed and said nothing")


def end_group(number, how=signal.SIGKILL):
    """Ends a program that leads a group, and those it has started."""
    try:
        os.killpg(number, how)
    except ProcessLookupError:
        pass


def is_mounted(path):
    """Whether something is mounted there, without asking it."""
    with open("/proc/self/mountinfo") as file:
        return any(line.split()[4] == path for line in file)


def drop_caches(what):
    """Drops the kernel's caches: 1 is pages, 2 is names and attributes, 3 is both."""
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write(str(what))


class Usage:
    """What a daemon and those it has started have used; a daemon that was replaced counts too."""

    def __init__(self):
        self.before, self.peak = 0.0, 0

    def cpu(self, daemon):
        """CPU seconds until now."""
        ticks = 0
        for number in family(daemon):
            fields = read(f"/proc/{number}/stat").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12]) if fields else 0
        return self.before + ticks / os.sysconf("SC_CLK_TCK")

    def note_peak(self, daemon):
        """Remembers the most resident memory that one of the processes ever had, in MB."""
        for number in family(daemon):
            for line in read(f"/proc/{number}/status").splitlines():
                if line.startswith("VmHWM"):
                    self.peak = max(self.peak, int(line.split()[1]) // 1024)

    def end(self, daemon):
        """Adds what a daemon has used, before it is stopped."""
        self.note_peak(daemon)
        self.before = self.cpu(daemon)


def family(daemon):
    """The daemon and its descendants, by number."""
    if daemon is None:
        return []
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = read(f"/proc/{entry}/stat").rpartition(")")[2].split()
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry))
    found = [daemon]
    for number in found:
        found += parents.get(number, [])
    return found


def read(path):
    """The text of a file in /proc, nothing if its process is gone."""
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""
