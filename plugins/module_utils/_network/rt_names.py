"""Names that iproute2 has built in (lib/rt_names.c, ip/iproute.c) for numbers of routes, addresses and rules."""
from __future__ import annotations

from typing import Dict, List, Tuple

TABLES = {253: "default", 254: "main", 255: "local"}
SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
PROTOCOLS = {
    0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra",
    12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 18: "keepalived", 42: "babel", 99: "openr",
    186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
}

Bits = Tuple[Tuple[int, str], ...]


def named(names: Dict[int, str], number: int) -> str:
    """The name of a number, else the number as text."""
    return names.get(number) or str(number)


def flags(bits: Bits, value: int) -> List[str]:
    """The names of the bits that are set."""
    return [name for bit, name in bits if value & bit] if value else []
