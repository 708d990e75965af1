# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What makes kept namespaces again at boot: its files on a host, their names and what is in them."""

from __future__ import annotations

import json
import os
import re
import typing as t
from dataclasses import dataclass

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.nsfleet.linux.plugins.module_utils._create.options import EXISTING, persist_options

#: The first line of every unit that is ours; others are left alone.
MARKER = "# Written by the role nsfleet.linux.persistent_namespaces (Ansible), which also removes it."
#: Where ns_persist keeps units if nothing is said.
DIRECTORY = "/run/nsfleet"
# No quotes, blanks, percent or dollar signs: systemd would take them for its own in the unit.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}")
_PATH = re.compile(r"(/[A-Za-z0-9_.:@+,-]+)+")

# All others are not stopped then, because namespaces end with the machine.
_SHUTDOWN = """\
# Process 1 of the pid namespace may not be root's: systemd would wait 90 s for it.
Conflicts=shutdown.target
Before=shutdown.target
"""

Entry = t.Dict[str, t.Any]


@dataclass(frozen=True)
class Places:
    """Folders on the host."""

    configuration: str
    programs: str
    units: str

    @property
    def program(self) -> str:
        """What the units run."""
        return f"{self.programs}/ns_persist.pyz"

    def options(self, name: str) -> str:
        """What it is told of a name."""
        return f"{self.configuration}/{name}.json"

    def unit(self, name: str) -> str:
        """The unit of a name."""
        return f"{self.units}/{unit_name(name)}"

    def link(self, name: str) -> str:
        """What enables it."""
        return f"{self.units}/multi-user.target.wants/{unit_name(name)}"


def unit_name(name: str) -> str:
    """As systemd-escape(1) writes it; of what a name may have, only the dash means something to systemd."""
    return "nsfleet-{}.service".format(name.replace("-", "\\x2d"))


def is_name(name: str) -> bool:
    """Whether the role can have written that."""
    return bool(_NAME.fullmatch(name))


def checked_path(what: str, path: str) -> str:
    """One that a unit can name. Raises ValueError."""
    normal = os.path.normpath(path)
    if not _PATH.fullmatch(normal):
        raise ValueError(
            f"{what} is {path!r}, and must be an absolute path of letters, digits and _ . : @ + , - because a unit of"
            " systemd names it"
        )
    return normal


def directory_of(entry: t.Mapping[str, t.Any]) -> str:
    """Where ns_persist keeps the units of an entry."""
    return str(entry.get("directory") or DIRECTORY)


def name_of(unit: str) -> str:
    """The name that a unit is of."""
    return unit[len("nsfleet-") : -len(".service")].replace("\\x2d", "-")


def checked(entries: t.Sequence[t.Any]) -> list[Entry]:
    """The entries of the list, each with the options that are given, as the types they are. Raises ValueError."""
    found: list[Entry] = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, t.Mapping):
            raise ValueError(f"entry {number} is {entry!r}, and must be a dict of options of ns_persist")
        found.append(_checked(entry, f"entry {number}"))
    names = [entry["name"] for entry in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} is listed more than once: a name is one unit")
    return found


def _checked(entry: t.Mapping[str, t.Any], what: str) -> Entry:
    name = entry.get("name")
    if not isinstance(name, str) or not is_name(name):
        raise ValueError(
            f"{what} has the name {name!r}: a name has letters, digits and _ . : - and begins with none of the last"
            " three, because a unit of systemd is called after it"
        )
    for option in (*EXISTING, "start_time"):
        if entry.get(option) is not None:
            raise ValueError(
                f"{name} has {option}, which names something that exists now, and will not after a reboot: use"
                " ns_persist for it"
            )
    if "state" in entry:
        raise ValueError(f"{name} has state: take it out of the list, and it is removed")
    spec = {key: value for key, value in persist_options().items() if key not in (*EXISTING, "start_time", "state")}
    answer = ArgumentSpecValidator(spec).validate(dict(entry))
    if answer.error_messages:
        raise ValueError(f"{name}: {'; '.join(answer.error_messages)}")
    options = {key: value for key, value in answer.validated_parameters.items() if key in spec}
    if options.get("directory") is not None:
        options["directory"] = checked_path(f"directory of {name}", options["directory"])
    return {key: value for key, value in sorted(options.items()) if value is not None and value is not False}


def options_text(entry: Entry) -> str:
    """What ns_persist.pyz reads."""
    return json.dumps(entry, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def recorded(text: str | None, name: str) -> Entry:
    """What it was told at another time; no more than the name where that cannot be read."""
    try:
        entry = json.loads(text or "")
    except ValueError:
        return {"name": name}
    return dict(entry, name=name) if isinstance(entry, dict) else {"name": name}


def unit_text(entry: Entry, places: Places, python: str) -> str:
    """The unit of one entry."""
    name = entry["name"]
    # Not the directory itself: it is mounted on itself by what this unit runs.
    paths = (places.program, places.options(name), os.path.dirname(directory_of(entry)))
    command = f"{python} -I {places.program}"
    return f"""\
{MARKER}
[Unit]
Description=Namespaces that are kept as {name}
Documentation=https://github.com/nsfleet/nsfleet.linux/blob/main/docs/persistent-namespaces.md
# The defaults would have it start after networks may be set up.
DefaultDependencies=no
RequiresMountsFor={" ".join(paths)}
# New networks and user namespaces take defaults and limits from what is set by then.
After=local-fs.target systemd-sysctl.service
Wants=network-pre.target
Before=network-pre.target
{_SHUTDOWN if {"user", "pid"} <= set(entry.get("namespaces", ())) else ""}\

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} present {places.options(name)}
ExecStop={command} absent {places.options(name)}
TimeoutStartSec=300
TimeoutStopSec=300
UMask=0022
# Nothing here may give the unit mounts of its own (ProtectSystem=, PrivateTmp=, ReadOnlyPaths=, ProtectKernelTunables=
# and the like): all are to see those that are made. Nor may it limit what processes inherit (CapabilityBoundingSet=,
# NoNewPrivileges=, and what is done by seccomp, such as LockPersonality=): process 1 of a pid namespace would keep
# it, and so would every command that is run in there.

[Install]
WantedBy=multi-user.target
"""
