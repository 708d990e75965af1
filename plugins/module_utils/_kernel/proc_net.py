"""Sockets as /proc/net tells them, for where sock_diag(7) is not to be had; proc_net(5)."""
from __future__ import annotations

import binascii
import errno
import os
import socket
import struct
import time
from typing import Iterator, List, Optional, Tuple

from .sock_diag import TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN, Inet, Packet, Unix

_MOST_LINES = 250_000
_LONGEST_NAME = 108                   # sun_path
_SS_CONNECTED, _ACCEPTS = 3, 0x10000  # enum socket_state, __SO_ACCEPTCON


def lines(path: str, until: float) -> Iterator[bytes]:
    """The lines of a file, its head too, read piece by piece. Raises OSError: EOVERFLOW when there are too many.

    TimeoutError when C(until), of time.monotonic(), has passed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        rest, count = b"", 0
        while True:
            chunk = os.read(descriptor, 1 << 16)
            if time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, "too many sockets to read in time", path)
            whole = (rest + chunk).split(b"\n")
            rest = whole.pop()
            for line in whole:
                count += 1
                if count > _MOST_LINES:
                    raise OSError(errno.EOVERFLOW, "more than %d lines" % _MOST_LINES, path)
                yield line
            if not chunk or len(rest) > 1 << 16:
                return
    finally:
        os.close(descriptor)


def inet_rows(found: Iterator[bytes], counts: List[int], waits: int) -> Iterator[Inet]:
    """Count the lines of tcp, udp, raw and the like by state; those in the state C(waits) are parsed."""
    for line in found:
        try:
            fields = line.split(None, 10)
            state = _number(fields[3])
            counts[state] += 1
            if state == waits:
                family, address, port = _address(fields[1])
                queue = _number(fields[4].split(b":")[1])
                yield Inet(family, state, address, port, 0, queue, None, int(fields[9]), None)
        except (IndexError, ValueError, struct.error):
            continue


def packet_rows(found: Iterator[bytes]) -> Iterator[Packet]:
    """Parse the lines of packet."""
    for line in found:
        try:
            fields = line.split()
            yield Packet(int(fields[2]), int(fields[3], 16), int(fields[8]), int(fields[4]), int(fields[6]))
        except (IndexError, ValueError):
            continue


def unix_rows(found: Iterator[bytes]) -> Iterator[Unix]:
    """Parse the lines of unix. A name may hold newlines, so the line after one may be the rest of it.

    One that looks like a line of the kernel's cannot be told from one: here, and only here, whoever makes sockets can
    make some up.
    """
    row: Optional[Unix] = None
    for line in found:
        following = _unix_line(line)
        if following is None and row is not None:
            row = row._replace(name=((row.name or b"") + b"\n" + line)[:_LONGEST_NAME])
            continue
        # Without inode: made by connect(2), not yet taken by accept(2). sock_diag leaves them out too.
        if row is not None and row.inode:
            yield row
        row = following
    if row is not None and row.inode:
        yield row


def _address(field: bytes) -> Tuple[int, str, int]:
    """Family, address and port: words as the machine has them, in hexadecimal digits."""
    digits, port = field.split(b":")
    words = struct.unpack(">%dI" % (len(digits) // 8), binascii.unhexlify(digits))
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return family, socket.inet_ntop(family, struct.pack("=%dI" % len(words), *words)), _number(port)


def _number(digits: bytes) -> int:
    """Of hexadecimal digits; int() would take signs and underscores too."""
    return int.from_bytes(binascii.unhexlify(digits), "big")


def _unix_line(line: bytes) -> Optional[Unix]:
    """Address, users, protocol, flags, type, state, inode and name; only the name is not the kernel's."""
    fields = line.split(None, 6)
    if len(fields) < 7 or [len(field) for field in fields[1:6]] != [8, 8, 8, 4, 2] or fields[0][-1:] != b":":
        return None
    inode, dummy, name = fields[6].partition(b" ")
    if not inode.isdigit() or len(inode) > 20:
        return None
    try:
        flags, kind, state = _number(fields[3]), _number(fields[4]), _number(fields[5])
    except ValueError:
        return None
    state = TCP_LISTEN if flags & _ACCEPTS else TCP_ESTABLISHED if state == _SS_CONNECTED else TCP_CLOSE
    return Unix(kind, state, int(inode), name[:_LONGEST_NAME] or None, None, None)
