"""Keeping namespaces where no Ansible is: the program that a unit of systemd starts at boot.

The controller packs it (C(plugins/plugin_utils/_program.py)) with what it imports and nothing else.
"""
from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List, Mapping, Sequence

from ._compiled_once import compile_once
from ._model.entry import Refused

STATES = ("present", "absent")
_MOST = 1 << 20  # bytes of a file
_USAGE = """\
usage: ns_persist.pyz present|absent FILE...

Makes the namespaces that the files describe and keeps them under their names, or takes the names away. A file holds the
options of the module nsfleet.linux.ns_persist as a JSON object, and is written by the role
nsfleet.linux.persistent_namespaces. What is there already stays as it is, so that it does no harm to run it again.

One line is printed for each file. The exit status is 0 if all is as it should be, else 1; and 2 for wrong arguments.
"""


def main(arguments: Sequence[str], version: str) -> int:
    """The exit status. C(version): what C(--version) tells."""
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(_USAGE)
        return 0
    if list(arguments) == ["--version"]:
        sys.stdout.write(version + "\n")
        return 0
    if len(arguments) < 2 or arguments[0] not in STATES:
        sys.stderr.write(_USAGE)
        return 2
    # What follows is many files.
    compile_once()
    done = [_do(arguments[0], path) for path in arguments[1:]]
    return 0 if all(done) else 1


def _do(state: str, path: str) -> bool:
    """Whether it is as it should be now; a line about it is printed."""
    from ._create.persist import run_persist

    try:
        params = read(path, state)
    except Refused as refusal:
        sys.stderr.write("%s\n" % refusal)
        return False
    result = run_persist(params, False)
    for warning in result.get("warnings", ()):
        sys.stderr.write("%s: %s\n" % (params["name"], warning))
    if result.get("failed"):
        sys.stderr.write("%s: %s\n" % (params["name"], result["msg"]))
        return False
    sys.stdout.write("%s: %s\n" % (params["name"], told(result)))
    return True


def told(result: Mapping[str, Any]) -> str:
    """What a run did, in words."""
    if result["state"] == "absent":
        return "removed" if result["changed"] else "was not there"
    places = ", ".join("%s at %s" % each for each in result["paths"].items())
    words = [("made: " if result["changed"] else "as it should be: ") + places]
    return "; ".join(words + ["repaired: " + fault for fault in result["repaired"]])


def read(path: str, state: str) -> Dict[str, Any]:
    """The parameters of ns_persist that a file describes, none missing. Raises Refused."""
    from ._create.options import EXISTING, persist_options

    try:
        with open(path, "rb") as file:
            content = file.read(_MOST + 1)
        given = json.loads(content.decode("utf-8")) if len(content) <= _MOST else None
    except OSError as error:
        raise Refused("%s cannot be read: %s." % (path, os.strerror(error.errno or 0))) from error
    except ValueError as error:
        raise Refused("%s is no JSON: %s." % (path, error)) from error
    if not isinstance(given, dict):
        raise Refused("%s must be a JSON object of at most %d bytes, and is none." % (path, _MOST))
    options = {name: spec for name, spec in persist_options().items()
               if name not in (*EXISTING, "start_time", "state")}
    wrong = _wrong(given, options)
    if wrong:
        raise Refused("%s cannot be used: %s." % (path, "; ".join(wrong)))
    params = {name: given.get(name, spec.get("default")) for name, spec in options.items()}
    params["state"] = state
    return params


_TYPES = {"str": str, "path": str, "int": int, "bool": bool, "list": list}


def _wrong(given: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]) -> List[str]:
    """What is wrong with it, as clauses: whoever has edited it is told, and nothing is guessed."""
    found = ["it says nothing of name"] if "name" not in given else []
    for name, value in sorted(given.items()):
        spec = options.get(name)
        if spec is None:
            found.append("%s is unknown, or names what does not exist after a reboot" % name)
        elif not isinstance(value, _TYPES[spec["type"]]) or isinstance(value, bool) != (spec["type"] == "bool"):
            found.append("%s must be of type %s" % (name, spec["type"]))
        else:
            each = value if isinstance(value, list) else [value]
            if isinstance(value, list) and not all(isinstance(one, str) for one in value):
                found.append("%s must be a list of texts" % name)
            elif "choices" in spec and not all(one in spec["choices"] for one in each):
                found.append("%s is some of %s" % (name, ", ".join(spec["choices"])))
    return found
