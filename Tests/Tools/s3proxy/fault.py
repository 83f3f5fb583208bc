"""What is done to requests, and to which of them."""
import re

MODES = (
    "pass", "refuse", "hang", "status", "reset-upload", "reset-download", "lose-answer", "flip-upload",
    "flip-download", "truncate-download", "delay", "throttle")
CODES = {
    301: "PermanentRedirect", 307: "TemporaryRedirect", 400: "BadRequest", 403: "AccessDenied", 404: "NoSuchBucket",
    409: "OperationAborted", 412: "PreconditionFailed", 500: "InternalError", 503: "SlowDown",
    507: "InsufficientStorage"}


class Fault:
    """What is done to requests now."""

    def __init__(self, mode="pass", method=None, path=None, count=None, status=503, code=None, ms=1000, rate=10240):
        if mode not in MODES:
            raise ValueError(f"no such mode: {mode}")
        self.mode, self.method, self.count = mode, method, count
        self.path = re.compile(path) if path is not None else None
        self.status, self.code = int(status), code
        self.ms, self.rate = float(ms), float(rate)
        self.hits = 0

    def meets(self, request):
        """Whether this request is one of those chosen; counts it if so."""
        if self.mode in ("pass", "refuse"):
            return False
        if self.method is not None and self.method != request.method:
            return False
        if self.path is not None and not self.path.search(request.path):
            return False
        if self.count is not None and self.hits >= self.count:
            return False
        self.hits += 1
        return True
