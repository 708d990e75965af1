"""Addresses, routes, rules, next hops and static neighbours as lines, in iproute2's words.

Lifetimes are not state, that there is one is: C(dynamic), C(expires). Neighbours are those that somebody has set; what
the kernel found out, or makes of itself for multicast and links without addresses, is a cache.
"""
from __future__ import annotations

import struct
from typing import Any, Dict, Iterator, Optional

from .._kernel import rtnetlink_route as kernel
from .._kernel.netlink import attributes
from .._network import neighbours, routes, rules
from .._network.look import Look as Decoding
from .._network.rt_names import PROTOCOLS, SCOPES, flags, named
from .state_look import Look, digest, rest

_AF_MPLS = 28
_ADDRESS_FLAGS = (
    (0x01, "secondary"), (0x02, "nodad"), (0x04, "optimistic"), (0x10, "home"), (0x100, "mngtmpaddr"),
    (0x200, "noprefixroute"), (0x400, "autojoin"), (0x800, "stable-privacy"),
)
_PERMANENT, _NOARP = 0x80, 0x40
_NHMSG = struct.Struct("=BBBxI")
# RTNH_F_*: dead, offload, linkdown, unresolved, trap follow from the links and the hardware.
_VOLATILE = {"dead", "offload", "linkdown", "unresolved", "trap", "rt_offload", "rt_trap", "rt_offload_failed"}


def address_words(body: bytes, look: Look) -> Iterator[str]:
    dummy, prefix, bits, scope, index = kernel.IFADDRMSG.unpack_from(body)
    found = attributes(body[kernel.IFADDRMSG.size:])
    get = found.get
    local, peer = kernel.address(get(kernel.IFA_LOCAL)), kernel.address(get(kernel.IFA_ADDRESS))
    every = kernel.u32(get(kernel.IFA_FLAGS))
    bits = bits if every is None else every
    said = ["address %s/%d dev %s scope %s" % (local or peer, prefix, look.link(index), named(SCOPES, scope))]
    if local and peer and local != peer:
        said.insert(1, "peer %s" % peer)
    if 4 in found:
        said.append("broadcast %s" % kernel.address(found[4]))
    label = kernel.text(get(3))
    if label and label != look.link(index):
        said.append("label %s" % label)
    if kernel.u32(get(9)):
        said.append("metric %d" % (kernel.u32(get(9)) or 0))
    if get(11) and get(11) != b"\0":
        said.append("proto %s" % {1: "kernel_lo", 2: "kernel_ra", 3: "kernel_ll"}.get(found[11][0], found[11][0]))
    said += flags(_ADDRESS_FLAGS, bits)
    if not bits & 0x80:
        said.append("dynamic")
    elif len(get(6, b"")) >= 4 and found[6][:4] == b"\0\0\0\0":
        said.append("deprecated")  # preferred_lft 0 can be set
    # 6: IFA_CACHEINFO, lifetimes.
    yield " ".join(said) + rest(found, (1, 2, 3, 4, 6, 8, 9, 11))


def route_words(body: bytes, look: Look) -> Iterator[str]:
    header = kernel.RTMSG.unpack_from(body)
    if header[8] & kernel.RTM_F_CLONED:
        return
    found = attributes(body[kernel.RTMSG.size:])
    row: Any = None
    if header[0] != _AF_MPLS:
        row = routes._row(_decoding(look), header[0], False, kernel.RTM_NEWROUTE, body)
    if row is None:
        # The last ones: RTA_CACHEINFO and expiry.
        yield "route family %d %s" % (header[0], digest(
            body[:8], rest(found, (kernel.RTA_CACHEINFO, 23)).encode()))
        return
    said = ["route"]
    if row["type"] != "unicast":
        said.append(row["type"])
    said.append(row["destination"] if row["destination"] != "default" or row["family"] == "inet" else "default")
    for word, key in (("from", "from"), ("via", "gateway"), ("dev", "link"), ("table", "table"), ("proto", "protocol"),
                      ("scope", "scope"), ("src", "source"), ("metric", "metric"), ("mtu", "mtu"),
                      ("nhid", "nexthop_id")):
        if row[key] is not None:
            said.append("%s %s" % (word, row[key]))
    if row["family"] == "inet6":
        said.insert(1, "-6")
    if header[3]:
        said.append("tos 0x%x" % header[3])
    said += ["%s %s" % entry for entry in sorted(row["metrics"].items())]
    said += [word for word in row["flags"] if word not in _VOLATILE]
    for hop, raw in zip(row["nexthops"], kernel.nexthops(found.get(kernel.RTA_MULTIPATH, b""))):
        said.append("nexthop via %s dev %s weight %s" % (hop["gateway"], hop["link"], hop["weight"]))
        said += [word for word in hop["flags"] if word not in _VOLATILE]
        left = rest(raw[3], (kernel.RTA_GATEWAY, kernel.RTA_VIA))
        if left:
            said.append(left.strip())
    if row["expires"] is not None:
        said.append("expires")
    congestion = attributes(found.get(kernel.RTA_METRICS, b"")).get(kernel.RTAX_CC_ALGO)
    if congestion:
        said.append("congctl %s" % kernel.text(congestion))
    preference = found.get(20)
    if preference and preference != b"\0":
        said.append("pref %s" % {1: "high", 3: "low"}.get(preference[0], preference[0]))
    # 4, 7, ...: in words above; 12 and 23 are lifetimes.
    yield " ".join(said) + rest(found, (1, 2, 4, 5, 6, 7, 8, 9, 12, 15, 18, 20, 23, 30))


