"""Requests and answers of HTTP: their heads, and their bodies piece by piece."""
import asyncio
import urllib.parse

PIECE = 256 * 1024


class Head:
    """The first line and the headers of a message, as received."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        self.first = lines[0].split(" ", 2)
        self.headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                self.headers[name.strip().lower()] = value.strip()

    @property
    def length(self):
        """The body's length; None if it is chunked or ends with the connection."""
        if "transfer-encoding" in self.headers:
            return None
        value = self.headers.get("content-length")
        return int(value) if value is not None else None

    @property
    def is_chunked(self):
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


class Request(Head):
    @property
    def method(self):
        return self.first[0]

    @property
    def path(self):
        return urllib.parse.unquote(self.first[1].partition("?")[0], errors="surrogateescape")

    @property
    def query(self):
        return self.first[1].partition("?")[2]


class Response(Head):
    @property
    def status(self):
        return int(self.first[1])


async def read_head(reader, kind):
    """The next message's head; None when the peer closed between messages."""
    try:
        return kind(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ConnectionError("closed within a head") from error
        return None


async def pieces(reader, head, has_body=True):
    """The body in pieces, each with whether it is content (a chunk's frame is not)."""
    if not has_body:
        return
    if head.is_chunked:
        while True:
            line = await reader.readline()
            yield line, False
            left = int(line.split(b";")[0], 16)
            if left == 0:
                while line not in (b"\r\n", b""):
                    line = await reader.readline()
                    yield line, False
                return
            while left:
                piece = await reader.read(min(left, PIECE))
                if not piece:
                    raise ConnectionError("closed within a chunk")
                left -= len(piece)
                yield piece, True
            yield await reader.readexactly(2), False
    elif head.length is not None:
        left = head.length
        while left:
            piece = await reader.read(min(left, PIECE))
            if not piece:
                raise ConnectionError("closed within a body")
            left -= len(piece)
            yield piece, True
    elif isinstance(head, Response):
        while piece := await reader.read(PIECE):
            yield piece, True


async def swallow(reader, head):
    """Reads a body and returns its length."""
    return sum([len(piece) async for piece, is_content in pieces(reader, head) if is_content])
