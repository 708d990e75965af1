"""RTM_GETLINK of rtnetlink(7): the request, the message, and the numbers of what each kind of link says of itself.

Numbers and layouts are of include/uapi/linux/if_link.h, if_tunnel.h and can/netlink.h; names are those that iproute2
has for them. What is too short is as good as absent.
"""
from __future__ import annotations

import socket
import struct
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Tuple

from .netlink import attribute

RTM_NEWLINK, RTM_GETLINK = 16, 18
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_OPERSTATE, IFLA_LINKINFO = 1, 3, 4, 5, 10, 16, 18
IFLA_EXT_MASK, IFLA_PROMISCUITY, IFLA_LINK_NETNSID, IFLA_XDP, IFLA_PROP_LIST = 29, 30, 37, 43, 52
IFLA_ALT_IFNAME, IFLA_PERM_ADDRESS = 53, 54
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
ARPHRD_LOOPBACK = 772

# if.h, in the order of iproute2; the other bits have no name.
FLAGS = (
    (0x8, "LOOPBACK"), (0x2, "BROADCAST"), (0x10, "POINTOPOINT"), (0x1000, "MULTICAST"), (0x80, "NOARP"),
    (0x200, "ALLMULTI"), (0x100, "PROMISC"), (0x400, "MASTER"), (0x800, "SLAVE"), (0x4, "DEBUG"), (0x8000, "DYNAMIC"),
    (0x4000, "AUTOMEDIA"), (0x2000, "PORTSEL"), (0x20, "NOTRAILERS"), (0x1, "UP"), (0x40, "RUNNING"),
    (0x10000, "LOWER_UP"), (0x20000, "DORMANT"), (0x40000, "ECHO"),
)
OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")

_RTEXT_FILTER_SKIP_STATS = 8
_IFINFOMSG = struct.Struct("=BxHiII")  # family, ARPHRD_*, index, flags, change
_ATTRIBUTE = struct.Struct("=HH")
_WANTED = frozenset((
    IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_PROMISCUITY,
    IFLA_LINK_NETNSID, IFLA_XDP, IFLA_PROP_LIST, IFLA_PERM_ADDRESS,
))

# Of all links; without the counters, which are most of the bytes.
REQUEST = _IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(IFLA_EXT_MASK, struct.pack("=I", _RTEXT_FILTER_SKIP_STATS))

Reader = Callable[[bytes], Any]
Layout = Dict[int, Tuple[str, Reader]]


class LinkMessage(NamedTuple):
    """ifinfomsg (C(hardware) is ARPHRD_*), and those of its attributes that are of use, undecoded."""

    hardware: int
    ifindex: int
    flags: int
    attributes: Dict[int, bytes]


def link_name(kind: int, body: bytes) -> Optional[Tuple[int, str]]:
    """Index and name of the link that a message of the dump is of; None for one that is of none."""
    if kind != RTM_NEWLINK or len(body) < _IFINFOMSG.size:
        return None
    for dummy, value in nested(body, _IFINFOMSG.size, _NAME):
        return _IFINFOMSG.unpack_from(body)[2], text(value)
    return None


def link_message(body: bytes) -> LinkMessage:
    """All of a message that has a name."""
    dummy, hardware, index, flags, dummy2 = _IFINFOMSG.unpack_from(body)
    return LinkMessage(hardware, index, flags, dict(nested(body, _IFINFOMSG.size, _WANTED)))


def nested(data: bytes, offset: int = 0, wanted: Optional[frozenset[int]] = None) -> Iterator[Tuple[int, bytes]]:
    """Type and value of each attribute (of those C(wanted)); what is cut off or of impossible length ends the walk."""
    end, unpack = len(data), _ATTRIBUTE.unpack_from
    while offset + 4 <= end:
        length, kind = unpack(data, offset)
        if length < 4 or offset + length > end:
            return
        kind &= 0x3FFF  # NLA_TYPE_MASK
        if wanted is None or kind in wanted:
            yield kind, data[offset + 4:offset + length]
        offset += length + (-length % 4)


def decode(layout: Layout, data: bytes) -> Dict[str, Any]:
    """What a nested attribute says, by name."""
    found = {}
    for kind, value in nested(data):
        known = layout.get(kind)
        if known is not None:
            read = known[1](value)
            if read is not None:
                found[known[0]] = read
    return found


