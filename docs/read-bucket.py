#!/usr/bin/env python3
"""Rebuilds the tree of a BackupFS backup from its bucket alone: no BackupFS is needed, only boto3 (docs/BUCKET.md).

usage: read-bucket.py s3://BUCKET/PREFIX DIRECTORY    credentials and endpoint as for every AWS tool (AWS_ENDPOINT_URL)
"""
import base64, gzip, hashlib, json, os, sys

import boto3

KINDS = {"fifo": 0o010000, "character": 0o020000, "block": 0o060000, "socket": 0o140000}
ROOT = 1


def journal(s3, bucket, prefix):
    """What the segments say in the end: resources by number, names by directory, extended attributes by resource."""
    resources, names, xattrs = {}, {}, {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}.backupfs/journal/")
    for key in sorted(entry["Key"] for page in pages for entry in page.get("Contents", [])):
        for line in gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).splitlines():
            record = json.loads(line)
            gone = record.get("removed", False)
            if record["entity"] == "resource":
                table, at, value = resources, record["resource"] if gone else record["state"]["id"], record.get("state")
            elif record["entity"] == "name":
                table, at = names.setdefault(record["owner"], {}), base64.b64decode(record["name"])
                value = record.get("resource")
            else:
                table, at = xattrs.setdefault(record["owner"], {}), record["attribute"]
                value = None if gone else base64.b64decode(record["value"])
            if gone:
                table.pop(at, None)
            else:
                table[at] = value
    return resources, names, xattrs


def make(s3, bucket, prefix, state, path):
    """Makes one file, link or node, with the bytes that the journal gives the checksum of."""
    if state["kind"] == "symlink":
        return os.symlink(base64.b64decode(state["target"]), path)
    if state["kind"] != "file":
        return os.mknod(path, KINDS[state["kind"]] | state["mode"], state.get("device", 0))
    if "key" not in state:
        return print(f"not in the bucket yet: {os.fsdecode(path)}", file=sys.stderr)
    digest = hashlib.sha256()
    with open(path, "xb") as file:
        for chunk in s3.get_object(Bucket=bucket, Key=prefix + state["key"])["Body"].iter_chunks(1 << 20):
            file.write(chunk)
            digest.update(chunk)
    if digest.digest() != base64.b64decode(state["sha256"]):
        sys.exit(f"{state['key']} is not what was uploaded")


def attributes(state, xattrs, path):
    os.chown(path, state["uid"], state["gid"], follow_symlinks=False)
    if state["kind"] != "symlink":
        os.chmod(path, state["mode"])
    for name, value in xattrs.items():
        os.setxattr(path, name, value, follow_symlinks=False)
    os.utime(path, ns=(state["accessed"], state["modified"]), follow_symlinks=False)


def rebuild(s3, bucket, prefix, target):
    resources, names, xattrs = journal(s3, bucket, prefix)
    made = {}

    def fill(directory, path):
        for name, number in sorted(names.get(directory, {}).items()):
            state, entry = resources.get(number), os.path.join(path, name)
            if state is None or b"/" in name or name in (b".", b".."):
                print(f"left out: {os.fsdecode(entry)}", file=sys.stderr)
            elif state["kind"] == "directory":
                os.mkdir(entry)
                fill(number, entry)
                attributes(state, xattrs.get(number, {}), entry)
            elif number in made:
                os.link(made[number], entry, follow_symlinks=False)
            else:
                make(s3, bucket, prefix, state, entry)
                if os.path.lexists(entry):
                    made[number] = entry
                    attributes(state, xattrs.get(number, {}), entry)

    os.mkdir(target)
    fill(ROOT, target)
    if ROOT in resources:
        attributes(resources[ROOT], xattrs.get(ROOT, {}), target)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[1].startswith("s3://"):
        sys.exit(__doc__)
    place, _, inner = sys.argv[1][5:].partition("/")
    rebuild(boto3.client("s3"), place, inner.rstrip("/") + "/" if inner else "", os.fsencode(sys.argv[2]))
