"""The S3 server, asked by itself: buckets are made and removed, and objects are looked for."""

import datetime
import hashlib
import hmac
import http.client
import os
import time
import urllib.parse
import xml.etree.ElementTree

from .programs import Failure

EMPTY = hashlib.sha256(b"").hexdigest()


class Server:
    """A client for the few requests that the benchmark itself makes, signed with the keys in the environment."""

    def __init__(self):
        self.endpoint = os.environ["AWS_ENDPOINT_URL"]
        self.host = urllib.parse.urlsplit(self.endpoint).netloc
        self.key, self.secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        self.region = os.environ["AWS_REGION"]

    def make(self, bucket):
        """Creates a bucket."""
        self.request("PUT", bucket)

    def remove(self, bucket):
        """Removes a bucket with all that is in it; SeaweedFS gives the room back at once."""
        self.request("DELETE", bucket)

    def count(self, bucket, prefix, size):
        """How many objects of this size there are below the prefix."""
        found, token = 0, None
        while True:
            query = {"list-type": "2", "prefix": prefix, **({"continuation-token": token} if token else {})}
            page = xml.etree.ElementTree.fromstring(self.request("GET", bucket, query))
            space = page.tag.partition("}")[0] + "}"
            found += sum(int(one.findtext(space + "Size")) == size for one in page.iter(space + "Contents"))
            token = page.findtext(space + "NextContinuationToken")
            if not token:
                return found

    def holds(self, bucket, prefix):
        """Whether there is an object below the prefix."""
        return b"<Key>" in self.request("GET", bucket, {"list-type": "2", "max-keys": "1", "prefix": prefix})

    def wait(self, bucket, prefix, count, size, limit=300):
        """Waits until so many objects of this size are there, and returns how long that took."""
        begun = time.monotonic()
        while (found := self.count(bucket, prefix, size)) < count:
            if time.monotonic() - begun > limit:
                raise Failure(f"{bucket}: {found} of {count} objects came within {limit} s")
            time.sleep(0.01)
        return time.monotonic() - begun

    def request(self, method, bucket, query=None):
        """Sends a signed request without a body and returns the body of the answer."""
        path = "/" + bucket
        query = "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in sorted((query or {}).items()))
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {"host": self.host, "x-amz-content-sha256": EMPTY, "x-amz-date": now}
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        asked = hashlib.sha256("\n".join([method, path, query, lines, names, EMPTY]).encode()).hexdigest()
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        signing = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            signing = hmac.digest(signing, part.encode(), "sha256")
        signature = hmac.digest(signing, f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{asked}".encode(), "sha256").hex()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names},"
                                    f" Signature={signature}")
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path + ("?" + query if query else ""), headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Failure(f"the server answered {answer.status} to {method} {path}")
        return body