def text(data: bytes) -> str:
    """A string of the kernel, which may hold any bytes."""
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def number(layout: str) -> Reader:
    """Reads one number of a struct module's format."""
    form = struct.Struct(layout)
    unpack, size = form.unpack_from, form.size
    return lambda data: unpack(data)[0] if len(data) >= size else None


def mac(data: bytes) -> Optional[str]:
    """A hardware address. None where it is an IPv4 or IPv6 address, as that of a tunnel is, or nothing."""
    return None if len(data) in (0, 4, 16) else data.hex(":")


U8, U16, U32, S32, U64, BE16 = map(number, ("=B", "=H", "=I", "=i", "=Q", "!H"))
_NAME = frozenset((IFLA_IFNAME,))


def _switch(data: bytes) -> Optional[bool]:
    return data[0] != 0 if data else None


def _on(data: bytes) -> Optional[bool]:
    return True if data and data[0] else None


def _there(data: bytes) -> bool:
    return True


def _address(data: bytes) -> Optional[str]:
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data) \
        if len(data) in (4, 16) and any(data) else None


def _endpoint(data: bytes) -> Optional[str]:
    return _address(data) or ("any" if len(data) in (4, 16) else None)


def _key(data: bytes) -> Optional[str]:
    # In dotted notation, as iproute2 has it.
    return socket.inet_ntop(socket.AF_INET, data) if len(data) == 4 else None


def _bridge_id(data: bytes) -> Optional[str]:
    return "%s.%s" % (data[:2].hex(), data[2:].hex(":")) if len(data) == 8 else None


def _addresses(data: bytes) -> list[str]:
    return [found for found in (_address(value) for dummy, value in nested(data)) if found]


def _of(layout: Layout) -> Reader:
    return lambda data: decode(layout, data)


XDP: Layout = {2: ("attached", U8)}
_AD_INFO: Layout = {
    1: ("aggregator", U16), 2: ("num_ports", U16), 3: ("actor_key", U16), 4: ("partner_key", U16),
    5: ("partner_mac", mac),
}
_MACVLAN: Layout = {1: ("mode", U32), 2: ("flags", U16), 6: ("macaddr_count", U32), 7: ("bcqueuelen", U32)}
_IPVLAN: Layout = {1: ("mode", U16), 2: ("flags", U16)}
_GRE: Layout = {
    2: ("iflags", BE16), 3: ("oflags", BE16), 4: ("ikey", _key), 5: ("okey", _key), 6: ("local", _endpoint),
    7: ("remote", _endpoint), 8: ("ttl", U8), 10: ("pmtudisc", _switch), 18: ("external", _there),
    21: ("erspan_index", U32), 22: ("erspan_ver", U8),
}
_IPTUN: Layout = {
    2: ("local", _endpoint), 3: ("remote", _endpoint), 4: ("ttl", U8), 9: ("proto", U8), 10: ("pmtudisc", _switch),
    19: ("external", _there),
}
_VTI: Layout = {2: ("ikey", _key), 3: ("okey", _key), 4: ("local", _endpoint), 5: ("remote", _endpoint)}
_CAN: Layout = {1: ("bitrate", U32), 4: ("state", U32), 6: ("restart_ms", U32)}

