"""IPsec: policies and states as lines (ip-xfrm(8)); keys as a part of a digest only."""
from __future__ import annotations

import errno
from typing import Iterator, List, Tuple

from .._kernel.netlink import attributes
from .._kernel.netlink_dump import Netlink
from .state_look import Look, rest

_NETLINK_XFRM, _GETSA, _GETPOLICY = 6, 18, 21
# struct xfrm_usersa_info: selector 56, id 24, source 16, lifetimes 64, current 32, statistics 12, sequence 4, ...
_SA_SIZE, _POLICY_SIZE = 224, 168
# Sequence numbers that were reached, times of last use.
_REACHED = (10, 11, 12, 23, 24, 32)


def read(look: Look) -> List[Tuple[int, bytes]]:
    """Messages of both kinds. Raises OSError, Unread."""
    try:
        with Netlink(_NETLINK_XFRM, look.until) as netlink:
            return [(kind, body) for kind in (_GETSA, _GETPOLICY) for body in look.all_of(netlink, kind, b"")]
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            return []
        raise


def words(row: Tuple[int, bytes], dummy: Look) -> Iterator[str]:
    from .._kernel.rtnetlink_route import address

    kind, body = row
    if kind == _GETSA:
        family = int.from_bytes(body[212:214], "little")
        size = 16 if family == 10 else 4
        # Between the limits and the sequence: what it has carried so far.
        yield "xfrm state src %s dst %s proto %d spi 0x%s%s" % (
            address(body[80:80 + size]), address(body[56:56 + size]), body[76], body[72:76].hex(),
            rest({0: body[:160] + body[204:220], **{
                number + 1: value for number, value in attributes(body[_SA_SIZE:]).items()}},
                [number + 1 for number in _REACHED]))
    else:
        # struct xfrm_userpolicy_info: selector, limits, what it has carried (32 bytes), priority, ...
        size = 16 if int.from_bytes(body[40:42], "little") == 10 else 4
        yield "xfrm policy src %s/%d dst %s/%d%s" % (
            address(body[16:16 + size]), body[43], address(body[:size]), body[42],
            rest({0: body[:120] + body[152:_POLICY_SIZE], **{
                number + 1: value for number, value in attributes(body[_POLICY_SIZE:]).items()}}, ()))
