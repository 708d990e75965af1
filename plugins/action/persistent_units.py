# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts on a host what makes kept namespaces again at boot: the module says what is there, this says what is to be."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.nsfleet.linux.plugins.module_utils._boot_files import WANTS, persistent_units_options
from ansible_collections.nsfleet.linux.plugins.plugin_utils import _units
from ansible_collections.nsfleet.linux.plugins.plugin_utils._program import program
from ansible_collections.nsfleet.linux.plugins.plugin_utils._units import Entry, Places

_FOLDERS = ("configuration", "programs", "units")
_PASSED_ON = ("warnings", "deprecations")


class ActionModule(ActionBase):
    """Looks with the module, and has files written by copy, and removed by file."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        dummy, options = self.validate_argument_spec(argument_spec=persistent_units_options())
        try:
            folders = [_units.checked_path(name, options[name]) for name in _FOLDERS]
            wanted = _units.checked(options["namespaces"])
        except ValueError as error:
            raise AnsibleActionFail(f"persistent_units: {error}.") from None
        found = self._execute_module(
            module_name="nsfleet.linux.persistent_units", module_args=dict(options), task_vars=task_vars
        )
        if found.get("failed") or "files" not in found:
            return dict(result, **found)
        places = Places(*folders)
        try:
            python = _units.checked_path("python", options["python"] or found["python"])
        except ValueError as error:
            raise AnsibleActionFail(f"persistent_units: {error}.") from None
        host = _Host(wanted, places, found, python)
        if host.foreign:
            raise AnsibleActionFail(
                f"persistent_units: {host.foreign} must be a unit of the role, and was written by somebody else: move"
                " it, or choose another name."
            )
        result.update({key: found[key] for key in _PASSED_ON if key in found})
        result.update(
            changed=False, namespaces=wanted, gone=host.gone(), systemd=found["systemd"], reload=False,
            command=f"{python} -I {places.program} present {places.configuration}/*.json",
        )  # fmt: skip
        if options["state"] == "written":
            self._write(host, result, task_vars)
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _write(self, host: _Host, result: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> None:
        """All that differs. In the order in which a run that is killed leaves what the next one understands."""
        steps = host.steps()
        result.update(
            changed=bool(steps), reload=any(step.unit for step in steps), diff=[step.difference() for step in steps]
        )
        for step in steps if not self._task.check_mode else ():
            if step.content is None:
                done = self._execute_module(
                    module_name="ansible.legacy.file", module_args=step.arguments(), task_vars=task_vars
                )
            else:
                done = self._copy(step, task_vars)
            if done.get("failed"):
                raise AnsibleActionFail(f"persistent_units: {step.path} must be as told: {done.get('msg')}")

    def _copy(self, step: _Step, task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        folder = tempfile.mkdtemp(dir=getattr(constants, "DEFAULT_LOCAL_TMP"))  # noqa: B009  # set at run time
        try:
            source = os.path.join(folder, "content")
            with open(source, "wb") as file:
                file.write(step.content or b"")
            task = self._task.copy()
            task.args = dict(step.arguments(), src=source, follow=False)
            copy = self._shared_loader_obj.action_loader.get(
                "ansible.legacy.copy", task=task, connection=self._connection, play_context=self._play_context,
                loader=self._loader, templar=self._templar, shared_loader_obj=self._shared_loader_obj,
            )  # fmt: skip
            done: dict[str, t.Any] = copy.run(task_vars=task_vars)
            return done
        finally:
            shutil.rmtree(folder)


class _Step(t.NamedTuple):
    """One file, folder or link that is to become another. C(content): of a file; C(unit): systemd has to know."""

    path: str
    state: str
    content: bytes | None = None
    mode: str | None = None
    src: str | None = None
    unit: bool = False
    before: str = ""

    def arguments(self) -> dict[str, t.Any]:
        """For the modules copy (of a file) or file."""
        if self.content is not None:
            return {"dest": self.path, "mode": self.mode, "owner": "root", "group": "root"}
        given = {"path": self.path, "state": self.state, "mode": self.mode, "src": self.src}
        return {key: value for key, value in given.items() if value is not None}

    def difference(self) -> dict[str, str]:
        """For --diff."""
        if self.state == "link":
            after = f"link to {self.src}\n"
        elif self.content is not None:
            after = _shown(self.content, self.mode)
        else:
            after = "folder\n" if self.state == "directory" else ""
        return {"before_header": self.path, "after_header": self.path, "before": self.before, "after": after}


class _Host:
    """What is there, beside what is wanted. C(foreign): the path of a unit that is in the way, or empty."""

    def __init__(self, wanted: list[Entry], places: Places, found: dict[str, t.Any], python: str) -> None:
        self._wanted = {entry["name"]: entry for entry in wanted}
        self._places = places
        self._python = python
        self._files: dict[str, dict[str, t.Any]] = found["files"]
        self._links: dict[str, str] = found["links"]
        self._folders = set(found["folders"])
        self._systemd = found["systemd"]
        units = {_units.name_of(os.path.basename(path)): path for path in self._files if path.endswith(".service")}
        self._units = {name: path for name, path in units.items() if self._is_ours(path)}
        self.foreign = ""
        for name in self._wanted:
            if name in units and name not in self._units:
                self.foreign = units[name]

    def _is_ours(self, unit: str) -> bool:
        return str(self._files[unit].get("text") or "").startswith(_units.MARKER)

    def _names(self) -> list[str]:
        """Those that an earlier run has kept."""
        ending = ".json"
        told = [os.path.basename(path)[: -len(ending)] for path in self._files if path.endswith(ending)]
        return sorted({name for name in told if _units.is_name(name)} | set(self._units))

    def gone(self) -> list[dict[str, t.Any]]:
        """What has to be removed before the wanted can be made."""
        found = []
        for name in self._names():
            file = self._files.get(self._places.options(name)) or {}
            entry = _units.recorded(file.get("text"), name)
            now = self._wanted.get(name)
            if now and _units.directory_of(now) == _units.directory_of(entry):
                continue
            unit = _units.unit_name(name) if name in self._units and not now else ""
            one = {"name": name, "force": entry.get("force") is True, "unit": unit}
            found.append(dict(one, directory=entry["directory"]) if entry.get("directory") else one)
        return found

    def steps(self) -> list[_Step]:
        """What is to be done, in order."""
        return [*self._new(), *self._old()]

    def _new(self) -> t.Iterator[_Step]:
        places = self._places
        if not self._wanted:
            return
        wants = f"{places.units}/{WANTS}"
        folders = {places.programs: "0755", places.configuration: "0755"}
        folders.update({places.units: "0755", wants: "0755"} if self._systemd else {})
        for path, mode in folders.items():
            if path not in self._folders:
                yield _Step(path, "directory", mode=mode)
        yield from self._file(places.program, program("_at_boot"), "0644")
        for name, entry in self._wanted.items():
            yield from self._file(places.options(name), _units.options_text(entry).encode(), "0600")
        for name, entry in self._wanted.items() if self._systemd else ():
            text = _units.unit_text(entry, places, self._python)
            yield from self._file(places.unit(name), text.encode(), "0644", unit=True)
            target = f"../{_units.unit_name(name)}"
            known = (target, places.unit(name))  # systemctl enable writes the second one
            if self._links.get(places.link(name)) not in known:
                before = f"link to {self._links[places.link(name)]}\n" if places.link(name) in self._links else ""
                yield _Step(places.link(name), "link", src=target, unit=True, before=before)

    def _file(self, path: str, content: bytes, mode: str, unit: bool = False) -> t.Iterator[_Step]:
        file = self._files.get(path) or {}
        same = file.get("sha256") == hashlib.sha256(content).hexdigest()
        if not same or file["mode"] != mode or file["uid"] or file["gid"]:
            yield _Step(path, "file", content, mode, unit=unit, before=_seen(file))

    def _old(self) -> t.Iterator[_Step]:
        places = self._places
        for name in self._names():
            if name in self._wanted:
                continue
            if name in self._units and places.link(name) in self._links:
                yield _Step(places.link(name), "absent", unit=True, before="link\n")
            if name in self._units:
                yield _Step(places.unit(name), "absent", unit=True, before=_seen(self._files[places.unit(name)]))
            # Last: it is how the next run knows of the name.
            if places.options(name) in self._files:
                yield _Step(places.options(name), "absent", before=_seen(self._files[places.options(name)]))
        if not self._wanted and places.program in self._files:
            yield _Step(places.program, "absent", before=_seen(self._files[places.program]))


def _shown(content: bytes, mode: str | None) -> str:
    """A file as text, if it is one that people read."""
    if content.startswith(b"PK"):
        return f"mode {mode}\nprogram, sha256 {hashlib.sha256(content).hexdigest()}\n"
    return f"mode {mode}\n{content.decode('utf-8')}"


def _seen(file: dict[str, t.Any]) -> str:
    if not file:
        return ""
    if not file.get("regular"):
        return "no file\n"
    text = file["text"] if file["text"] is not None else f"program, sha256 {file['sha256']}\n"
    return f"mode {file['mode']}\n{text}"
