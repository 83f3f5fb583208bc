"""Backup storages, as another client than the daemon sees them."""
import os
import sys


class Directory:
    """Backup storage in a directory, as any program sees it."""

    environment = {}

    def __init__(self, root):
        self.path = root + "/backup"
        os.mkdir(self.path)
        self.url = "file://" + self.path

    def objects(self):
        found = {}
        for directory, below, files in os.walk(self.path):
            if directory == self.path:
                below[:] = [name for name in below if name not in (".backupfs-meta", ".backupfs")]
            for name in files:
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, self.path)] = file.read()
        return found

    def remove(self, key):
        os.unlink(f"{self.path}/{key}")

    def cut(self, key):
        os.truncate(f"{self.path}/{key}", os.path.getsize(f"{self.path}/{key}") // 2)

    def take_away(self):
        os.rename(self.path, self.path + ".away")

    def bring_back(self):
        os.rename(self.path + ".away", self.path)

    def stop(self):
        pass


class Bucket:
    """A prefix of a bucket, as boto3 sees it; the server is Tests/Tools/seaweedfs's, already up."""

    def __init__(self, root):
        try:
            import boto3
        except ImportError:
            sys.exit("torture: run it with $BACKUPFS_PYTHON of `Tests/Tools/seaweedfs up`, which has boto3")
        self.bucket, self.prefix = os.environ["S3_BUCKET"], os.path.basename(root)
        self.environment = {}
        self.client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name=os.environ["AWS_REGION"])
        self.url = f"s3://{self.bucket}/{self.prefix}"

    def keys(self):
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + "/"):
            for item in page.get("Contents", []):
                yield item["Key"]

    def objects(self):
        found = {}
        for key in self.keys():
            name = key[len(self.prefix) + 1:]
            if not name.startswith(".backupfs/"):
                found[name] = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return found

    def stop(self):
        for key in list(self.keys()):
            self.client.delete_object(Bucket=self.bucket, Key=key)
