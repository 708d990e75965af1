"""nf_tables over nfnetlink: what there is beside tables, chains and rules: sets, named objects and flow tables."""
from __future__ import annotations

from typing import Dict, Iterator, List, Tuple

from . import nfnetlink as nft
from .netlink import attribute, attributes

NFT_MSG_GETOBJ, NFT_MSG_GETFLOWTABLE = 19, 23
NFTA_TABLE_USERDATA, NFTA_CHAIN_FLAGS, NFTA_CHAIN_USERDATA, NFTA_RULE_USERDATA = 6, 10, 12, 7
NFT_CHAIN_BINDING = 4
NFTA_SET_KEY_TYPE, NFTA_SET_DATA_TYPE, NFTA_SET_TIMEOUT, NFTA_SET_OBJ_TYPE = 4, 6, 11, 15
NFTA_SET_USERDATA = 13
NFTA_SET_MORE = (8, 9, 12, 17, 18)  # policy, size and fields, how often it is cleaned up, what each element has
(NFT_SET_ANONYMOUS, NFT_SET_CONSTANT, NFT_SET_MAP, NFT_SET_TIMEOUT, NFT_SET_EVAL, NFT_SET_OBJECT,
 NFT_SET_CONCAT) = 1, 2, 8, 16, 32, 64, 128
NFTA_SET_ELEM_TIMEOUT, NFTA_SET_ELEM_USERDATA, NFTA_SET_ELEM_OBJREF = 4, 6, 9
NFTA_OBJ_TABLE, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA = 1, 2, 3, 4
NFT_OBJECT_COUNTER, NFT_OBJECT_QUOTA = 1, 2
NFTA_FLOWTABLE_TABLE, NFTA_FLOWTABLE_NAME, NFTA_FLOWTABLE_HOOK, NFTA_FLOWTABLE_FLAGS = 1, 2, 3, 7

Attributes = Dict[int, bytes]


class Ruleset(nft.Nftables):
    """Asks for them. Raises OSError: EPERM without CAP_NET_ADMIN."""

    def sets(self) -> Iterator[Tuple[int, Attributes]]:
        """Family and attributes of each set and map, also those that rules have of their own; so do the other two."""
        return self._ask(nft.NFT_MSG_GETSET)

    def objects(self) -> Iterator[Tuple[int, Attributes]]:
        return self._ask(NFT_MSG_GETOBJ)

    def flowtables(self) -> Iterator[Tuple[int, Attributes]]:
        return self._ask(NFT_MSG_GETFLOWTABLE)

    def set_elements(self, family: int, table: bytes, name: bytes) -> Iterator[Attributes]:
        """The attributes of each element, an interval's end apart from its start."""
        where = attribute(nft.NFTA_SET_TABLE, table) + attribute(nft.NFTA_SET_NAME, name)
        answers = self._ask(nft.NFT_MSG_GETSETELEM, family, where)
        try:
            for dummy, raw in answers:
                for element in nft.nested(raw.get(nft.NFTA_SET_ELEM_LIST_ELEMENTS, b"")):
                    yield attributes(element)
        finally:
            answers.close()


def spans(flags: int, found: List[Attributes]) -> List[nft.Element]:
    """Elements of a set with such flags, intervals whole."""
    return nft._intervals(found) if flags & nft.NFT_SET_INTERVAL else [nft._element(raw) for raw in found]
