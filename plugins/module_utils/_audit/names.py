"""What a container asks for names, and whether that can answer."""
from __future__ import annotations

from typing import Iterator, Optional

from .fib import REJECTED
from .finding import HIGH, MEDIUM, Check, Verdict, fail, not_applicable, unknown
from .firewall import decoded, known, mentions
from .links import nameservers
from .network import Network, listed
from .rows import Ip, ip, is_loopback, word
from .topology import Index

# These write resolv.conf themselves, or run whole systems that do.
_ENGINES = frozenset(("docker", "podman", "cri", "crio", "lxc", "nspawn"))


def none(index: Index, network: Network) -> Iterator[Verdict]:
    if _unread(network):
        yield unknown("resolv.conf", "the nameservers of %s were not read" % network.title)
    elif not nameservers(network):
        if network.only_loopback or (network.addresses is not None and not network.reachable):
            yield not_applicable("%s has no address to ask from" % network.title)
        elif not network.engines & _ENGINES:
            yield not_applicable("nobody writes a resolv.conf for %s" % network.title)
        else:
            yield fail("resolv.conf", "resolv.conf of %s is missing or names no nameserver" % network.title)


def _unread(network: Network) -> bool:
    return not isinstance((network.dns or {}).get("nameservers"), list) or "dns" in network.partial


def deaf(index: Index, network: Network) -> Iterator[Verdict]:
    texts = nameservers(network)
    local = [(text, found) for text, found in ((one, ip(one)) for one in texts) if found and is_loopback(found)]
    if _unread(network):
        yield unknown("", "the nameservers of %s were not read" % network.title)
    elif not local:
        yield not_applicable("%s has no nameserver on its loopback" % network.title)
    for text, address in local:
        if _served(network, address, "use-vc" in _options(network)) or _translated(network, text):
            continue
        cut = network.cut("listening") or network.cut("firewall")
        if cut is not None or not known(network):
            yield unknown(text[:64], cut or "not all rules of %s were read" % network.title)
            continue
        others = len(texts) > len(local)
        yield fail(text[:64], "the nameserver %s of %s is its own loopback, where nothing listens on port 53%s" % (
            text[:64], network.title, ", and no rule leads on" if address == _DOCKERS else ""),
            MEDIUM if others else None)


_DOCKERS = ip("127.0.0.11")


def _options(network: Network) -> list[str]:
    found = (network.dns or {}).get("options")
    return [one for one in map(word, found) if one] if isinstance(found, list) else []


def _served(network: Network, address: Ip, stream: bool) -> bool:
    """Whether something listens there; Docker's own has another port, to which rules lead that may not be readable."""
    for one in network.listening or []:
        if one.protocol not in ("udp", "tcp" if stream else "udp"):
            continue
        if one.ip == address and (one.port == 53 or address == _DOCKERS):
            return True
        if one.port == 53 and one.everywhere and one.serves(address[0]):
            return True
    return False


def _translated(network: Network, text: str) -> bool:
    return any(row.get("action") in ("dnat", "redirect") and mentions(row.get("match"), text)
               for row in decoded(network))


def unroutable(index: Index, network: Network) -> Iterator[Verdict]:
    texts = nameservers(network)
    found = [(text, ip(text)) for text in texts]
    remote = [(text, address) for text, address in found if address and not is_loopback(address)]
    if _unread(network):
        yield unknown("", "the nameservers of %s were not read" % network.title)
    elif not remote:
        yield not_applicable("%s has no nameserver beyond its loopback" % network.title)
    elif network.only_loopback or (network.addresses is not None and not network.reachable):
        yield not_applicable("%s has no address to ask from" % network.title)
    else:
        reasons = [_no_way(network, address) for dummy, address in remote]
        # A resolver goes on to the next at once where the kernel refuses one: IPv6 ones of the host are common.
        if all(reasons) and len(remote) == len(texts):
            cut = network.cut("routes")
            if cut is not None:
                yield unknown("", cut)
                return
            for (text, dummy), reason in zip(remote, reasons):
                yield fail(text[:64], "no route of %s leads to its nameserver %s (%s)" % (
                    network.title, listed([text[:64]]), reason))


def _no_way(network: Network, address: Ip) -> Optional[str]:
    route = network.fib.lookup(address)
    if route is None:
        return "neither a default route nor one to it"
    if route.type in REJECTED:
        return "%s %s" % (route.type, route.text)
    return None


CHECKS = [
    Check("DNS-001", "No nameserver", HIGH, "containers", ("dns",), none,
          "Start the container again with a nameserver (--dns), or mend the file that the engine mounts there."),
    Check("DNS-002", "Nameserver on the loopback does not listen", HIGH, "containers", ("dns",), deaf,
          "Name a resolver that the container can reach: 127.0.0.53 and the like are the host's, not the container's; "
          "for Docker's 127.0.0.11 restart the container."),
    Check("DNS-003", "Nameserver cannot be reached", HIGH, "containers", ("dns", "routes"), unroutable,
          "Add the missing route, or name a resolver within reach (--dns)."),
]
