"""Argument specs of what enters namespaces: targets, commands. Apart from those of looking, which travel without."""
from __future__ import annotations

from typing import Any

from .._model.inventory import TYPES
from .watch import TRACKED

ENGINES = ("docker", "podman", "containerd", "cri", "crio", "lxc", "nspawn", "runc", "crun", "unknown")
# Each names a target; exactly one of them is given.
SELECTORS = ("container", "pid", "netns", "path", "ref", "name")
TARGET_REQUIRED_BY = {"start_time": ("pid",)}


def target_options() -> dict[str, dict[str, Any]]:
    """The options that name what is entered. Which selectors exclude each other is in SELECTORS."""
    return {
        "container": {"type": "str"},
        "pid": {"type": "int"},
        "start_time": {"type": "int"},
        "netns": {"type": "str"},
        "path": {"type": "path"},
        "ref": {"type": "str"},
        "name": {"type": "str"},
        "namespaces": {
            "type": "list", "elements": "str", "choices": ["all", *TYPES], "default": ["all"], "aliases": ["types"],
        },
        "allow_host": {"type": "list", "elements": "str", "choices": list(TYPES), "default": []},
    }


def command_options() -> dict[str, dict[str, Any]]:
    """What is to run and how; C(_enter/command.py) checks it. Paths are C(str): they are expanded where they are."""
    return {
        "cmd": {"type": "str"},
        "argv": {"type": "list", "elements": "str"},
        "chdir": {"type": "str"},
        "creates": {"type": "str"},
        "removes": {"type": "str"},
        "stdin": {"type": "str"},
        "stdin_add_newline": {"type": "bool", "default": True},
        "strip_empty_ends": {"type": "bool", "default": True},
        "expand_argument_vars": {"type": "bool", "default": True},
        "shell": {"type": "bool", "default": False},
        "executable": {"type": "str"},
        "env": {"type": "dict"},
        "environment_from": {"type": "str", "choices": ["host", "target", "none"]},
        "user": {"type": "str"},
        "group": {"type": "str"},
        "umask": {"type": "raw"},
        "timeout": {"type": "float"},
        "timeout_grace": {"type": "float", "default": 2.0},
        "timeout_ok": {"type": "bool", "default": False},
        "max_output": {"type": "int", "default": 1 << 20},
        "container_dns": {"type": "bool", "default": False},
        "unless": {"type": "raw"},
        "onlyif": {"type": "raw"},
        "read_only": {"type": "bool", "default": False},
        "track": {"type": "list", "elements": "str", "choices": ["auto", "none", *TRACKED], "default": ["auto"]},
        "report_change": {"type": "str", "choices": ["state", "always", "never"], "default": "state"},
        "privileges": {"type": "str", "choices": ["auto", "target", "host"], "default": "auto"},
        "trusted": {"type": "bool", "default": False},
    }


def many_options() -> dict[str, dict[str, Any]]:
    """Which containers, where it is not one target."""
    return {
        "containers": {"type": "list", "elements": "str"},
        "engine": {"type": "list", "elements": "str", "choices": list(ENGINES)},
        "labels": {"type": "raw"},
        "each": {"type": "bool", "default": False},
        "forks": {"type": "int", "default": 8},
    }
