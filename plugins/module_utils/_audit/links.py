"""Interfaces of containers: up, joined to something, and that something to the rest."""
from __future__ import annotations

from typing import Iterator, Optional

from .finding import HIGH, MEDIUM, Check, Verdict, fail, not_applicable, unknown
from .network import Network, joined, listed
from .rows import PAIRS, Link, word
from .topology import Index

# Kinds that are there to join a container to something. Not tunl0, sit0 and the like, which the kernel puts into each
# namespace as soon as their module is loaded.
_JOINING = (*PAIRS, "macvlan", "macvtap", "ipvlan", "ipvtap", "vlan")
# These bring lo up in each network they make; sandboxes of programs often do not.
_ENGINES = frozenset(("docker", "podman", "cri", "crio", "containerd"))


def only_loopback(index: Index, network: Network) -> Iterator[Verdict]:
    if not network.only_loopback:
        return
    why = expected(index, network)
    if why is None:
        yield not_applicable("%s has no interface but lo, as without a network (--network none)" % network.title)
    else:
        yield fail("lo", "%s has no interface but lo, though %s" % (network.title, why))


def expected(index: Index, network: Network) -> Optional[str]:
    """Why a network that has nothing but lo should have more; None where nothing says so."""
    leads = index.leading_to(network)
    if leads:
        return "port %s of the host is published to it" % leads[0].port.host_port
    if "127.0.0.11" in nameservers(network):
        return "its resolv.conf names 127.0.0.11, which Docker has in networks of users only"
    if any(container.pod and "/" in container.pod for container in network.containers):
        return "it is a pod of Kubernetes"
    return None


def nameservers(network: Network) -> list[str]:
    """What resolv.conf names, whatever that is."""
    found = (network.dns or {}).get("nameservers")
    return [one for one in map(word, found) if one] if isinstance(found, list) else []


def interface_down(index: Index, network: Network) -> Iterator[Verdict]:
    for link in joined(network):
        addresses = [str(address) for address in network.of_link(link.name) if address.own]
        if link.up is None or link.kind is None:
            yield unknown(str(link.name), "whether %s of %s is up was not told" % (link.name, network.title))
        elif not link.up and (link.kind in _JOINING or addresses):
            has = " with %s" % listed(addresses) if addresses else ""
            yield fail(str(link.name), "%s of %s%s is administratively down" % (link.name, network.title, has))


def peer_down(index: Index, network: Network) -> Iterator[Verdict]:
    links = [link for link in joined(network) if link.kind in _JOINING]
    if not links:
        yield not_applicable("%s has no link that is joined to another" % network.title)
    for link in links:
        far = index.far(link) or index.end(link.lower)
        name = "%s of %s" % (link.name, network.title)
        if link.up is None:
            yield unknown(str(link.name), "whether %s has a carrier was not told" % name)
        elif link.up and far is not None and far.link.up is False:
            what = "the peer of" if link.kind in PAIRS else "which carries"
            yield fail(str(link.name), "%s on %s, %s %s, is down" % (far.link.name, far.network.place, what, name))
        elif link.up and not link.carrier:
            yield fail(str(link.name), "%s is up but has no carrier (state %s)" % (name, link.state))


def loopback_down(index: Index, network: Network) -> Iterator[Verdict]:
    loopback = next((link for link in network.links or [] if link.loopback), None)
    if loopback is None or loopback.up is None:
        yield unknown("lo", "whether lo of %s is up was not told" % network.title)
    elif not loopback.up:
        if network.only_loopback and not network.engines & _ENGINES and expected(index, network) is None:
            yield not_applicable("%s has nothing but a lo that nobody uses" % network.title)
        else:
            yield fail("lo", "lo of %s is down: nothing in it reaches 127.0.0.1 or ::1" % network.title)


def peer_astray(index: Index, network: Network) -> Iterator[Verdict]:
    """Veth only: what netkit does is up to the program that is attached to it."""
    links = [link for link in joined(network) if link.kind == "veth"]
    if not links:
        yield not_applicable("%s has no veth" % network.title)
    for link in links:
        far, name = index.far(link), "%s of %s" % (link.name, network.title)
        if far is None or far.link.free is None:
            yield unknown(str(link.name), "where the other end of %s is was not seen" % name)
        elif far.link.free and far.link.up is not False and not _led_to(far.network, far.link):
            cut = far.network.cut("routes")
            if cut is not None:
                yield unknown(str(link.name), cut)
                continue
            yield fail(str(far.link.name), "%s on %s, the peer of %s, is in no bridge and no route leads to it" % (
                far.link.name, far.network.place, name))


def _led_to(network: Network, link: Link) -> bool:
    """Whether a route leads to a link; Cilium's programs and those with a packet socket need none."""
    return (
        link.name in network.routed or "cilium_host" in network.by_name
        or any(one.protocol == "packet" and one.link == link.name for one in network.listening or [])
    )


CHECKS = [
    Check("LNK-001", "Container has no interface but lo", HIGH, "containers", ("links",), only_loopback,
          "Look for the engine's or CNI plugin's error when the container was started, and start it again."),
    Check("LNK-002", "Interface of a container is down", HIGH, "inhabited", ("links",), interface_down,
          "Set the interface up in the container's network namespace (ip link set dev IFACE up), "
          "or restart the container."),
    Check("LNK-003", "Other end of a container's interface is down", HIGH, "inhabited", ("links",), peer_down,
          "Set the link at the other end up (ip link set dev IFACE up)."),
    Check("LNK-004", "Loopback interface is down", MEDIUM, "containers", ("links",), loopback_down,
          "Set lo up in the container's network namespace (ip link set dev lo up)."),
    Check("LNK-005", "Host's end of a veth leads nowhere", HIGH, "containers", ("links",), peer_astray,
          "Put the host's end back into its bridge (ip link set dev VETH master BRIDGE), or add the route to the "
          "container by it."),
]
