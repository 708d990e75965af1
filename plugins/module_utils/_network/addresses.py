"""The addresses of a network namespace's links."""
from __future__ import annotations

from typing import List, Optional

from .._kernel.netlink import attributes
from .._kernel.rtnetlink_route import (
    AF_INET,
    IFA_ADDRESS,
    IFA_FLAGS,
    IFA_LOCAL,
    IFADDRMSG,
    RTM_GETADDR,
    RTM_NEWADDR,
    address,
    ifaddrmsg,
    u32,
)
from .._model.network import Address
from .families import FAMILIES, rows
from .look import Look
from .rt_names import SCOPES, Bits, flags, named

# IFA_F_*; the first bit has two names (see below).
_FLAGS: Bits = (
    (0x02, "nodad"), (0x04, "optimistic"), (0x08, "dadfailed"), (0x10, "home"), (0x20, "deprecated"),
    (0x40, "tentative"), (0x80, "permanent"), (0x100, "mngtmpaddr"), (0x200, "noprefixroute"), (0x400, "autojoin"),
    (0x800, "stable-privacy"),
)
_SECONDARY = 0x01


def take(look: Look) -> List[Address]:
    """IPv4, then IPv6 addresses as the kernel gives them. Raises OSError."""
    return rows(look, "addresses", RTM_GETADDR, ifaddrmsg, _row)


def _row(look: Look, family: int, kind: int, body: bytes) -> Optional[Address]:
    if kind != RTM_NEWADDR or len(body) < IFADDRMSG.size:
        return None
    number, prefix, bits, scope, index = IFADDRMSG.unpack_from(body)
    found = attributes(body[IFADDRMSG.size:])
    # Point-to-point: IFA_ADDRESS is the other end's. IPv6 has no IFA_LOCAL otherwise.
    text = address(found.get(IFA_LOCAL)) or address(found.get(IFA_ADDRESS))
    if number != family or text is None:
        return None
    every = u32(found.get(IFA_FLAGS))
    bits = bits if every is None else every
    names = flags(_FLAGS, bits)
    if bits & _SECONDARY:
        names.insert(0, "secondary" if family == AF_INET else "temporary")
    return {
        "family": FAMILIES[family],
        "address": text,
        "prefix": prefix,
        "link": look.name(index) or "",
        "scope": named(SCOPES, scope),
        "flags": names,
    }
