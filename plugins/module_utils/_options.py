"""Argument specs of the modules, in one place so that modules that share options share their spec."""
from __future__ import annotations

from typing import Any, Sequence

from ._discover.scan import SOURCES
from ._model.inventory import TYPES

SUBSETS = ("namespaces", "containers", "network")


def facts_options(default: Sequence[str] = SUBSETS, private: bool = False) -> dict[str, dict[str, Any]]:
    """The options of a look at a host: the C(default) subsets; C(private): whether what may hold secrets is told."""
    return {
        "gather_subset": {"type": "list", "elements": "str", "choices": list(SUBSETS), "default": list(default)},
        "types": {"type": "list", "elements": "str", "choices": list(TYPES), "default": list(TYPES)},
        "containers": {"type": "list", "elements": "str", "default": []},
        "scan": {"type": "list", "elements": "str", "choices": list(SOURCES), "default": list(SOURCES)},
        "cmdline": {"type": "bool", "default": private},
        "labels": {"type": "bool", "default": private},
        "processes": {"type": "bool", "default": private},
        "max_entries": {"type": "int", "default": 500},
        "timeout": {"type": "float", "default": 30.0},
    }
