#!/usr/bin/env python3
"""Rebuilds the tree of a BackupFS backup from its bucket alone: no BackupFS is needed, only boto3 (docs/BUCKET.md).

usage: read-bucket.py s3://BUCKET/PREFIX DIRECTORY    credentials and endpoint as for every AWS tool (AWS_ENDPOINT_URL)
"""
import base64, gzip, hashlib, json, os, re, sys

import boto3

KINDS = {"fifo": 0o010000, "character": 0o020000, "block": 0o060000, "socket": 0o140000}
ROOT = 1


def segments(s3, bucket, prefix):
    """The records of the newest segments that lead from a base to an end without a gap, the base's first."""
    place, widest = f"{prefix}.backupfs/journal/", {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=place)
    for key in (entry["Key"] for page in pages for entry in page.get("Contents", [])):
        if name := re.fullmatch(r"(\d+)-(\d+)~(\d+)~(\w+)~(\d+)\.jsonl\.gz", key[len(place):]):
            number, first, epoch, owner, attempt = name.groups()
            end = int(epoch), owner, int(number), int(attempt)
            widest[end] = min(widest.get(end, (int(first), key)), (int(first), key))
    for end in sorted(widest, reverse=True):
        chain, wanted = [], None
        while end in widest:
            body = s3.get_object(Bucket=bucket, Key=widest[end][1])["Body"].read()
            head, *records, _ = [json.loads(line) for line in gzip.decompress(body).splitlines()]
            if wanted not in (None, head.get("sealedSHA256") or base64.b64encode(hashlib.sha256(body).digest()).decode()):
                break
            chain.insert(0, records)
            if "previous" not in head:
                return [record for records in chain for record in records]
            number, epoch, owner, attempt = head["previous"].split("~")
            end, wanted = (int(epoch), owner, int(number), int(attempt)), head["previousSHA256"]
    sys.exit("there is no journal that is whole")


def journal(s3, bucket, prefix):
    """What the segments say in the end: resources by number, names by directory, extended attributes by resource."""
    resources, names, xattrs = {}, {}, {}
    for record in segments(s3, bucket, prefix):
        name = record["name"].encode() if "name" in record else base64.b64decode(record.get("name64", ""))
        if record["entity"] == "resource":
            table, at, value = resources, record["id"], record
        elif record["entity"] == "name":
            table, at, value = names.setdefault(record["parent"], {}), name, record.get("id")
        elif record["entity"] == "xattr":
            table, at, value = xattrs.setdefault(record["id"], {}), name, base64.b64decode(record.get("value", ""))
        else:
            continue
        if record.get("removed"):
            table.pop(at, None)
        else:
            table[at] = value
    return resources, names, xattrs


def make(s3, bucket, prefix, state, path):
    """Makes one file, link or node, with the bytes that the journal gives the checksum of."""
    if state["kind"] == "symlink":
        return os.symlink(state["target"] if "target" in state else base64.b64decode(state["target64"]), path)
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
