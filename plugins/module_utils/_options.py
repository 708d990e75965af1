"""Argument specs of the modules, in one place so that modules that share options share their spec."""
from __future__ import annotations

from typing import Any

from ._discover.scan import SOURCES
from ._model.inventory import TYPES

SUBSETS = ("namespaces", "containers")


def facts_options() -> dict[str, dict[str, Any]]:
    """The options of M(nsfleet.linux.ns_facts)."""
    return {
        "gather_subset": {"type": "list", "elements": "str", "choices": list(SUBSETS), "default": list(SUBSETS)},
        "types": {"type": "list", "elements": "str", "choices": list(TYPES), "default": list(TYPES)},
        "containers": {"type": "list", "elements": "str", "default": []},
        "scan": {"type": "list", "elements": "str", "choices": list(SOURCES), "default": list(SOURCES)},
        "cmdline": {"type": "bool", "default": False},
        "labels": {"type": "bool", "default": False},
        "processes": {"type": "bool", "default": False},
        "max_entries": {"type": "int", "default": 500},
        "timeout": {"type": "float", "default": 30.0},
    }
