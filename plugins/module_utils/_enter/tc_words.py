"""Queueing (tc(8)) and the VLANs of bridges as lines; statistics and times are no state."""
from __future__ import annotations

import struct
from typing import Dict, Iterator, List, Tuple

from .._kernel.netlink import attribute, attributes
from .._kernel.rtnetlink_link import nested, text
from .state_look import Look, digest, rest

_TCMSG = struct.Struct("=BxxxiIII")  # family, index, handle, parent, info
_KIND, _OPTIONS, _CHAIN = 1, 2, 11
# Of actions: statistics; numbers that each making counts on.
_ACTION_STATISTICS = frozenset((4, 7, 8, 9, 10))
_TCF_T = 32  # sizeof(struct tcf_t): when it was installed and last used

Row = Tuple[str, bytes]


def words(row: Row, look: Look) -> Iterator[str]:
    """Kind and place; the options as a digest, but for the few that are mostly set."""
    what, body = row
    dummy, index, handle, parent, info = _TCMSG.unpack_from(body)
    found = attributes(body[_TCMSG.size:])
    kind = text(found.get(_KIND, b""))
    said = [what, kind]
    if what != "filter":
        said.append(_handle(handle))
    said += ["dev", look.link(index)]
    said.append("root" if parent == 0xFFFFFFFF else "parent %s" % _handle(parent))
    options = found.get(_OPTIONS, b"")
    if what == "filter":
        # A filter without options stands for all of its kind and priority.
        said.append("protocol 0x%04x pref %d handle 0x%x" % (
            struct.unpack(">H", struct.pack("=H", info & 0xFFFF))[0], info >> 16, handle))
        if _CHAIN in found:
            said.append("chain %d" % struct.unpack_from("=I", found[_CHAIN])[0])
        said += _actions(options)
    elif kind == "netem" and len(options) >= 24:
        latency, limit, loss, gap, duplicate, jitter = struct.unpack_from("=6I", options)
        # The same in nanoseconds, where it is told: 64 bits.
        exact = dict(nested(options, 24))
        if len(exact.get(10, b"")) == 8:
            said.append("delay %gms" % (struct.unpack("=q", exact[10])[0] / 1e6))
        said.append("limit %d" % limit)
        if loss:
            said.append("loss %g%%" % round(100.0 * loss / 0xFFFFFFFF, 4))
    if options:
        said.append("options %s" % digest(_without_statistics(kind, options) if what == "filter" else options))
    # 3: TCA_STATS, 4: TCA_XSTATS, 5: TCA_RATE, 7: TCA_STATS2, 9: TCA_PAD
    # 12: TCA_HW_OFFLOAD, what the hardware makes of it.
    yield " ".join(said) + rest(found, (_KIND, _OPTIONS, 3, 4, 7, 9, _CHAIN, 12))


def _handle(number: int) -> str:
    return "%x:%s" % (number >> 16, "%x" % (number & 0xFFFF) if number & 0xFFFF else "")


# The option of a filter that lists its actions, and those that count.
_ACTIONS: Dict[str, int] = {"u32": 7, "flower": 3, "matchall": 2, "bpf": 1, "basic": 3, "fw": 4, "cgroup": 1, "flow": 9,
                            "route": 6}
_COUNTS = {"u32": (9, 11), "matchall": (4,), "basic": (5,), "flower": (86,)}


def _actions(options: bytes) -> List[str]:
    """The kinds of actions that options of a filter list."""
    names = []
    for dummy, value in nested(options):
        for dummy2, entry in nested(value):
            name = attributes(entry).get(1, b"")
            if name.endswith(b"\0") and name[:-1].isalnum() and 3 < len(name) < 16 and 2 in attributes(entry):
                names.append("action %s" % text(name))
    return names


def _without_statistics(kind: str, options: bytes) -> bytes:
    kept = []
    for number, value in nested(options):
        if number in _COUNTS.get(kind, ()):
            continue
        if number == _ACTIONS.get(kind):
            value = b"".join(_action(entry) for dummy, entry in nested(value))
        kept.append(attribute(number, value))
    return b"".join(kept)


def _action(entry: bytes) -> bytes:
    kept = []
    for number, value in nested(entry):
        if number in _ACTION_STATISTICS:
            continue
        if number == 2:
            value = b"".join(attribute(inner, said) for inner, said in nested(value) if len(said) != _TCF_T)
        kept.append(attribute(number, value))
    return b"".join(kept)


def vlan_words(row: Tuple[int, bytes], look: Look) -> Iterator[str]:
    begins = 0
    for kind, value in nested(row[1]):
        if kind == 3:
            yield "bridge vlan dev %s tunnel %s" % (look.link(row[0]), digest(value))
            continue
        flags, vid = struct.unpack_from("=HH", value)
        if flags & 8:
            begins = vid
            continue
        yield "bridge vlan dev %s vid %s%s%s" % (
            look.link(row[0]), "%d-%d" % (begins, vid) if flags & 16 else vid, " pvid" if flags & 2 else "",
            " untagged" if flags & 4 else "")
