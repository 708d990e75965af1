"""The links of a network namespace."""
from __future__ import annotations

from typing import Any, Dict, List, Tuple

from .._kernel import rtnetlink_link as kernel
from .._kernel.netlink_dump import Dump
from .._model.inventory import TRUNCATED
from .._model.network import Link
from . import link_details
from .look import Look

_ALL = 1 << 20  # more than a dump gives

# What IFLA_LINK of another network namespace means for these is what they are joined to or lie upon. For others (vxlan,
# wireguard, ...) that namespace is where their own packets go, and the kernel fills in the link's own index.
_JOINED = frozenset((
    "veth", "vxcan", "netkit", "macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "macsec", "gre", "gretap", "erspan",
    "ip6gre", "ip6gretap", "ip6erspan", "ipip", "sit", "ip6tnl", "vti", "vti6", "xfrm",
))


def take(look: Look) -> List[Link]:
    """The links by index, at most C(look.most); and the names of all into C(look.names). Raises OSError."""
    bodies: Dict[int, bytes] = {}

    def parse(kind: int, body: bytes) -> Tuple[int, str] | None:
        found = kernel.link_name(kind, body)
        # A repeated dump puts its messages in place of those of the one before.
        if found is not None and (len(bodies) < look.most or found[0] in bodies):
            bodies[found[0]] = body
        return found

    dump: Dump[Tuple[int, str]] = look.route.dump(kernel.RTM_GETLINK, kernel.REQUEST, parse, _ALL)
    look.names = dict(look.rows("links", dump))
    indices = [index for index in sorted(look.names) if index in bodies]
    if len(indices) < len(look.names):
        look.problems.add("links", TRUNCATED, len(look.names) - len(indices))
    return [link(kernel.link_message(bodies[index]), look) for index in indices]


def link(message: kernel.LinkMessage, look: Look) -> Link:
    """One link. C(details) have, beside what its kind says, the raw C(lower_index) and C(lower_nsid) for the wiring."""
    get = message.attributes.get
    info = dict(kernel.nested(get(kernel.IFLA_LINKINFO, b"")))
    kind = kernel.text(info.get(kernel.IFLA_INFO_KIND, b""))
    state = kernel.U8(get(kernel.IFLA_OPERSTATE, b"")) or 0
    mac = kernel.mac(get(kernel.IFLA_ADDRESS, b""))
    return {
        "name": kernel.text(get(kernel.IFLA_IFNAME, b"")),
        "index": message.ifindex,
        "kind": kind or ("loopback" if message.hardware == kernel.ARPHRD_LOOPBACK else "physical"),
        "state": kernel.OPERSTATES[state] if state < len(kernel.OPERSTATES) else "unknown",
        "flags": [word for bit, word in kernel.FLAGS if message.flags & bit],
        "mtu": kernel.U32(get(kernel.IFLA_MTU, b"")) or 0,
        "mac": mac,
        "master": look.name(kernel.U32(get(kernel.IFLA_MASTER, b""))),
        "altnames": _altnames(get(kernel.IFLA_PROP_LIST, b""), look),
        "details": _details(message, kind, info, mac, look),
        "peer": None,
    }


def _altnames(data: bytes, look: Look) -> List[str]:
    found = [kernel.text(value) for kind, value in kernel.nested(data) if kind == kernel.IFLA_ALT_IFNAME]
    if len(found) > look.most:
        look.problems.add("links", TRUNCATED, len(found) - look.most)
    return look.nested("links", found[:look.most])


def _details(message: kernel.LinkMessage, kind: str, info: dict[int, bytes], mac: str | None,
             look: Look) -> dict[str, Any]:
    get = message.attributes.get
    found: Dict[str, Any] = {}
    if kernel.IFLA_INFO_DATA in info:
        found = link_details.of_kind(kind, info[kernel.IFLA_INFO_DATA], look.name)
    lower, nsid = kernel.U32(get(kernel.IFLA_LINK, b"")), kernel.S32(get(kernel.IFLA_LINK_NETNSID, b""))
    if nsid is not None:
        found["lower_nsid"] = nsid
        if lower is None:
            # Older kernels leave it out where both ends have the same index.
            lower = message.ifindex
    if lower == message.ifindex and (nsid is None or kind not in _JOINED):
        lower = None
    # A vxlan's is in its data.
    upon = found.pop("link", None)
    lower = lower or upon
    if lower:
        found["lower_index"] = lower
    if kernel.IFLA_INFO_SLAVE_KIND in info:
        found["port"] = link_details.of_port(
            kernel.text(info[kernel.IFLA_INFO_SLAVE_KIND]), info.get(kernel.IFLA_INFO_SLAVE_DATA, b""), look.name)
    promiscuity = kernel.U32(get(kernel.IFLA_PROMISCUITY, b""))
    if promiscuity:
        found["promiscuity"] = promiscuity
    if kernel.decode(kernel.XDP, get(kernel.IFLA_XDP, b"")).get("attached"):
        found["xdp"] = True
    permanent = kernel.mac(get(kernel.IFLA_PERM_ADDRESS, b""))
    if permanent and permanent != mac:
        found["permanent_mac"] = permanent
    return found
