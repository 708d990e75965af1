"""Argument specs of what makes namespaces."""
from __future__ import annotations

from typing import Any

from .._enter.options import command_options, target_options
from .._model.inventory import TYPES
from .wanted import PROPAGATIONS

# Each names what exists, for ns_persist; at most one of them is given.
EXISTING = ("container", "pid", "netns", "path", "ref")
# Of what enters: new namespaces belong to nobody, and all that is in them is new.
_NOT_FOR_NEW = ("container_dns", "read_only", "track", "privileges", "trusted")


def new_options() -> dict[str, dict[str, Any]]:
    """What new namespaces are to be like; C(_create/wanted.py) checks it."""
    return {
        "map_users": {"type": "list", "elements": "str"},
        "map_groups": {"type": "list", "elements": "str"},
        "setgroups": {"type": "str", "choices": ["allow", "deny"]},
        "hostname": {"type": "str"},
        "domainname": {"type": "str"},
        "propagation": {"type": "str", "choices": list(PROPAGATIONS)},
        "loopback": {"type": "bool", "default": False},
        "monotonic_offset": {"type": "int"},
        "boottime_offset": {"type": "int"},
    }


def unshare_options() -> dict[str, dict[str, Any]]:
    """What ns_unshare takes."""
    command = {name: spec for name, spec in command_options().items() if name not in _NOT_FOR_NEW}
    command["environment_from"] = {"type": "str", "choices": ["host", "none"], "default": "host"}
    return {
        "namespaces": {
            "type": "list", "elements": "str", "choices": list(TYPES), "required": True, "aliases": ["types"],
        },
        **new_options(),
        "map_root_user": {"type": "bool", "default": False},
        "map_current_user": {"type": "bool", "default": False},
        "mount_proc": {"type": "bool", "default": False},
        "root": {"type": "path"},
        "init": {"type": "bool", "default": False},
        "detach": {"type": "bool", "default": False},
        "log": {"type": "path"},
        **command,
    }


def persist_options() -> dict[str, dict[str, Any]]:
    """What ns_persist keeps, and under which name."""
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "namespaces": {
            "type": "list", "elements": "str", "choices": list(TYPES), "default": ["net"], "aliases": ["types"],
        },
        "directory": {"type": "path"},
        "force": {"type": "bool", "default": False},
        **{name: spec for name, spec in target_options().items() if name in (*EXISTING, "start_time")},
        **new_options(),
        "nsid": {"type": "int"},
    }
