"""The catalogue in main, as another program reads it."""
import os
import sqlite3
from contextlib import closing

from .wrong import Wrong


def connect(main):
    return closing(sqlite3.connect(f"file:{main}/.backupfs/catalogue.sqlite?mode=ro", uri=True, timeout=10))


def kept_keys(main):
    """The objects that are kept for a day because their successors come out of a run that was killed."""
    with connect(main) as database:
        return {key for key, in database.execute("SELECT key FROM version WHERE kept_until IS NOT NULL")}


def read(main):
    """The key and checksum of each path; the catalogue must be sound and nothing in it unfinished."""
    with connect(main) as database:
        if database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise Wrong("the catalogue is damaged")
        for table in ("rename_intent", "name_intent"):
            if database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:
                raise Wrong(f"an intent was never finished: {table}")
        names = database.execute(
            "SELECT name.parent, name.name, resource.id, version.key, hex(version.sha256) FROM name JOIN resource"
            " ON resource.id = name.resource LEFT JOIN version ON version.id = resource.version").fetchall()
        wrong = database.execute(
            "SELECT id, link_count, (SELECT count(*) FROM name WHERE resource = resource.id) AS links FROM resource"
            " WHERE kind <> 'directory' AND status <> 'deleted' AND link_count <> links").fetchall()
        if wrong:
            raise Wrong(f"link counts: {wrong}")
    return paths(names)


def paths(names):
    """The rows by their whole paths."""
    children = {}
    for parent, name, resource, key, sha in names:
        children.setdefault(parent, []).append((os.fsdecode(name), resource, key, (sha or "").lower()))
    found, waiting = {}, [(1, "")]
    while waiting:
        parent, prefix = waiting.pop()
        for name, resource, key, sha in children.get(parent, []):
            found[prefix + name] = (key, sha)
            waiting.append((resource, prefix + name + "/"))
    return found
