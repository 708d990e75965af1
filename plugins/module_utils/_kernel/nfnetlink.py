"""nf_tables over nfnetlink: its messages and attributes (linux/netfilter/nf_tables.h) and the questions we ask."""
from __future__ import annotations

import struct
from typing import Dict, Generator, Iterator, List, NamedTuple, Optional, Tuple

from .netlink import NLMSG_DONE, attribute, attributes
from .netlink_dump import NETLINK_NETFILTER, NLM_F_DUMP, Netlink

NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE = 1, 4, 7
NFT_MSG_GETSET, NFT_MSG_GETSETELEM, NFT_MSG_NEWGEN, NFT_MSG_GETGEN = 10, 13, 15, 16

NFPROTO_UNSPEC, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_ARP = 0, 1, 2, 3
NFPROTO_NETDEV, NFPROTO_BRIDGE, NFPROTO_IPV6 = 5, 7, 10

NFTA_GEN_ID = 1
NFTA_TABLE_NAME, NFTA_TABLE_FLAGS = 1, 2
NFT_TABLE_F_DORMANT = 1
NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE = 1, 3, 4, 5, 7
NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY, NFTA_HOOK_DEV, NFTA_HOOK_DEVS = 1, 2, 3, 4
NFTA_DEVICE_NAME = 1
NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_HANDLE, NFTA_RULE_EXPRESSIONS = 1, 2, 3, 4
NFTA_EXPR_NAME, NFTA_EXPR_DATA = 1, 2

NFTA_SET_TABLE, NFTA_SET_NAME, NFTA_SET_FLAGS = 1, 2, 3
NFT_SET_INTERVAL = 4
NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_ELEMENTS = 1, 2, 3
NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA, NFTA_SET_ELEM_FLAGS, NFTA_SET_ELEM_KEY_END = 1, 2, 3, 10
NFT_SET_ELEM_INTERVAL_END, NFT_SET_ELEM_CATCHALL = 1, 2

NFTA_DATA_VALUE, NFTA_DATA_VERDICT = 1, 2
NFTA_VERDICT_CODE, NFTA_VERDICT_CHAIN = 1, 2
NF_DROP, NF_QUEUE, NFT_JUMP, NFT_GOTO = 0, 3, -3, -4

# Of the expressions: where a value comes from or goes to (SREG, DREG), then what each has of its own.
NFTA_IMMEDIATE_DREG, NFTA_IMMEDIATE_DATA = 1, 2
NFTA_CMP_SREG, NFTA_CMP_OP, NFTA_CMP_DATA = 1, 2, 3
NFT_CMP_EQ, NFT_CMP_NEQ, NFT_CMP_LT, NFT_CMP_LTE, NFT_CMP_GT, NFT_CMP_GTE = 0, 1, 2, 3, 4, 5
NFTA_RANGE_SREG, NFTA_RANGE_OP, NFTA_RANGE_FROM_DATA, NFTA_RANGE_TO_DATA = 1, 2, 3, 4
NFTA_LOOKUP_SET, NFTA_LOOKUP_SREG, NFTA_LOOKUP_DREG, NFTA_LOOKUP_FLAGS = 1, 2, 3, 5
NFTA_PAYLOAD_DREG, NFTA_PAYLOAD_BASE, NFTA_PAYLOAD_OFFSET, NFTA_PAYLOAD_LEN = 1, 2, 3, 4
NFT_PAYLOAD_LL_HEADER, NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER = 0, 1, 2
NFTA_META_DREG, NFTA_META_KEY = 1, 2
(NFT_META_PROTOCOL, NFT_META_MARK, NFT_META_IIF, NFT_META_OIF, NFT_META_IIFNAME, NFT_META_OIFNAME, NFT_META_SKUID,
 NFT_META_SKGID, NFT_META_NFPROTO, NFT_META_L4PROTO, NFT_META_PKTTYPE) = 1, 3, 4, 5, 6, 7, 10, 11, 15, 16, 19
