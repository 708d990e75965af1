"""rtnetlink(7) requests and their answers; so far the one that translates network namespaces into their nsid."""
from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Iterator

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST = 1
RTM_NEWNSID, RTM_GETNSID = 88, 90
NETNSA_NSID, NETNSA_PID, NETNSA_FD = 1, 2, 3
NSID_NOT_ASSIGNED = -1

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type
_RTGENMSG = b"\0\0\0\0"            # rtgenmsg: family AF_UNSPEC, padded


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute with its padding."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of a message; what is cut off or of impossible length ends the walk."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            break
        # The two highest bits say "nested" and "network byte order" (NLA_TYPE_MASK).
        found[kind & 0x3FFF] = data[offset + _ATTRIBUTE.size:offset + length]
        offset += length + (-length % 4)
    return found


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence and payload of each message of a datagram; what is cut off ends the walk."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, dummy, sequence, dummy2 = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        yield kind, sequence, data[offset + _HEADER.size:offset + length]
        offset += length + (-length % 4)


class Route:
    """A NETLINK_ROUTE socket of the network namespace that the caller is in now."""

    def __init__(self, timeout: float = 1.0) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(timeout)
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, kind: int, payload: bytes, flags: int = 0) -> tuple[int, bytes]:
        """Type and payload of the one answer to a request. Raises OSError as the kernel answers it."""
        self._sequence += 1
        length = _HEADER.size + len(payload)
        self._socket.send(_HEADER.pack(length, kind, NLM_F_REQUEST | flags, self._sequence, 0) + payload)
        while True:
            try:
                data, sender = self._socket.recvfrom(1 << 16)
            except socket.timeout:
                # Before Python 3.10 it is no TimeoutError and has no errno.
                raise TimeoutError(errno.ETIMEDOUT, "rtnetlink: no answer") from None
            # Port 0 is the kernel; who has CAP_NET_ADMIN here may send us messages too.
            for answer, sequence, body in messages(data) if sender[0] == 0 else ():
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_ERROR and len(body) >= 4:
                    code = -struct.unpack_from("=i", body)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                return answer, body

    def nsid(self, descriptor: int) -> int | None:
        """The id by which this network namespace knows the one behind C(descriptor); RTM_GETNSID, Linux 4.0.

        None when it has none. Raises OSError.
        """
        answer, body = self.ask(RTM_GETNSID, _RTGENMSG + attribute(NETNSA_FD, struct.pack("=I", descriptor)))
        raw = attributes(body[len(_RTGENMSG):]).get(NETNSA_NSID)
        if answer != RTM_NEWNSID or raw is None or len(raw) != 4:
            raise OSError(errno.EPROTO, "RTM_GETNSID: answer of type %d" % answer)
        value = int(struct.unpack("=i", raw)[0])
        return None if value == NSID_NOT_ASSIGNED else value
