"""One command in new namespaces, from the options to the result."""
from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping

from .._enter import many
from .._enter.command import Command, blank, checked
from .._enter.execution import execute
from .._enter.guarded import Guarded
from .._enter.launch import Plan, Running, with_executor
from .._enter.preparation import Preparation
from .._enter.privileges import Privileges, for_user, of_host
from .._enter.started import Started
from .._enter.worker import reported, tell_execution
from .._kernel.executor import FIRST, Executor
from .._kernel.init_program import image_file
from .._model.entry import NotKnown, Refused, Target
from .._model.inventory import TYPES
from . import id_maps
from .detached import detach
from .start import New, start
from .wanted import NewNamespaces

Result = Dict[str, Any]
_BESIDES = 90.0    # seconds of the worker for all but the command
_MOST = 96 << 20   # bytes of a result: JSON makes six of one control character
_NAME = "the new namespaces"


def run_task(params: Mapping[str, Any], check: bool) -> Result:
    """The result of the module's parameters, with C(failed)."""
    try:
        types = list(params.get("namespaces") or ())
        if not types:
            raise Refused("namespaces is empty: name at least one type.")
        wanted = NewNamespaces.from_params(params, types)
        command = Command.from_params({**params, "privileges": "host"})
        task = _Task(wanted, command, params)
    except Refused as refusal:
        return {"failed": True, "changed": False, "msg": _sentence(str(refusal).rstrip(".") + ".")}
    seconds = None
    if command.timeout:
        guards = 2 if command.unless and command.onlyif else 1 if command.unless or command.onlyif else 0
        seconds = (1 + guards) * (command.timeout + command.timeout_grace) + _BESIDES
    (result,) = many.run([many.Job(lambda: task.result(check), seconds, _MOST)], 1)
    result["msg"] = _sentence(result.get("msg", ""))
    return result


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:] if text.startswith(("the ", "one of ", "skipped", "ended ", "would ")) else text
    return text


class _Task:
    """What is to be done. Raises Refused for options that do not go together."""

    def __init__(self, wanted: NewNamespaces, command: Command, params: Mapping[str, Any]) -> None:
        self._wanted = wanted
        self._command = command
        self._root: str | None = params.get("root")
        self._detach, self._log = bool(params.get("detach")), params.get("log")
        self._mount_proc, self._init = bool(params.get("mount_proc")), bool(params.get("init"))
        for option in ("root", "log"):
            if params.get(option) is not None:
                checked(option, params[option])
        if self._log is not None and not self._detach:
            raise Refused("log is for detach: without it, stdout and stderr are in the result.")
        for option in ("timeout", "stdin") if self._detach else ():
            if getattr(command, option):
                raise Refused("detach and %s do not go together: nobody waits for a detached command." % option)
        if self._root is not None and not os.path.isabs(self._root):
            raise Refused("root is %s, which is no absolute path." % self._root)

    def result(self, check: bool) -> Result:
        """In a process of its own."""
        result = blank(self._command)
        result.update(pid=None, start_time=None)
        target = Target(_NAME)
        try:
            if self._root is not None:
                target.name = target.chroot = self._root
                target.root = _opened(self._root)
            # A user of a new user namespace is not one of ours: its number means something there only.
            command = self._command
            if self._root is not None:
                command = replace(command, chdir=os.path.join("/", command.chdir or ""))
            asked = replace(command, user=None, group=None) if "user" in self._wanted.types else command
            prepared = Preparation(target, asked, lambda dummy: target)
            try:
                inside = self._inside(prepared) if "user" in self._wanted.types else None
                guarded = Guarded(target, command, prepared, result)
                guarded.do(check, lambda dummy: self._run(prepared, inside, result))
            finally:
                prepared.close()
            if prepared.warnings:
                result["warnings"] = list(dict.fromkeys(prepared.warnings))
        except Refused as refusal:
            result.update(failed=True, msg=str(refusal).rstrip(".") + ".")
            if isinstance(refusal, NotKnown):
                result.update(changed=True, unproven=["whether it has run is not known"])
        finally:
            if target.root is not None:
                os.close(target.root)
        return result

    def _run(self, prepared: Preparation, inside: Privileges | None, result: Result) -> None:
        command = self._command
        plan = prepared.plan(command.run, None)
        if inside is not None:
            plan.privileges = inside
        new = New(self._wanted, self._mount_proc, FIRST if self._init else None, self._detach)
        images = [image_file()] if self._init else []
        try:
            warnings = (self._begin if self._detach else self._wait)(plan, new, images, result)
        finally:
            for image in images:
                os.close(image)
        prepared.warnings += warnings
        result.update(namespaces={kind: new.namespaces[kind] for kind in TYPES if kind in new.namespaces},
                      changed=reported(command, True))

    def _wait(self, plan: Plan, new: New, images: List[int], result: Result) -> List[str]:
        """Until it has ended; what is to be warned of."""
        def begin(dummy: Target, plan: Plan, started: Started, dummy2: Any) -> Running:
            return with_executor(_NAME, plan, images, lambda executor: start(
                executor, plan, new, started.folder, started.enter))

        command = self._command
        found = execute(
            Target(_NAME), plan, [], command.timeout, command.timeout_grace, command.strip_empty_ends, begin)
        tell_execution(result, command, found)
        return found.warnings

    def _begin(self, plan: Plan, new: New, images: List[int], result: Result) -> List[str]:
        """And leave it alone; what is to be warned of."""
        def begin(executor: Executor, cgroup: str | None, enter: Callable[[int], None]) -> Running:
            return start(executor, plan, new, cgroup, enter)

        found = detach(_NAME, plan, images, self._log, begin)
        result.update(pid=found.pid, start_time=found.start_time)
        return found.warnings

    def _inside(self, prepared: Preparation) -> Privileges:
        """Who the command is in a new user namespace, with all capabilities there. Raises Refused."""
        command, wanted = self._command, self._wanted
        privileges = of_host(True)
        uid = id_maps.inside(wanted.uid_map, os.geteuid())
        gid = id_maps.inside(wanted.gid_map, os.getegid())
        privileges = privileges._replace(
            uid=_first(uid, wanted.uid_map), gid=_first(gid, wanted.gid_map), groups=[])
        if command.user or command.group:
            account = prepared.scout.account(command.user or str(privileges.uid), command.group)
            for option, number, ranges in (
                    ("user", account.uid, wanted.uid_map), ("group", account.gid, wanted.gid_map)):
                if not id_maps.maps(ranges, number):
                    raise Refused("%s is %d inside, which is not mapped in the new user namespace: map it (map_%ss)."
                                  % (option, number, option))
            groups = [group for group in account.groups if id_maps.maps(wanted.gid_map, group)]
            privileges = for_user(privileges, account.uid, account.gid, groups)
            if command.user:
                prepared.live_in(account.home)
        return privileges


def _first(own: int | None, ranges: List[id_maps.IdRange]) -> int:
    """Who the caller is inside, else root, else the first that is there."""
    if own is not None:
        return own
    return 0 if not ranges or id_maps.maps(ranges, 0) else ranges[0].inner


def _opened(root: str) -> int:
    try:
        return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused("root is %s, which is no folder that can be entered (%s)." % (root, error.strerror)) from error
