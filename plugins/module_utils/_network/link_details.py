"""What a link of some kind says of itself, in iproute2's words (C(info_data) of C(ip -j -d link)).

Other than there: addresses have one key for both families (C(remote), not C(remote6)), a UDP port is C(dstport), as the
command has it (C(port) is what a link is to its master), words are lower case, users are numbers, and timers and the
like, which are no state, are left out.
"""
from __future__ import annotations

import re
from typing import Any, Callable, Dict, Mapping, Tuple

from .._kernel import rtnetlink_link as kernel

Words = Mapping[int, str]


def _words(text: str) -> Words:
    return dict(enumerate(text.split()))


_PROTOCOLS = {0x8100: "802.1Q", 0x88A8: "802.1ad"}
_POLICIES = {0: "forward", 2: "blackhole"}
_MACVLAN = {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"}
_IPVLAN = _words("l2 l3 l3s")

# By kind and key: what a number means.
_MEANINGS: Dict[str, Dict[str, Words]] = {
    "vlan": {"protocol": _PROTOCOLS},
    "bridge": {"vlan_protocol": _PROTOCOLS},
    "macvlan": {"mode": _MACVLAN}, "macvtap": {"mode": _MACVLAN},
    "ipvlan": {"mode": _IPVLAN}, "ipvtap": {"mode": _IPVLAN},
    "bond": {
        "mode": _words("balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb"),
        "primary_reselect": _words("always better failure"),
        "fail_over_mac": _words("none active follow"),
        "xmit_hash_policy": _words("layer2 layer3+4 layer2+3 encap2+3 encap3+4 vlan+srcmac"),
        "ad_lacp_rate": _words("slow fast"),
        "ad_lacp_active": _words("off on"),
        "ad_select": _words("stable bandwidth count actor_port_prio"),
    },
    "tun": {"type": {1: "tun", 2: "tap"}},
    "netkit": {
        "mode": _words("l2 l3"), "type": _words("peer primary"), "policy": _POLICIES, "peer_policy": _POLICIES,
    },
    "ipip": {"proto": {0: "any", 4: "ipip", 41: "ip6ip", 137: "mplsip"}},
    "sit": {"proto": {0: "any", 4: "ipip", 41: "ip6ip", 137: "mplsip"}},
    "ip6tnl": {"proto": {0: "any", 4: "ipip6", 41: "ip6ip6"}},
    "can": {"state": _words("error-active error-warning error-passive bus-off stopped sleeping")},
    "macsec": {
        "cipher_suite": {
            0x0080020001000001: "GCM-AES-128", 0x0080C20001000001: "GCM-AES-128", 0x0080C20001000002: "GCM-AES-256",
            0x0080C20001000003: "GCM-AES-XPN-128", 0x0080C20001000004: "GCM-AES-XPN-256",
        },
        "validation": _words("disabled check strict"),
        "offload": _words("off phy mac"),
    },
    "ipoib": {"mode": _words("datagram connected")},
}
_PORT_MEANINGS: Dict[str, Dict[str, Words]] = {
    "bridge": {"state": _words("disabled listening learning forwarding blocking")},
    "bond": {"state": _words("active backup"), "mii_status": _words("up going_down down going_back")},
}
# By kind: which keys are indices of links of the same namespace.
_LINKS: Dict[str, Tuple[str, ...]] = {
    "bond": ("active_slave", "primary"), "hsr": ("slave1", "slave2", "interlink"), "bridge": ("backup_port",),
}
_VLAN_FLAGS = ((1, "REORDER_HDR"), (2, "GVRP"), (8, "MVRP"), (4, "LOOSE_BINDING"), (16, "BRIDGE_BINDING"))
_MULTICAST = re.compile(r"ff..:|(22[4-9]|23[0-9])\.").match  # ff00::/8 and 224.0.0.0/4
_GRE_KEY, _GRE_FLAGS = 0x2000, ((0x8000, "csum"), (0x1000, "seq"))


def of_kind(kind: str, data: bytes, name: Callable[[int], Any]) -> dict[str, Any]:
    """What IFLA_INFO_DATA says; nothing for a kind that is not known. C(name) gives the name of a link by index."""
    layout = kernel.DATA.get(kind)
    if layout is None:
        return {}
    found = kernel.decode(layout, data)
    _mean(found, _MEANINGS.get(kind), _LINKS.get(kind, ()), name)
    shape = _SHAPES.get(kind)
    if shape is not None:
        shape(found)
    return found


def of_port(kind: str, data: bytes, name: Callable[[int], Any]) -> dict[str, Any]:
    """What IFLA_INFO_SLAVE_DATA says of a port of a master of that kind."""
    layout = kernel.PORT.get(kind)
    found: Dict[str, Any] = {"kind": kind}
    if layout is not None:
        found.update(kernel.decode(layout, data))
        _mean(found, _PORT_MEANINGS.get(kind), _LINKS.get(kind, ()), name)
    return found


def _mean(found: dict[str, Any], meanings: dict[str, Words] | None, links: Tuple[str, ...],
          name: Callable[[int], Any]) -> None:
    for key, words in meanings.items() if meanings else ():
        value = found.get(key)
        if value is not None:
            found[key] = words.get(value) or str(value)
    for key in links:
        index = found.pop(key, 0)
        if index:
            found[key] = name(index)


def _vlan(found: dict[str, Any]) -> None:
    flags = found.pop("flags", 0)
    found["flags"] = [word for bit, word in _VLAN_FLAGS if flags & bit]


def _macvlan(found: dict[str, Any]) -> None:
    flags = found.pop("flags", 0)
    for bit, word in ((1, "nopromisc"), (2, "nodst")):
        if flags & bit:
            found[word] = True
    if found.get("mode") != "source":
        found.pop("macaddr_count", None)


def _ipvlan(found: dict[str, Any]) -> None:
    flags = found.pop("flags", None)
    if flags is not None:
        found["private" if flags & 1 else "vepa" if flags & 2 else "bridge"] = True


def _vxlan(found: dict[str, Any]) -> None:
    group = found.get("group")
    if group and not _MULTICAST(group):
        found["remote"] = found.pop("group")
    if not found.get("limit"):
        found.pop("limit", None)


def _gre(found: dict[str, Any]) -> None:
    for side in "io":
        flags = found.pop(side + "flags", 0)
        if not flags & _GRE_KEY:
            found.pop(side + "key", None)
        for bit, word in _GRE_FLAGS:
            if flags & bit:
                found[side + word] = True


def _vti(found: dict[str, Any]) -> None:
    for key in ("ikey", "okey"):
        if found.get(key) == "0.0.0.0":
            del found[key]


def _tun(found: dict[str, Any]) -> None:
    if not found.get("multi_queue"):
        found.pop("numqueues", None)
        found.pop("numdisabled", None)


def _macsec(found: dict[str, Any]) -> None:
    if "sci" in found:
        found["sci"] = "%016x" % found["sci"]


_SHAPES: Dict[str, Callable[[Dict[str, Any]], None]] = {
    "vlan": _vlan, "macvlan": _macvlan, "macvtap": _macvlan, "ipvlan": _ipvlan, "ipvtap": _ipvlan, "vxlan": _vxlan,
    "gre": _gre, "gretap": _gre, "erspan": _gre, "ip6gre": _gre, "ip6gretap": _gre, "ip6erspan": _gre, "vti": _vti,
    "vti6": _vti, "tun": _tun, "macsec": _macsec,
}
