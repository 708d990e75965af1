"""The sysctls of a network namespace: /proc/sys/net shows those of who reads it.

Of those of single links (conf/LINK, neigh/LINK), a hundred for each, only what rtnetlink(7) does not tell is read here.
The files of the first look stay open for the second one: to open and close each costs more than to read it. What was
made or removed meanwhile is seen all the same, for folders are listed both times, and the file of what was removed can
not be read any more.
"""
from __future__ import annotations

import errno
import os
import time
from typing import Dict, FrozenSet, Iterator, List, Tuple

from .state_conf import IPV4, IPV6, NEIGHBOURS
from .state_look import Look, Unread

_O_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_SIZE = 4096
_MOST = 1 << 17
_KEPT = "sysctls"
_MOST_KEPT = 4096  # descriptors
_COMMON = ("all", "default")
_NEIGHBOURS = frozenset((
    *(name for name, dummy in NEIGHBOURS.values()), "retrans_time", "base_reachable_time", "unres_qlen"))
# By the folder that has one for each link: what rtnetlink tells, and what says the same in other units.
_TOLD: Dict[str, FrozenSet[str]] = {
    "ipv4/conf/": frozenset(IPV4), "ipv6/conf/": frozenset(name for name, dummy in IPV6),
    "ipv4/neigh/": _NEIGHBOURS, "ipv6/neigh/": _NEIGHBOURS,
}
# What is no state, each with the reason.
_LEFT_OUT = frozenset((
    "netfilter/nf_conntrack_count",            # a counter
    "ipv4/route/flush", "ipv6/route/flush",    # commands; cannot be read
    "core/netdev_rss_key",                     # made at random when a driver first asks for it
    "ipv4/tcp_available_congestion_control",   # what modules offer, which load themselves
    "ipv4/tcp_available_ulp", "mptcp/available_path_managers", "mptcp/available_schedulers",
))

Row = Tuple[str, bytes]


class _Kept:
    """Files that stay open, by path."""

    def __init__(self) -> None:
        self._open: Dict[str, int] = {}
        self._room = min(_MOST_KEPT, os.sysconf("SC_OPEN_MAX") // 2)

    def take(self, where: str, descriptor: int) -> bool:
        """Whether it stays open."""
        self._room -= 1
        if self._room >= 0:
            self._open[where] = descriptor
        return self._room >= 0

    def read(self, where: str) -> bytes:
        """What is in it now; nothing where that cannot be told: it is not open, gone, or long."""
        descriptor = self._open.get(where)
        try:
            value = b"" if descriptor is None else os.pread(descriptor, _SIZE, 0)
        except OSError:
            return b""
        return value if len(value) < _SIZE else b""

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


def read(look: Look) -> List[Row]:
    """Path below /proc/sys/net and value of each. Raises OSError, Unread."""
    root = os.open(look.root + "/sys/net", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    found: List[Row] = []
    refused: List[str] = []
    look.kept[_KEPT] = _Kept() if look.earlier is None else look.earlier.kept.pop(_KEPT, _Kept())
    try:
        _folder(root, "", look, found, refused)
    finally:
        os.close(root)
        if look.earlier is not None:
            look.kept.pop(_KEPT).close()
    if not found:
        raise Unread("there are none")
    look.unproven.extend(refused)
    return found


def words(row: Row, look: Look) -> Iterator[str]:
    """As sysctl(8) prints it: in the name of a link C(.) is written as C(/)."""
    path = row[0].split("/")
    if len(path) == 4 and path[1] in ("conf", "neigh") and path[2] not in (*_COMMON, *look.others):
        return  # of a link that is new or gone
    name = row[0].replace(".", "\0").replace("/", ".").replace("\0", "/")
    yield "sysctl net.%s = %s" % (name, " ".join(row[1].decode("utf-8", "replace").split()))


def _folder(folder: int, path: str, look: Look, found: List[Row], refused: List[str]) -> None:
    if time.monotonic() > look.until:
        raise Unread("not read in time")
    if path in _TOLD:
        _links(folder, path, look, found, refused)
        return
    for entry in _entries(folder):
        name = entry.name
        where = path + name
        if entry.is_dir(follow_symlinks=False):
            try:
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            except FileNotFoundError:
                continue
            try:
                _folder(below, where + "/", look, found, refused)
            finally:
                os.close(below)
        elif where not in _LEFT_OUT:
            _file(folder, name, where, look, found, refused)


def _links(folder: int, path: str, look: Look, found: List[Row], refused: List[str]) -> None:
    """What there is of all links and of those to come, and of each what is told nowhere else."""
    names = os.listdir(folder)
    untold: List[str] = []
    for name in sorted(names, key=lambda name: name not in _COMMON):
        try:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            continue
        try:
            where = path + name + "/"
            if name in _COMMON:
                _folder(below, where, look, found, refused)
                untold = [entry for entry in os.listdir(below) if entry not in _TOLD[path]]
            else:
                for entry in untold:
                    _file(below, entry, where + entry, look, found, refused)
                if len(found) > look.room or time.monotonic() > look.until:
                    raise Unread("not read in time")
        finally:
            os.close(below)


def _file(folder: int, name: str, where: str, look: Look, found: List[Row], refused: List[str]) -> None:
    try:
        kept: _Kept = look.kept[_KEPT]
        found.append((where, kept.read(where) or _value(name, folder, where, kept)))
    except OSError as error:
        # EIO: stable_secret, while it has none.
        if error.errno not in (errno.ENOENT, errno.EIO):
            refused.append("sysctl %s: %s" % (
                ("net/" + where).replace("/", "."), errno.errorcode.get(error.errno or 0, "error")))


def _entries(folder: int) -> List[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _value(name: str, folder: int, where: str, kept: _Kept) -> bytes:
    descriptor = os.open(name, _O_FILE, dir_fd=folder)
    try:
        value = os.read(descriptor, _SIZE)
        while value and len(value) % _SIZE == 0 and len(value) < _MOST:
            more = os.read(descriptor, _SIZE)
            if not more:
                break
            value += more
        if kept.take(where, descriptor):
            descriptor = -1
        return value
    finally:
        if descriptor >= 0:
            os.close(descriptor)
