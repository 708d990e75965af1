"""What a host has that makes kept namespaces again at boot: files are read, nothing is changed."""
from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from typing import Any, Dict

WANTS = "multi-user.target.wants"
_MOST = 64 << 10  # bytes of a text that is told


def persistent_units_options() -> dict[str, dict[str, Any]]:
    """The options of persistent_units, on the controller and on the host."""
    return {
        "state": {"type": "str", "choices": ["seen", "written"], "default": "written"},
        "namespaces": {"type": "list", "elements": "dict", "required": True},
        "configuration": {"type": "path", "default": "/etc/nsfleet/namespaces"},
        "programs": {"type": "path", "default": "/usr/local/lib/nsfleet"},
        "units": {"type": "path", "default": "/etc/systemd/system"},
        "python": {"type": "path"},
    }


def look(configuration: str, programs: str, units: str) -> Dict[str, Any]:
    """C(files): by path; C(links): where they lead; C(folders): those that are there; C(python), C(systemd)."""
    wants = "%s/%s" % (units, WANTS)
    files = ["%s/ns_persist.pyz" % programs]
    files += _listed(configuration, r".+\.json")
    files += _listed(units, r"nsfleet-.+\.service")
    found = {path: _file(path) for path in files}
    links = {path: _link(path) for path in _listed(wants, r"nsfleet-.+\.service")}
    return {
        "files": {path: file for path, file in found.items() if file is not None},
        "links": {path: target for path, target in links.items() if target is not None},
        "folders": [path for path in (configuration, programs, units, wants) if os.path.isdir(path)],
        "python": lasting(sys.executable),
        # As sd_booted(3) tells it.
        "systemd": os.path.isdir("/run/systemd/system"),
    }


def lasting(python: str) -> str:
    """The name of an interpreter that stays when its version becomes another one, if it has one: C(python3)."""
    general = re.sub(r"python3\.\d+$", "python3", python)
    try:
        return general if os.path.samefile(general, python) else python
    except OSError:
        return python


def _listed(folder: str, pattern: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return ["%s/%s" % (folder, name) for name in sorted(names) if re.fullmatch(pattern, name)]


def _file(path: str) -> Dict[str, Any] | None:
    """What is there; C(regular) is false of all but a file, which is not looked into."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:  # ELOOP of a link, ENXIO of a socket
        return {"regular": False}
    with open(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return {"regular": False}
        content = file.read()
    try:
        text: str | None = content.decode("utf-8") if len(content) <= _MOST else None
    except UnicodeDecodeError:
        text = None
    return {
        "regular": True, "text": text, "sha256": hashlib.sha256(content).hexdigest(), "uid": found.st_uid,
        "gid": found.st_gid, "mode": "%04o" % stat.S_IMODE(found.st_mode),
    }


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return "" if os.path.lexists(path) else None
