"""Users and groups from passwd(5) and group(5) of whatever root directory, and those the host knows.

The files of a container are never read through its C library (NSS would load its plugins), and are data: lines that
are none are passed over. A number always is that number: a user *named* 1000 with uid 0 is not what C(1000) means
(CVE-2016-3697).
"""
from __future__ import annotations

import os
from typing import Iterator, List, NamedTuple

from .._model.entry import Refused

PASSWD, GROUP = "/etc/passwd", "/etc/group"
_HIGHEST = 0xFFFFFFFE  # (uid_t) -1 is "no change" for setresuid(2)
_MOST_GROUPS = 65536   # NGROUPS_MAX


class Account(NamedTuple):
    """Whom a command runs as. C(groups) are all, the primary one first; C(name) is empty for who has no entry."""

    uid: int
    gid: int
    groups: List[int]
    home: str = "/"
    name: str = ""
    shell: str = ""


class User(NamedTuple):
    """A line of passwd(5)."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


class Group(NamedTuple):
    """A line of group(5)."""

    name: str
    gid: int
    members: List[str]


def number(text: str) -> int | None:
    """A uid or gid: ASCII digits only, small enough for the kernel."""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > _HIGHEST:
        return None
    return int(text)


def users(passwd: bytes) -> Iterator[User]:
    """The users of a passwd(5)."""
    for fields in _lines(passwd, 7):
        uid, gid = number(fields[2]), number(fields[3])
        if uid is not None and gid is not None:
            yield User(fields[0], uid, gid, fields[5], fields[6])


def groups(content: bytes) -> Iterator[Group]:
    """The groups of a group(5)."""
    for fields in _lines(content, 4):
        gid = number(fields[2])
        if gid is not None:
            yield Group(fields[0], gid, [name for name in fields[3].split(",") if name])


def split(user: str | None, group: str | None) -> tuple[str, str]:
    """The user (root where none is given) and the group (or an empty string) of C(user) or C(user:group).

    Raises Refused for two groups.
    """
    name, colon, other = (user or "").partition(":")
    if other and group:
        raise Refused("user is %r and group is %r: give the group once" % (user, group))
    if user and not name or colon and not other:
        raise Refused("user is %r, which is none: write NAME, UID, NAME:GROUP or UID:GID" % user)
    return name or "0", other or group or ""


def in_files(passwd: bytes, content: bytes, user: str | None, group: str | None, where: str) -> Account:
    """The account of C(user) (C(user:group) too) and C(group) as engines take them; C(where) is for the message.

    Who is given as a number needs no entry. With a group given, it is the only one. Raises Refused.
    """
    name, primary = split(user, group)
    uid = _strict(name, "user")
    entry = next((one for one in users(passwd) if (one.name == name if uid is None else one.uid == uid)), None)
    if entry is None:
        if uid is None:
            raise Refused(_unknown("user", name, "in %s of %s" % (PASSWD, where)))
        entry = User("", uid, 0, "/", "")
    if primary:
        gid = _strict(primary, "group")
        if gid is None:
            gid = next((one.gid for one in groups(content) if one.name == primary), None)
        if gid is None:
            raise Refused(_unknown("group", primary, "in %s of %s" % (GROUP, where)))
        return Account(entry.uid, gid, [gid], entry.home or "/", entry.name, entry.shell)
    found = [entry.gid]
    if entry.name:
        found += (one.gid for one in groups(content) if entry.name in one.members)
    return Account(
        entry.uid, entry.gid, list(dict.fromkeys(found))[:_MOST_GROUPS], entry.home or "/", entry.name, entry.shell
    )


def on_host(user: str | None, group: str | None) -> Account:
    """The same among all that the host knows, LDAP's included (NSS). Only for a process that has joined nothing."""
    import grp
    import pwd

    name, primary = split(user, group)
    uid = _strict(name, "user")
    entry: pwd.struct_passwd | None = None
    try:
        entry = pwd.getpwnam(name) if uid is None else pwd.getpwuid(uid)
    except KeyError:
        if uid is None:
            raise Refused(_unknown("user", name, "among the users of the host")) from None
    home, shell = (entry.pw_dir or "/", entry.pw_shell) if entry else ("/", "")
    found, called = (entry.pw_uid, entry.pw_name) if entry else (uid or 0, "")
    if primary:
        gid = _strict(primary, "group")
        if gid is None:
            try:
                gid = grp.getgrnam(primary).gr_gid
            except KeyError:
                raise Refused(_unknown("group", primary, "among the groups of the host")) from None
        return Account(found, gid, [gid], home, called, shell)
    own = entry.pw_gid if entry else 0
    others = os.getgrouplist(called, own) if called else []
    return Account(found, own, list(dict.fromkeys([own, *others])), home, called, shell)


def _strict(text: str, what: str) -> int | None:
    found = number(text)
    if found is None and text.lstrip("+-").isdigit():
        raise Refused("the %s %s is no id: the kernel takes 0 to %d" % (what, text, _HIGHEST))
    return found


def _lines(content: bytes, fields: int) -> Iterator[list[str]]:
    for line in content.split(b"\n"):
        # "+" and "-" are instructions to NSS (compat), no names.
        if not line or line[:1] in b"#+-" or b"\0" in line:
            continue
        found = line.decode("utf-8", "surrogateescape").split(":")
        if len(found) == fields and found[0]:
            yield found


def _unknown(what: str, name: str, where: str) -> str:
    return "the %s %s is not known: it is not %s. Give one that is, or a number" % (what, name, where)
