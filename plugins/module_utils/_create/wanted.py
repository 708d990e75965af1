"""What new namespaces are to be like: the options of a module, checked before anything is made."""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Sequence

from .._kernel.privileges import capget
from .._model.entry import Refused
from .._model.inventory import TYPES
from . import id_maps
from .id_maps import IdRange, Ids

PROPAGATIONS = ("private", "slave", "shared", "unchanged")
# Which type an option is of: nothing is implied.
TYPE_OF = {
    "map_root_user": "user", "map_current_user": "user", "map_users": "user", "map_groups": "user",
    "setgroups": "user", "hostname": "uts", "domainname": "uts", "propagation": "mnt", "mount_proc": "mnt",
    "loopback": "net", "monotonic_offset": "time", "boottime_offset": "time", "init": "pid",
}
CLOCKS = {"monotonic_offset": "monotonic", "boottime_offset": "boottime"}
_LONGEST_NAME = 64  # bytes, __NEW_UTS_LEN
_CAP_SETGID, _CAP_SETUID = 6, 7


@dataclass
class NewNamespaces:
    """C(types): in the order of TYPES. C(uid_map), C(gid_map): of a user namespace; C(helped): by newuidmap(1).

    C(setgroups): C(allow) or C(deny), None to leave it. C(propagation): of all mounts, one of PROPAGATIONS.
    C(offsets): seconds by clock (C(monotonic), C(boottime)).
    """

    types: List[str]
    uid_map: List[IdRange] = field(default_factory=list)
    gid_map: List[IdRange] = field(default_factory=list)
    helped: bool = False
    setgroups: str | None = None
    hostname: str | None = None
    domainname: str | None = None
    propagation: str = "private"
    loopback: bool = False
    offsets: Dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: Mapping[str, Any], types: Sequence[str],
                    propagation: str = "private") -> NewNamespaces:
        """Of a module's parameters; C(propagation) where they do not say. Raises Refused."""
        for option, kind in TYPE_OF.items():
            given = params.get(option)
            if given is not None and given is not False and kind not in types:
                raise Refused("%s is of %s namespaces, and %s is not among namespaces: list it, or leave out %s."
                              % (option, kind, kind, option))
        found = cls(
            [kind for kind in TYPES if kind in types], hostname=_uts_name(params, "hostname"),
            domainname=_uts_name(params, "domainname"), propagation=params.get("propagation") or propagation,
            loopback=bool(params.get("loopback")),
            offsets={clock: int(params[option]) for option, clock in CLOCKS.items() if params.get(option) is not None},
        )
        if "user" in types:
            found._take_maps(params)
        return found

    def _take_maps(self, params: Mapping[str, Any]) -> None:
        root, current = bool(params.get("map_root_user")), bool(params.get("map_current_user"))
        if root and current:
            raise Refused("map_root_user and map_current_user both say what the caller is inside: give one.")
        users, groups = params.get("map_users") or [], params.get("map_groups") or []
        # Without any map nobody inside would be anybody.
        own_user = 0 if root or not (current or users) else os.geteuid() if current else None
        own_group = 0 if root or not (current or groups) else os.getegid() if current else None
        self.uid_map = id_maps.chosen("map_users", users, own_user, own_users)
        self.gid_map = id_maps.chosen("map_groups", groups, own_group, own_groups)
        self.setgroups = params.get("setgroups")
        has = capget().effective
        if has >> _CAP_SETUID & 1 and has >> _CAP_SETGID & 1:
            return
        for option, ranges, ids in (("map_users", self.uid_map, own_users), ("map_groups", self.gid_map, own_groups)):
            if ranges and not _is_own(ranges, ids().own):
                self.helped = True
                id_maps.refuse_foreign(option, ranges, ids())
        if _is_own(self.gid_map, os.getegid()):
            # user_namespaces(7): otherwise one could give up a group that is denied something.
            if self.setgroups == "allow":
                raise Refused("setgroups is allow, but without CAP_SETGID a map of one's own group needs deny:"
                              " map_groups with delegated ids would do (auto, from %s)." % id_maps.GIDS)
            self.setgroups = "deny"


def own_users() -> Ids:
    """What maps of users depend on."""
    return _ids("user", os.geteuid(), id_maps.UIDS)


def own_groups() -> Ids:
    """What maps of groups depend on: subgid(5) names users too."""
    return _ids("group", os.getegid(), id_maps.GIDS)


def _ids(what: str, own: int, path: str) -> Ids:
    import pwd

    uid = os.geteuid()
    names = [str(uid)]
    try:
        names.insert(0, pwd.getpwuid(uid).pw_name)
    except KeyError:
        pass
    return Ids(what, own, path, _content(path), names)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""


def _is_own(ranges: Sequence[IdRange], own: int) -> bool:
    """Whether a map is the one that everybody may write."""
    return len(ranges) == 1 and ranges[0].size == 1 and ranges[0].outer == own


def _uts_name(params: Mapping[str, Any], option: str) -> str | None:
    given = params.get(option)
    if given is None:
        return None
    name = str(given)
    # What can be printed can be encoded.
    if not name or not name.isprintable() or len(name.encode("utf-8")) > _LONGEST_NAME:
        raise Refused("%s is %r, which is no name: 1 to %d printable bytes are." % (option, name[:100], _LONGEST_NAME))
    return name