NFTA_CT_DREG, NFTA_CT_KEY, NFTA_CT_DIRECTION = 1, 2, 3
NFT_CT_STATE, NFT_CT_STATUS, NFT_CT_MARK = 0, 2, 3
NFTA_FIB_DREG, NFTA_FIB_RESULT, NFTA_FIB_FLAGS = 1, 2, 3
NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_SADDR, NFTA_FIB_F_DADDR = 3, 1, 2
NFTA_BITWISE_SREG, NFTA_BITWISE_DREG, NFTA_BITWISE_MASK, NFTA_BITWISE_XOR, NFTA_BITWISE_OP = 1, 2, 4, 5, 6
NFTA_BYTEORDER_SREG, NFTA_BYTEORDER_DREG = 1, 2
NFT_NAT_SNAT, NFT_NAT_DNAT = 0, 1
NFTA_NAT_TYPE, NFTA_NAT_FAMILY = 1, 2
NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_ADDR_MAX, NFTA_NAT_REG_PROTO_MIN, NFTA_NAT_REG_PROTO_MAX = 3, 4, 5, 6
NFTA_MASQ_REG_PROTO_MIN, NFTA_MASQ_REG_PROTO_MAX = 2, 3
NFTA_REDIR_REG_PROTO_MIN, NFTA_REDIR_REG_PROTO_MAX = 1, 2
NFTA_TPROXY_FAMILY, NFTA_TPROXY_REG_ADDR, NFTA_TPROXY_REG_PORT = 1, 2, 3
NFTA_MATCH_NAME, NFTA_MATCH_REV, NFTA_MATCH_INFO = 1, 2, 3  # NFTA_TARGET_* are the same

_NFGENMSG = struct.Struct(">BBH")  # family, version 0, resource
_ATTRIBUTE = struct.Struct("=HH")


class Element(NamedTuple):
    """An element of a set, or of a map (then with C(data) or C(verdict)); C(end) is the last key of a range.

    What stands for all other keys has an empty one.
    """

    key: bytes
    end: bytes
    data: Optional[bytes]
    verdict: Optional[Tuple[int, str]]


class Nftables:
    """Asks nf_tables of the network namespace that the caller is in. Raises OSError: EPERM without CAP_NET_ADMIN."""

    def __init__(self, until: float) -> None:
        self._netlink = Netlink(NETLINK_NETFILTER, until)

    def __enter__(self) -> Nftables:
        return self

    def __exit__(self, *dummy: object) -> None:
        self._netlink.close()

    def generation(self) -> int:
        """The number that grows with each change of the rules."""
        found = 0
        for dummy, raw in self._ask(NFT_MSG_GETGEN, flags=0):
            found = big(raw.get(NFTA_GEN_ID, b""))
        return found

    def tables(self) -> Iterator[Tuple[int, Dict[int, bytes]]]:
        """Family and attributes of each table of all families; so do the other two."""
        return self._ask(NFT_MSG_GETTABLE)

    def chains(self) -> Iterator[Tuple[int, Dict[int, bytes]]]:
        return self._ask(NFT_MSG_GETCHAIN)

    def rules(self) -> Iterator[Tuple[int, Dict[int, bytes]]]:
        return self._ask(NFT_MSG_GETRULE)

    def elements(self, family: int, table: bytes, name: bytes, most: int) -> Optional[List[Element]]:
        """The elements of a set or map (names as the kernel gave them); None when there are more than C(most)."""
        where = attribute(NFTA_SET_TABLE, table) + attribute(NFTA_SET_NAME, name)
        flags = 0
        for dummy, raw in self._ask(NFT_MSG_GETSET, family, where, flags=0):
            flags = big(raw.get(NFTA_SET_FLAGS, b""))
        found: List[Dict[int, bytes]] = []
        answers = self._ask(NFT_MSG_GETSETELEM, family, where)
        try:
            for dummy, raw in answers:
                found.extend(attributes(element) for element in nested(raw.get(NFTA_SET_ELEM_LIST_ELEMENTS, b"")))
                # An interval takes two.
                if len(found) > 2 * most + 1:
                    return None
        finally:
            answers.close()
        told = _intervals(found) if flags & NFT_SET_INTERVAL else [_element(raw) for raw in found]
        return told if len(told) <= most else None

    def _ask(
        self, kind: int, family: int = NFPROTO_UNSPEC, where: bytes = b"", flags: int = NLM_F_DUMP
    ) -> Generator[Tuple[int, Dict[int, bytes]], None, None]:
        payload = _NFGENMSG.pack(family, 0, 0) + where
        # Whoever closes this generator ends the stream with it: nobody else has it.
        for message in self._netlink.stream(NFNL_SUBSYS_NFTABLES << 8 | kind, payload, flags):
            # The type's high byte is the subsystem's number.
            if message.kind != NLMSG_DONE and len(message.body) >= 4:
                yield message.body[0], attributes(message.body[4:])


