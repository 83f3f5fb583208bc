"""A proxy in front of one S3 server that logs every request and can do what bad servers and networks do.

Clients use it as their endpoint. Requests go on unchanged, the Host header too, so that signatures stay valid; bodies
are streamed both ways. When it listens, it prints one line: {"port": 8600, "control": 8601}

It logs each request as one line of JSON: method, path (decoded), query, status (0: no answer was given), bytes (of the
request's body), answer_bytes (as declared), and the mode that met it. The line is there before the client has the
answer.

What it does to requests is set at run time, and told, on its second port:

    curl -d '{"mode": "status", "status": 503, "method": "PUT", "count": 3}' http://127.0.0.1:8601/__control
    curl http://127.0.0.1:8601/__control

mode             what happens to a request
  pass           nothing
  refuse         nobody listens, and open connections are reset
  hang           it is never answered
  status         it is answered with "status" (and "code" in the XML), and never reaches the server
  reset-upload   the connection is reset after half of its body; the server sees the half only
  reset-download the connection is reset after half of the answer's body
  lose-answer    the server applies it, then the connection is reset
  flip-upload    one byte of its body is changed on the way
  flip-download  one byte of the answer's body is changed
  truncate-download  the answer ends after half of its body
  delay          it waits for "ms" milliseconds first
  throttle       bodies pass at "rate" bytes a second

"method" (an exact name) and "path" (a regular expression, searched for in the decoded path) choose requests, "count"
says how many of them; the others pass. "hits" in the answer says how many a mode has met since it was set.
"""
import argparse
import asyncio
import json
import os
import re
import sys
from functools import partial

from .fault import Fault
from .message import PIECE, Request, pieces, read_head
from .proxy import Proxy


async def control(proxy, reader, writer):
    """Answers one request to the control port: sets a fault or tells which one is set."""
    try:
        request = await read_head(reader, Request)
        if request is None:
            return
        text = b"".join([piece async for piece, _ in pieces(reader, request)])
        status = "200 OK"
        if request.path != "/__control":
            status = "404 Not Found"
        elif request.method != "GET":
            try:
                await proxy.set(Fault(**json.loads(text)))
            except (ValueError, TypeError, re.error) as error:
                status = "400 Bad Request"
                print(f"s3-proxy: {error}", file=sys.stderr)
        answer = json.dumps(proxy.state()) + "\n"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n"
            f"Connection: close\r\n\r\n{answer}".encode())
        await writer.drain()
    except (ConnectionError, ValueError):
        pass
    finally:
        writer.close()


async def until_end_of_input():
    """Returns when standard input ends: when whoever started this proxy is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(PIECE):
        pass


async def serve():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", required=True, metavar="HOST:PORT", help="the S3 server")
    parser.add_argument("--port", type=int, default=0, help="where clients connect (default: a free one)")
    parser.add_argument("--control", type=int, default=0, metavar="PORT", help="the control port (default: a free one)")
    parser.add_argument("--log", metavar="FILE", help="append a line for each request to FILE")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    options = parser.parse_args()

    proxy = Proxy(options)
    await proxy.listen()
    listener = await asyncio.start_server(partial(control, proxy), "127.0.0.1", options.control)
    print(json.dumps({"port": proxy.port, "control": listener.sockets[0].getsockname()[1]}), flush=True)
    if options.until_eof:
        await until_end_of_input()
        os._exit(0)
    await asyncio.Event().wait()


def main():
    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        pass