def rule_words(body: bytes, look: Look) -> Iterator[str]:
    row: Any = rules._row(_decoding(look), body[0], kernel.RTM_NEWRULE, body)
    if row is None:
        yield "rule %s" % digest(body)
        return
    details: Dict[str, Any] = row["details"]
    said = ["rule%s %d:" % (" -6" if row["family"] == "inet6" else "", row["priority"])]
    if details.pop("not", False):
        said.append("not")
    said.append("from %s" % (row["from"] or "all"))
    for word, value in (("to", row["to"]), ("iif", row["iif"]), ("oif", row["oif"]), ("fwmark", row["fwmark"])):
        if value is not None:
            said.append("%s %s" % (word, value))
    for word in ("unresolved", "iif_detached", "oif_detached"):
        details.pop(word, None)  # follow from other objects
    unknown = details.pop("unknown", None)
    said += [word if value is True else "%s %s" % (word, value) for word, value in sorted(details.items())
             if word != "goto"]
    said.append("%s %s" % (row["action"], row["table"] if row["action"] == "lookup" else details.get("goto", "")))
    if unknown:
        said.append(digest(body))
    yield " ".join(said).strip()


def neighbour_words(body: bytes, look: Look) -> Iterator[str]:
    family, index, state, bits, dummy = kernel.NDMSG.unpack_from(body)
    row: Any = neighbours._row(_decoding(look), family, kernel.RTM_NEWNEIGH, body)
    if row is None:
        return
    found = attributes(body[kernel.NDMSG.size:])
    said = ["fdb" if family == kernel.AF_BRIDGE else "neighbour"]
    if family == kernel.AF_BRIDGE:
        said.append("%s dev %s" % (row["mac"], row["link"]))
        if row["address"]:
            said.append("dst %s" % row["address"])
        if row["vlan"] is not None:
            said.append("vlan %d" % row["vlan"])
    else:
        said.append(row["address"] or "?")
        if row["mac"] and not bits & kernel.NTF_PROXY:
            said.append("lladdr %s" % row["mac"])
        said.append("dev %s" % row["link"])
    # Of a managed one the state comes and goes.
    if state & (_PERMANENT | _NOARP) and not bits & kernel.NTF_PROXY:
        said.append("permanent" if state & _PERMANENT else "static" if family == kernel.AF_BRIDGE else "noarp")
    said += [word for word in row["flags"] if word not in ("offload", "use")]
    master = kernel.u32(found.get(9))
    if master:
        said.append("master %s" % look.link(master))
    # 3: NDA_CACHEINFO, 4: NDA_PROBES.
    yield " ".join(said) + rest(found, (1, 2, 3, 4, 5, 9, 15))


def nexthop_words(body: bytes, look: Look) -> Iterator[str]:
    found = attributes(body[_NHMSG.size:])
    family, scope, protocol, bits = _NHMSG.unpack_from(body)
    said = ["nexthop id %d" % (kernel.u32(found.get(1)) or 0)]
    if kernel.address(found.get(6)):
        said.append("via %s" % kernel.address(found[6]))
    if kernel.u32(found.get(5)):
        said.append("dev %s" % look.link(kernel.u32(found[5])))
    if 2 in found:
        # struct nexthop_grp: id, weight - 1, and more of it since 6.13
        members = (struct.unpack_from("=IBBH", found[2], at) for at in range(0, len(found[2]) - 7, 8))
        said.append("group %s" % "/".join("%d,%d" % (member[0], member[1] + 1) for member in members))
    if 4 in found:
        said.append("blackhole")
    if 11 in found:
        said.append("fdb")
    resilient = rest(attributes(found.get(12, b"")), (4,))  # but the time for which it was unbalanced
    said.append("family %d scope %s proto %s" % (family, named(SCOPES, scope), named(PROTOCOLS, protocol)))
    if bits & 4:
        said.append("onlink")
    yield " ".join(said) + resilient + rest(found, (1, 2, 4, 5, 6, 11, 12))


def _decoding(look: Look) -> Decoding:
    """What the decoders of _network share: they need names and room only."""
    found: Optional[Decoding] = look.kept.get("decoding")
    if found is None:
        found = look.kept["decoding"] = Decoding(1 << 20, look.until)
        found.names = look.names
    return found


def label_words(body: bytes, look: Look) -> Iterator[str]:
    prefix, dummy, index = struct.unpack_from("=xxBBI", body)
    found = attributes(body[12:])
    yield "addrlabel prefix %s/%d%s label %s" % (
        kernel.address(found.get(1)), prefix, " dev %s" % look.link(index) if index else "", kernel.u32(found.get(2)))
