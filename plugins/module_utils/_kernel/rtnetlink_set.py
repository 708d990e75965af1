"""What is set over rtnetlink(7): the nsid of a network, and its loopback; and what they are."""
from __future__ import annotations

import errno
import os
import struct

from .netlink import NETNSA_FD, NETNSA_NSID, RTM_NEWNSID, Route, attribute

_RTM_NEWLINK, _RTM_GETLINK = 16, 18
_NLM_F_ACK = 0x4
_IFF_UP = 1
_LOOPBACK = 1  # its index: it is made with the network
_LINK = struct.Struct("=BBHiII")  # ifinfomsg: family, padding, type, index, flags, which of them change


def set_nsid(descriptor: int, number: int) -> None:
    """Have the network that the caller is in know the one behind C(descriptor) by that number; RTM_NEWNSID, Linux 4.0.

    Raises OSError: EEXIST, it has another number already, or another one has that.
    """
    route = Route()
    try:
        known = attribute(NETNSA_FD, struct.pack("=I", descriptor)) + attribute(NETNSA_NSID, struct.pack("=i", number))
        route.ask(RTM_NEWNSID, b"\0\0\0\0" + known, _NLM_F_ACK)
    finally:
        route.close()


def nsid(descriptor: int) -> int | None:
    """By which number the network that the caller is in knows that one. Raises OSError."""
    route = Route()
    try:
        return route.nsid(descriptor)
    finally:
        route.close()


def loopback_is_up() -> bool:
    """Whether lo of the network that the caller is in is up. Raises OSError."""
    route = Route()
    try:
        kind, body = route.ask(_RTM_GETLINK, _LINK.pack(0, 0, 0, _LOOPBACK, 0, 0))
    finally:
        route.close()
    if kind != _RTM_NEWLINK or len(body) < _LINK.size:
        raise OSError(errno.EPROTO, "RTM_GETLINK: %s" % os.strerror(errno.EPROTO))
    return bool(_LINK.unpack_from(body)[4] & _IFF_UP)


def set_loopback_up() -> None:
    """Bring it up. Raises OSError."""
    route = Route()
    try:
        route.ask(_RTM_NEWLINK, _LINK.pack(0, 0, 0, _LOOPBACK, _IFF_UP, _IFF_UP), _NLM_F_ACK)
    finally:
        route.close()
