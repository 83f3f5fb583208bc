"""The proxy: each connection of a client, with one of its own to the server."""
import asyncio
import json
import socket
import time

from .fault import CODES, Fault
from .message import PIECE, Request, Response, read_head, swallow
from .transfer import Half, copy, reset


class Unanswered(Exception):
    """There will be no answer to a request."""


def bound(port):
    """A socket on a port of loopback that others of ours may be bound to, too."""
    result = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    result.bind(("127.0.0.1", port))
    return result


class Proxy:
    def __init__(self, options):
        host, _, port = options.upstream.rpartition(":")
        self.upstream = (host or "127.0.0.1", int(port))
        self.port = options.port
        self.log = open(options.log, "a", buffering=1) if options.log else None
        self.fault = Fault()
        self.server = None
        self.clients = set()
        self.place = None

    # The listener

    async def listen(self):
        if self.place is None:
            # Bound and never listening: while nobody listens the port stays ours, and connections are refused.
            self.place = bound(self.port)
            self.port = self.place.getsockname()[1]
        self.server = await asyncio.start_server(self.serve, sock=bound(self.port), limit=64 * 1024, backlog=1024)

    async def set(self, fault):
        self.fault = fault
        if fault.mode == "refuse" and self.server is not None:
            self.server.close()
            self.server = None
            for writer in list(self.clients):
                reset(writer)
        elif fault.mode != "refuse" and self.server is None:
            await self.listen()

    def state(self):
        fault = self.fault
        return {
            "mode": fault.mode, "method": fault.method, "path": fault.path and fault.path.pattern,
            "count": fault.count, "hits": fault.hits, "connections": len(self.clients)}

    def note(self, request, status, sent, answered, mode):
        if self.log:
            self.log.write(json.dumps({
                "time": round(time.time(), 3), "method": request.method, "path": request.path,
                "query": request.query, "status": status, "bytes": sent, "answer_bytes": answered,
                "mode": mode}) + "\n")

    # A client's connection, with one of our own to the server

    async def serve(self, reader, writer):
        self.clients.add(writer)
        server = None
        try:
            while (request := await read_head(reader, Request)) is not None:
                fault = self.fault
                mode = fault.mode if fault.meets(request) else "pass"
                if mode == "delay":
                    await asyncio.sleep(fault.ms / 1000)
                if mode == "hang":
                    self.note(request, 0, 0, 0, mode)
                    while await reader.read(PIECE):
                        pass
                    break
                if mode == "status":
                    if not await self.refuse(request, reader, writer, fault):
                        break
                    continue
                if server is None:
                    try:
                        server = await asyncio.open_connection(*self.upstream)
                    except OSError:
                        self.note(request, 0, 0, 0, mode)
                        reset(writer)
                        break
                if not await self.forward(request, (reader, writer), server, mode, fault):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            reset(writer)
        finally:
            self.clients.discard(writer)
            writer.close()
            if server is not None:
                server[1].transport.abort()

    async def refuse(self, request, reader, writer, fault):
        """Answers in the server's place; returns whether the connection goes on."""
        if "expect" in request.headers:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        sent = await swallow(reader, request)
        code = fault.code or CODES.get(fault.status, "InternalError")
        body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>s3-proxy</Message></Error>'
        head = (
            f"HTTP/1.1 {fault.status} {code}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(body)}\r\n\r\n")
        writer.write((head + (body if request.method != "HEAD" else "")).encode())
        await writer.drain()
        self.note(request, fault.status, sent, len(body), "status")
        return not request.closes

    async def forward(self, request, client, server, mode, fault):
        """Passes one request and its answer on, with what `mode` does to them; returns whether both go on."""
        upload = {"flip-upload": "flip", "reset-upload": "half", "throttle": "throttle"}.get(mode)
        download = {
            "flip-download": "flip", "reset-download": "half", "truncate-download": "half",
            "throttle": "throttle"}.get(mode)
        server[1].write(request.raw)
        body = asyncio.create_task(copy(client[0], server[1], request, upload, fault))
        try:
            response = await self.answer(client, server, body)
            if mode == "lose-answer":
                await body
            # Noted before the client can know of it: whoever has an answer finds its line in the log.
            sent = body.result() if body.done() and not body.exception() else 0
            self.note(request, response.status, sent, response.length or 0, mode)
            if mode == "lose-answer":
                reset(client[1])
                return False
            client[1].write(response.raw)
            has_body = request.method != "HEAD" and response.status not in (204, 304)
            try:
                await copy(server[0], client[1], response, download, fault, has_body)
            except Half:
                if mode == "reset-download":
                    reset(client[1])
                return False
            await client[1].drain()
            await body
            ends = has_body and response.length is None and not response.is_chunked
            return not (request.closes or response.closes or ends)
        except Unanswered:
            self.note(request, 0, 0, 0, mode)
            reset(server[1])
            reset(client[1])
            return False
        finally:
            body.cancel()

    async def answer(self, client, server, body):
        """The server's answer while the request's body is on its way; interim answers are passed on at once."""
        while True:
            head = asyncio.create_task(read_head(server[0], Response))
            await asyncio.wait((body, head), return_when=asyncio.FIRST_COMPLETED)
            if body.done() and body.exception() is not None and not head.done():
                head.cancel()
                raise Unanswered from body.exception()
            try:
                response = await head
            except ConnectionError as error:
                raise Unanswered from error
            if response is None:
                raise Unanswered
            if response.status >= 200:
                return response
            client[1].write(response.raw)
