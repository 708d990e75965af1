"""A rule of nf_tables while it is put into words: what was said, and what the registers hold."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from .._kernel import nfnetlink as nft
from .._network.nft_fields import Piece, address

Link = Callable[[int], str]
# Types and elements of a set that a rule has of its own, by its name; None for those that have a line of their own.
Own = Callable[[bytes], Optional[Tuple[Tuple[int, int], Sequence[Any]]]]
_VERDICTS = {0: "drop", 1: "accept", 3: "queue", -1: "continue", -2: "break", -5: "return"}


class Loaded:
    """What a register holds: how it is called, and as what its bytes are read."""

    def __init__(self, name: str, piece: Optional[Piece] = None, mask: bytes = b"", swapped: bool = False) -> None:
        self.name, self.piece, self.mask, self.swapped = name, piece, mask, swapped


class Rule:
    """The words so far, and the registers: 32 bits each, those of 128 are four of them."""

    def __init__(self, family: int, link: Link, own: Own) -> None:
        self.family, self.link, self.own = family, link, own
        self.words: List[str] = []
        self.registers: Dict[int, Any] = {}
        self.network = family if family in (nft.NFPROTO_IPV4, nft.NFPROTO_IPV6) else None
        self.protocol: Optional[str] = None

    def load(self, register: Optional[bytes], value: Any) -> None:
        self.registers[slot(nft.big(register))] = value

    def of(self, register: Optional[bytes]) -> Any:
        return self.registers.get(slot(nft.big(register))) or Loaded("register %d" % nft.big(register))

    def value(self, register: Optional[bytes]) -> Any:
        """The constant in a register, or what was loaded."""
        return None if register is None else self.of(register)

    def compared(self, loaded: Loaded, said: str) -> None:
        """A comparison: what an earlier one says and this one implies is left out, as nft does."""
        self.words = [word for word in self.words if not loaded.name.startswith(_IMPLIED.get(word, "\0"))]
        self.words.append("%s %s" % (loaded.name, said))
        if loaded.name in ("meta l4proto", "ip protocol", "ip6 nexthdr"):
            self.protocol = said
        elif loaded.name in ("meta nfproto", "meta protocol", "ether type"):
            self.network = {"ip": nft.NFPROTO_IPV4, "ipv4": nft.NFPROTO_IPV4, "ip6": nft.NFPROTO_IPV6,
                            "ipv6": nft.NFPROTO_IPV6}.get(said, self.network)


_IMPLIED = {"meta l4proto tcp": "tcp ", "meta l4proto udp": "udp ", "meta l4proto icmp": "icmp ",
            "meta l4proto icmpv6": "icmpv6 ", "meta nfproto ipv4": "ip ", "meta nfproto ip": "ip ",
            "meta nfproto ip6": "ip6 ", "ip protocol tcp": "tcp ", "ip protocol udp": "udp ",
            "ip protocol icmp": "icmp "}


def verdict_words(verdict: Tuple[int, str]) -> str:
    chain = "__chain" if verdict[1].startswith("__chain") else verdict[1]
    if verdict[0] in (nft.NFT_JUMP, nft.NFT_GOTO):
        return "%s %s" % ("jump" if verdict[0] == nft.NFT_JUMP else "goto", chain)
    return _VERDICTS.get(verdict[0], "verdict %d" % verdict[0])


def constant(value: Any) -> str:
    """A constant, or the name of what was loaded."""
    if isinstance(value, bytes):
        return address(value) if len(value) == 16 else "0x%s" % value.hex()
    return value.name + (" & 0x%s" % value.mask.hex() if value.mask else "")


def slot(register: int) -> int:
    return register - 8 if register >= 8 else 4 * (register - 1)
