"""Dumps over netlink(7): many messages for one request, of which only so many are kept.

Apart from netlink.py because a scan for namespaces does not need it, and what a scan imports travels to every host.
"""
from __future__ import annotations

import errno
import os
import socket
import struct
import time
from typing import Callable, Generic, Iterator, List, NamedTuple, Optional, TypeVar

from .netlink import NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR

NLM_F_MULTI, NLM_F_DUMP_INTR = 0x2, 0x10
NLM_F_DUMP = 0x300  # NLM_F_ROOT | NLM_F_MATCH
NLMSG_NOOP, NLMSG_OVERRUN = 1, 4
SOL_NETLINK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 270, 11, 12
NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_NETFILTER = 0, 4, 12

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_BUFFER = 1 << 17                  # the kernel fills at most 32 KiB a datagram (netlink_dump), nfnetlink more
_MOST = 250_000                    # messages of one dump that are counted; what would follow is not asked for
_MSG_TRUNC = int(socket.MSG_TRUNC)
_ATTEMPTS = 4                      # at a dump that changes meanwhile

Row = TypeVar("Row")


class Dump(Generic[Row]):
    """What a dump gave: C(rows), how many were C(left_out), and whether it C(changed) in each attempt to read it.

    C(error): why it ended before its time, with rows.
    """

    __slots__ = ("rows", "left_out", "changed", "error")

    def __init__(self) -> None:
        self.rows: List[Row] = []
        self.left_out = 0
        self.changed = False
        self.error: Optional[OSError] = None


class Message(NamedTuple):
    """One message: nlmsghdr's type and flags, and what follows it."""

    kind: int
    flags: int
    body: bytes


class Netlink:
    """A netlink socket of the network namespace that the caller is in now; it stays there. Close it when done.

    C(until) is the time.monotonic() by which all must have been answered. Raises OSError as socket(2) does:
    EPROTONOSUPPORT where the kernel has no such protocol.
    """

    def __init__(self, protocol: int, until: float) -> None:
        self._protocol = protocol
        self._until = until
        self._sequence = 0
        self._socket = self._open()

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def dump(self, kind: int, payload: bytes, parse: Callable[[int, bytes], Optional[Row]], most: int) -> Dump[Row]:
        """All answers to a request, each parsed (type, body) into a row, of which C(most) are kept.

        What C(parse) gives None for is not counted; it is not called any more when enough are kept, so what is left out
        is counted by messages. A dump that was changed while it was read (NLM_F_DUMP_INTR) is repeated, a few times.
        Raises OSError when there is not even one row.
        """
        found: Dump[Row] = Dump()
        for dummy in range(_ATTEMPTS):
            found = Dump()
            try:
                self._fill(found, kind, payload, parse, most)
            except OSError as error:
                if not found.rows:
                    raise
                # What there is already is true; the rest is as good as left out.
                found.error = error
            if found.error is not None or not found.changed:
                break
        return found

    def _fill(self, found: Dump[Row], kind: int, payload: bytes, parse: Callable[[int, bytes], Optional[Row]],
              most: int) -> None:
        for message in self.stream(kind, payload):
            found.changed |= bool(message.flags & NLM_F_DUMP_INTR)
            if message.kind == NLMSG_DONE:
                continue
            if len(found.rows) >= most:
                found.left_out += 1
                continue
            row = parse(message.kind, message.body)
            if row is not None:
                found.rows.append(row)

    def stream(self, kind: int, payload: bytes, flags: int = NLM_F_DUMP) -> Iterator[Message]:
        """The answers to a request as they come, the last one (NLMSG_DONE) included. Raises OSError.

        EOVERFLOW when there are too many. Whoever stops early must not use the socket for another request before the
        generator is closed; then it is replaced by a new one.
        """
        self._sequence += 1
        sequence, count, ended = self._sequence, 0, False
        length = _HEADER.size + len(payload)
        self._socket.send(_HEADER.pack(length, kind, NLM_F_REQUEST | flags, sequence, 0) + payload)
        try:
            while not ended:
                for message in self._receive(sequence):
                    if message.kind in (NLMSG_ERROR, NLMSG_DONE):
                        ended = True
                        _raise(message.body)
                    elif not message.flags & NLM_F_MULTI:
                        ended = True
                    yield message
                    count += 1
                    if count > _MOST:
                        raise OSError(errno.EOVERFLOW, "more than %d answers" % _MOST)
        finally:
            if not ended:
                # The kernel goes on with this dump before it begins another.
                self._socket.close()
                self._socket = self._open()

    def _open(self) -> socket.socket:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, self._protocol)
        try:
            # Filters of a request are obeyed, not ignored (Linux 4.20); without it whole tables come, as before.
            found.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError:
            pass
        return found

    def _receive(self, sequence: int) -> List[Message]:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "netlink: no time left")
        self._socket.settimeout(left)
        try:
            data, dummy, flags, sender = self._socket.recvmsg(_BUFFER)
        except socket.timeout:
            # Before Python 3.10 it is no TimeoutError and has no errno.
            raise TimeoutError(errno.ETIMEDOUT, "netlink: no answer") from None
        # Port 0 is the kernel; who has CAP_NET_ADMIN here may send us messages too.
        if sender[0]:
            return []
        if flags & _MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, "netlink: an answer of more than %d bytes" % _BUFFER)
        return list(_messages(data, sequence))


def _messages(data: bytes, sequence: int) -> Iterator[Message]:
    """The messages of a datagram that answer request C(sequence); what is cut off ends the walk."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, number, dummy = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        if number == sequence and kind != NLMSG_NOOP:
            yield Message(kind, flags, data[offset + _HEADER.size:offset + length])
        offset += length + (-length % 4)


def _raise(body: bytes) -> None:
    """Raise the error that NLMSG_ERROR or NLMSG_DONE begins with, a negative errno; 0 and none at all are none."""
    code = -struct.unpack_from("=i", body)[0] if len(body) >= 4 else 0
    if code:
        raise OSError(code, os.strerror(code))