def nested(data: bytes) -> Iterator[bytes]:
    """The values of a list of attributes (NFTA_LIST_ELEM); what is cut off ends the walk."""
    offset = 0
    while offset + 4 <= len(data):
        length = _ATTRIBUTE.unpack_from(data, offset)[0]
        if length < 4 or offset + length > len(data):
            break
        yield data[offset + 4:offset + length]
        offset += length + (-length % 4)


def big(raw: Optional[bytes]) -> int:
    """A number in network byte order, as nf_tables' attributes have it; 0 for none."""
    return int.from_bytes(raw or b"", "big")


def name_of(raw: Optional[bytes]) -> str:
    """A name, which ends with a NUL."""
    return (raw or b"").partition(b"\0")[0].decode("utf-8", "replace")


def value_of(data: Optional[bytes]) -> bytes:
    """What NFTA_DATA_VALUE of a nested attribute holds."""
    return attributes(data or b"").get(NFTA_DATA_VALUE, b"")


def verdict_of(data: Optional[bytes]) -> Optional[Tuple[int, str]]:
    """Code and chain of the verdict in a nested attribute; None where there is none."""
    raw = attributes(data or b"").get(NFTA_DATA_VERDICT)
    if raw is None:
        return None
    found = attributes(raw)
    code = found.get(NFTA_VERDICT_CODE, b"")
    if len(code) != 4:
        return None
    return int.from_bytes(code, "big", signed=True), name_of(found.get(NFTA_VERDICT_CHAIN))


def _element(raw: Dict[int, bytes], end: Optional[bytes] = None) -> Element:
    key = value_of(raw.get(NFTA_SET_ELEM_KEY))
    last = end if end is not None else value_of(raw[NFTA_SET_ELEM_KEY_END]) if NFTA_SET_ELEM_KEY_END in raw else key
    data = raw.get(NFTA_SET_ELEM_DATA)
    return Element(key, last, value_of(data) if data is not None else None, verdict_of(data))


def _intervals(found: List[Dict[int, bytes]]) -> List[Element]:
    """Ranges of one field come as a start and, where it is not open, the first key behind it, in any order."""
    if any(NFTA_SET_ELEM_KEY_END in raw for raw in found):
        return [_element(raw) for raw in found]
    edges = []
    told = []
    for raw in found:
        flags = big(raw.get(NFTA_SET_ELEM_FLAGS))
        if flags & NFT_SET_ELEM_CATCHALL:
            told.append(_element(raw))
        else:
            edges.append((value_of(raw.get(NFTA_SET_ELEM_KEY)), not flags & NFT_SET_ELEM_INTERVAL_END, raw))
    edges.sort(key=lambda edge: edge[:2])
    for at, (key, starts, raw) in enumerate(edges):
        if starts:
            behind = edges[at + 1][0] if at + 1 < len(edges) else b""
            number = int.from_bytes(behind, "big") - 1
            last = number.to_bytes(len(key), "big") if len(behind) == len(key) and number >= 0 else b"\xff" * len(key)
            told.append(_element(raw, last))
    return told
