"""How a body is passed on, with what a fault does to it, and how a connection is reset."""
import asyncio
import socket
import struct

from .message import PIECE, pieces


class Half(Exception):
    """Half of a body has passed, and no more shall."""


def reset(writer):
    """Closes with RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def copy(reader, writer, head, mode, fault, has_body=True):
    """Passes a body on and returns its length. `mode` is what to do to it: None, flip, half or throttle."""
    half = (head.length or 2) // 2
    done = 0
    writer.transport.set_write_buffer_limits(high=4 * PIECE)
    async for piece, is_content in pieces(reader, head, has_body):
        if is_content:
            if mode == "flip" and done <= half < done + len(piece):
                changed = bytearray(piece)
                changed[half - done] ^= 0x20
                piece = bytes(changed)
            if mode == "half" and done + len(piece) > half:
                writer.write(piece[: half - done])
                await writer.drain()
                raise Half
            done += len(piece)
        if mode == "throttle":
            for start in range(0, len(piece), 4096):
                part = piece[start : start + 4096]
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(len(part) / fault.rate)
        else:
            writer.write(piece)
            await writer.drain()
    return done