# IFLA_INFO_DATA by kind. Those that are not here say nothing over rtnetlink, or nothing of use.
DATA: Dict[str, Layout] = {
    "vlan": {1: ("id", U16), 2: ("flags", U32), 5: ("protocol", BE16)},
    "macvlan": _MACVLAN, "macvtap": _MACVLAN, "ipvlan": _IPVLAN, "ipvtap": _IPVLAN,
    "vxlan": {
        1: ("id", U32), 2: ("group", _address), 3: ("link", U32), 4: ("local", _address), 5: ("ttl", U8),
        7: ("learning", _switch), 8: ("ageing", U32), 9: ("limit", U32), 11: ("proxy", _on), 12: ("rsc", _on),
        13: ("l2miss", _on), 14: ("l3miss", _on), 15: ("dstport", BE16), 16: ("group", _address),
        17: ("local", _address), 18: ("udp_csum", _switch), 23: ("gbp", _there), 25: ("external", _on),
        27: ("gpe", _there), 30: ("vnifilter", _on),
    },
    "geneve": {
        1: ("id", U32), 2: ("remote", _address), 3: ("ttl", U8), 5: ("dstport", BE16), 6: ("external", _there),
        7: ("remote", _address), 8: ("udp_csum", _switch), 17: ("local", _address), 18: ("local", _address),
    },
    "bond": {
        1: ("mode", U8), 2: ("active_slave", U32), 3: ("miimon", U32), 4: ("updelay", U32), 5: ("downdelay", U32),
        6: ("use_carrier", U8), 7: ("arp_interval", U32), 8: ("arp_ip_target", _addresses), 11: ("primary", U32),
        12: ("primary_reselect", U8), 13: ("fail_over_mac", U8), 14: ("xmit_hash_policy", U8), 18: ("min_links", U32),
        21: ("ad_lacp_rate", U8), 22: ("ad_select", U8), 23: ("ad_info", _of(_AD_INFO)), 29: ("ad_lacp_active", U8),
    },
    "bridge": {
        1: ("forward_delay", U32), 2: ("hello_time", U32), 3: ("max_age", U32), 4: ("ageing_time", U32),
        5: ("stp_state", U32), 6: ("priority", U16), 7: ("vlan_filtering", U8), 8: ("vlan_protocol", BE16),
        10: ("root_id", _bridge_id), 11: ("bridge_id", _bridge_id), 12: ("root_port", U16), 23: ("mcast_snooping", U8),
        25: ("mcast_querier", U8), 36: ("nf_call_iptables", U8), 37: ("nf_call_ip6tables", U8),
        38: ("nf_call_arptables", U8), 39: ("vlan_default_pvid", U16),
    },
    "vrf": {1: ("table", U32)},
    "tun": {
        1: ("owner", U32), 2: ("group", U32), 3: ("type", U8), 4: ("pi", _switch), 5: ("vnet_hdr", _switch),
        6: ("persist", _switch), 7: ("multi_queue", _switch), 8: ("numqueues", U32), 9: ("numdisabled", U32),
    },
    "gre": _GRE, "gretap": _GRE, "erspan": _GRE, "ip6gre": _GRE, "ip6gretap": _GRE, "ip6erspan": _GRE,
    "ipip": _IPTUN, "sit": _IPTUN, "ip6tnl": _IPTUN, "vti": _VTI, "vti6": _VTI,
    "xfrm": {2: ("if_id", U32), 3: ("external", _there)},
    "netkit": {2: ("type", U8), 3: ("policy", U32), 4: ("peer_policy", U32), 5: ("mode", U32)},
    "can": _CAN,
    "macsec": {
        1: ("sci", number("!Q")), 3: ("icv_len", U8), 4: ("cipher_suite", U64), 5: ("window", U32),
        6: ("encoding_sa", U8), 7: ("encrypt", _switch), 8: ("protect", _switch), 12: ("replay_protect", _switch),
        13: ("validation", U8), 15: ("offload", U8),
    },
    "hsr": {
        1: ("slave1", U32), 2: ("slave2", U32), 4: ("supervision_addr", mac), 6: ("version", U8), 7: ("proto", U8),
        8: ("interlink", U32),
    },
    "ipoib": {1: ("key", U16), 2: ("mode", U16), 3: ("umcast", U16)},
}
# IFLA_INFO_SLAVE_DATA by the kind of the master.
PORT: Dict[str, Layout] = {
    "bridge": {
        1: ("state", U8), 2: ("priority", U16), 3: ("cost", U32), 4: ("hairpin", _switch), 5: ("guard", _switch),
        8: ("learning", _switch), 9: ("flood", _switch), 29: ("vlan_tunnel", _switch), 32: ("neigh_suppress", _switch),
        33: ("isolated", _switch), 34: ("backup_port", U32), 39: ("locked", _switch),
    },
    "bond": {
        1: ("state", U8), 2: ("mii_status", U8), 3: ("link_failure_count", U32), 4: ("perm_hwaddr", mac),
        5: ("queue_id", U16), 6: ("ad_aggregator_id", U16), 9: ("prio", S32),
    },
    "vrf": {1: ("table", U32)},
}
