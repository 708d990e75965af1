"""Legacy tables of iptables, ip6tables and arptables, as getsockopt(2) gives them: linux/netfilter*/..._tables.h.

Asking for a table that is not there makes it (and may load its module): ask for those only that
/proc/net/ip_tables_names lists.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Dict, Iterator, List, NamedTuple, Tuple

from .libc import syscall

_ATTEMPTS = 4
_MOST = 64 << 20  # bytes of one table
_NAME = 32
_INFO = struct.Struct("=32sI5I5III")  # name, valid hooks, hook entries, underflows, number of entries, size
# By family: protocol family, level, GET_INFO, where an entry has target_offset, and where its rule begins.
_IPT, _IP6T, _ARPT = 64, 64, 96
_FAMILIES: Dict[str, Tuple[int, int, int, int, int]] = {
    "ip": (socket.AF_INET, socket.SOL_IP, _IPT, 88, 112),
    "ip6": (socket.AF_INET6, 41, _IP6T, 140, 168),
    "arp": (socket.AF_INET, socket.SOL_IP, _ARPT, 96, 120),
}


class Rule(NamedTuple):
    """An entry: its offset, what it matches of addresses and links (ipt_ip, ip6t_ip6, arpt_arp), matches, target."""

    offset: int
    head: bytes
    matches: List[Tuple[str, int, bytes]]
    target: Tuple[str, int, bytes]


class Table(NamedTuple):
    """C(hooks): where each chain that packets come to begins and ends, by the number of its hook."""

    hooks: Dict[int, Tuple[int, int]]
    rules: List[Rule]


def table(family: str, name: str) -> Table:
    """A table of the caller's network namespace. Raises OSError: EPERM without CAP_NET_ADMIN; EFBIG."""
    import ctypes

    domain, level, base, offset_at, start = _FAMILIES[family]
    with socket.socket(domain, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        for dummy in range(_ATTEMPTS):
            info = ctypes.create_string_buffer(os.fsencode(name), _INFO.size)
            _ask(asking, level, base, info, _INFO.size)
            told = _INFO.unpack(info.raw)
            valid, begins, ends, size = told[1], told[2:7], told[7:12], told[13]
            if size > _MOST:
                raise OSError(errno.EFBIG, "a table of %d bytes" % size)
            # ipt_get_entries: name, size, padding, entries
            entries = ctypes.create_string_buffer(_NAME + 8 + size)
            struct.pack_into("=32sI", entries, 0, os.fsencode(name), size)
            try:
                _ask(asking, level, base + 1, entries, _NAME + 8 + size)
            except OSError as error:
                if error.errno != errno.EAGAIN:  # it has another size by now
                    raise
                continue
            hooks = {hook: (begins[hook], ends[hook]) for hook in range(5) if valid >> hook & 1}
            return Table(hooks, list(_rules(entries.raw[_NAME + 8:], offset_at, start)))
    raise OSError(errno.EAGAIN, "the table changed while it was read")


def _ask(asking: socket.socket, level: int, option: int, buffer: object, size: int) -> None:
    import ctypes

    length = ctypes.c_uint32(size)
    syscall("getsockopt", asking.fileno(), level, option, buffer, ctypes.byref(length))


def _rules(data: bytes, offset_at: int, start: int) -> Iterator[Rule]:
    offset = 0
    while offset + start <= len(data):
        target_at, size = struct.unpack_from("=HH", data, offset + offset_at)
        if size < start or offset + size > len(data) or not start <= target_at <= size:
            raise OSError(errno.EPROTO, "an entry of %d bytes" % size)
        matches = []
        at = offset + start
        while at + 32 <= offset + target_at:
            match = _extension(data, at, offset + target_at)
            matches.append(match[1:])
            at += match[0]
        target = _extension(data, offset + target_at, offset + size)
        yield Rule(offset, data[offset:offset + offset_at], matches, target[1:])
        offset += size


def _extension(data: bytes, at: int, end: int) -> Tuple[int, str, int, bytes]:
    """xt_entry_match, xt_entry_target: size, name, revision, data."""
    size, name, revision = struct.unpack_from("=H29sB", data, at)
    if size < 32 or at + size > end:
        raise OSError(errno.EPROTO, "a match of %d bytes" % size)
    return size, name.partition(b"\0")[0].decode("utf-8", "replace"), revision, data[at + 32:at + size]
