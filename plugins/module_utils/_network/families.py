"""IPv4 and IPv6, asked one after the other: so neither crowds the other out of a bounded list."""
from __future__ import annotations

import errno
from functools import partial
from typing import Callable, List, Optional, TypeVar

from .._kernel.netlink_dump import Dump
from .._kernel.rtnetlink_route import AF_INET, AF_INET6
from .look import Look

Row = TypeVar("Row")
# What makes a row: the look, the family, the message's type and body.
Parse = Callable[[Look, int, int, bytes], Optional[Row]]

FAMILIES = {AF_INET: "inet", AF_INET6: "inet6"}


def dumps(look: Look, kind: int, request: Callable[[int], bytes], parse: Parse[Row]) -> List[Dump[Row]]:
    """What a request gave for each of C(FAMILIES), nothing for one that the kernel has not. Raises OSError.

    There are C(look.most) rows together: each may have half of them, and what the other does not need.
    """
    tables: List[Dump[Row]] = []
    for family in FAMILIES:
        try:
            # A kernel without IPv6 may answer with IPv4's: C(parse) looks at what it gets.
            tables.append(look.route.dump(kind, request(family), partial(parse, look, family), look.most))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                raise
            tables.append(Dump())
    for table, other in zip(tables, reversed(tables)):
        room = max(look.most // 2, look.most - len(other.rows))
        table.left_out += len(table.rows[room:])
        del table.rows[room:]
    return tables


def rows(look: Look, what: str, kind: int, request: Callable[[int], bytes], parse: Parse[Row]) -> List[Row]:
    """The same as one list; what is missing is counted as a problem of C(what). Raises OSError."""
    return [row for table in dumps(look, kind, request, parse) for row in look.rows(what, table)]
