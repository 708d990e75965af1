"""One target from beginning to end: what there is to do, doing it, and what came of it."""
from __future__ import annotations

import os
import time
from datetime import datetime
from typing import Any, Callable, Dict, List, Mapping, Sequence

from .._kernel.proc import Proc
from .._model.entry import Changes, Refused, Target
from .admission import Wanted
from .command import Command, Words
from .environment import completed, inherited
from .launch import Plan, launch
from .orphans import group_of
from .output import Said
from .privileges import GUARD, READ_ONLY, Privileges, executed, for_user, of_host, of_leader, restricted
from .scout import Scout
from .started import Started, refuse_frozen
from .target import close as close_target
from .target import why
from .watch import TRACKED, Watch

Result = Dict[str, Any]
_SECONDS = 30.0      # for all that is not the command itself
_DNS = ("/etc/resolv.conf", "/etc/hosts")
_MOST_DNS = 1 << 20  # bytes
_ENDING = 0.05       # seconds for what ends together with the command
_DYING = 1.0         # seconds until what was killed is gone
_MOST_SHOWN = 64 << 10  # characters of a diff


def work(open_: Callable[[Wanted], Target], wanted: Wanted, command: Command, check: bool) -> Result:
    """The result of one target, which C(open_) opens with the types that are wanted."""
    result: Result = {
        "changed": False, "cmd": command.run.shown, "rc": None, "stdout": "", "stderr": "", "msg": "",
        "target": {"container": None, "id": None, "pid": None, "start_time": None}, "namespaces": {}, "unproven": [],
        "diff": {"before": "", "after": ""}, "left": [], "truncated": {"stdout": 0, "stderr": 0},
    }
    session = None
    try:
        target = open_(wanted)
        session = Session(target, command, open_)
        tell(result, target)
        session.run(result, check)
    except Refused as refusal:
        result.update(failed=True, msg=str(refusal).rstrip(".") + ".")
    finally:
        if session is not None:
            session.close()
    return result


def tell(result: Result, target: Target) -> None:
    """What was entered."""
    container = target.container
    result["target"] = {
        "container": target.name, "id": container.id if container else None, "pid": target.pid,
        "start_time": target.start_time,
    }
    result["namespaces"] = {kind: target.namespaces[kind] for kind in target.types}
    result["unproven"] = list(target.unproven)


class Session:
    """What belongs to one target while it is worked on."""

    def __init__(self, target: Target, command: Command, open_: Callable[[Wanted], Target]) -> None:
        self._target = target
        self._command = command
        self._open = open_
        self._until = time.monotonic() + _SECONDS
        self._warnings: List[str] = []
        self._scout: Scout | None = None
        self._environment: Dict[bytes, bytes] = {}
        self._privileges: Privileges | None = None

    def close(self) -> None:
        """Let go of the target."""
        if self._scout is not None:
            self._scout.close()
        close_target(self._target)

    def run(self, result: Result, check: bool) -> None:
        """Fill in the result. Raises Refused."""
        command = self._command
        try:
            self._prepare()
        except OSError as error:
            # EINVAL: its user namespace has no such user.
            raise Refused("%s: the command's user cannot be looked up or taken on (%s): its user namespace may not have"
                          " that user. Nothing has run." % (self._target.name, why(error))) from error
        if self._nothing_to_do(result):
            return
        missing: List[str] = []
        if command.read_only:
            from .read_only_parts import missing as read_only_missing

            missing = read_only_missing()
            result["unproven"] += missing
        if check and (missing or not command.read_only):
            self._not_run(result)
            return
        self._run(result, proved=command.read_only and not missing)

    # --- before the command ----------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Rights, user, environment."""
        target, command = self._target, self._command
        mode = command.privileges
        if mode == "auto":
            mode = "target" if "mnt" in target.types else "host"
        if mode == "target" and target.pid is None:
            raise Refused("%s has no process whose rights the command could have: write privileges: host, which gives"
                          " it the module's own, or join without mnt." % target.name)
        if "pid" in target.types and "mnt" not in target.types and not command.trusted:
            self._refuse_tracers()
        if mode == "host" and "mnt" in target.types:
            self._warnings.append("privileges: host gives %s, whose files are executed, the rights of this module"
                                  % target.name)
        joins_user = "user" in target.types
        found = self._of_leader() if mode == "target" else of_host(joins_user)
        self._scout = scout = Scout(target, self._until, executed(found).permitted if mode == "target" else None)
        user = command.user or (found.user if mode == "target" else None)
        home = None
        if user or command.group:
            if user is None:
                user = str(found.uid)
            account = scout.account(user, command.group)
            added: List[int] = []
            if mode == "target" and (command.user or command.group):
                # What the engine was told to add (--group-add) is everybody's in there.
                usual = scout.account(str(found.uid))
                added = [group for group in found.groups if group not in (found.gid, usual.gid, *usual.groups)]
            home = account.home if command.user else None
            # What its engine says of it is what its leader is, as a rule: then all of the leader's groups are right.
            if command.user or command.group or (account.uid, account.gid) != (found.uid, found.gid):
                found = for_user(found, account.uid, account.gid, [*account.groups, *added])
        self._privileges = found
        source = command.environment_source(target.types)
        if source == "target" and "mnt" not in target.types and not command.trusted:
            # The container says what is in there: PATH or LD_PRELOAD may name a file of its own, in a volume say.
            raise Refused("The environment of %s (environment_from: target) is refused without mnt: its variables could"
                          " have the host's programs load the container's files. Join mnt too, or write trusted: true."
                          % target.name)
        environment = inherited(source, target, self._until, scout.environment if "mnt" in target.types else None)
        if home is None and source != "host" and b"HOME" not in environment:
            home = scout.account(str(found.uid)).home
        self._environment = completed(environment, home if source != "host" or command.user else None, command.env)
        scout.become(found.uid, found.gid, found.groups if found.groups is not None else os.getgroups())

    def _of_leader(self) -> Privileges:
        try:
            return of_leader(self._target, Proc())
        except Refused:
            # What is paused does not answer who traces it.
            refuse_frozen(self._target.pid or 0)
            raise

    def _refuse_tracers(self) -> None:
        """Who may trace the command in there gets at the host's root directory by /proc/PID/root of it."""
        target, proc = self._target, Proc()
        name = target.namespaces["pid"]
        own = {proc.namespaces("self")[0][5]}
        for pid in proc.pids():
            try:
                names = proc.namespaces(pid)[0]
                if names[3] != name:
                    continue
                status = proc.status(pid)
            except OSError:
                continue
            if status.get("State", "")[:1] in ("Z", "X"):
                continue  # It has ended: its process 1 has not reaped it.
            held = int(status.get("CapPrm", "0"), 16)
            if status.get("NoNewPrivs") != "1":
                held |= int(status.get("CapBnd", "0"), 16)
            # In a user namespace below the command's it has no power over it.
            if held >> 19 & 1 and ("user" in target.types or names[5] in own or names[5] is None):
                raise Refused(
                    "pid of %s without mnt is refused: process %d in there may trace others (CAP_SYS_PTRACE), and could"
                    " take the host's root directory from the command. Join mnt too, or write trusted: true."
                    % (target.name, pid)
                )

    def _nothing_to_do(self, result: Result) -> bool:
        command, scout = self._command, self._scout
        folder = self._folder()
        for option, there in (("creates", True), ("removes", False)):
            pattern = getattr(command, option)
            if pattern is None or scout is None:
                continue
            path = self._path(pattern)
            if scout.exists(path, folder) == there:
                how = "exists" if there else "does not exist"
                # The same words in the same places as ansible.builtin.command.
                result["stdout"] = "skipped, since %s %s" % (pattern, how)
                self._skip(result, "Did not run command since '%s' %s" % (pattern, how))
                return True
        for option, yes in (("unless", True), ("onlyif", False)):
            words = getattr(command, option)
            if words is not None and self._guard(option, words) == yes:
                self._skip(result, "skipped, since %s says that there is nothing to do" % option)
                return True
        return False

    def _skip(self, result: Result, why: str) -> None:
        # As ansible.builtin.command: a task that had nothing to do has succeeded.
        result.update(rc=0, msg=why, changed=False)
        self._warn(result)

    def _not_run(self, result: Result) -> None:
        command = self._command
        asked = any((command.creates, command.removes, command.unless, command.onlyif))
        if asked or command.report_change == "always":
            result.update(changed=command.report_change != "never", msg="would run")
        else:
            # Ansible shows what was skipped as such, and not whether it has changed.
            result.update(changed=False, skipped=True, msg="not run in check mode")
        self._warn(result)

    def _guard(self, option: str, words: Words) -> bool:
        """Whether a guard says yes. Raises Refused when it did not say anything, or changed something."""
        target = self._target
        # Without the target's network the rights over one would be those over the host's.
        keep = GUARD if "net" in target.types else READ_ONLY
        plan = self._plan(words, keep)
        plan.stdin = None
        with_net = [kind for kind in ("net",) if kind in target.types]
        found: Result = {}
        changes = self._execute(plan, found, with_net, self._command.timeout or _SECONDS)
        shown = "%s (%s)" % (option, words.shown if isinstance(words.shown, str) else " ".join(words.shown))
        if found["timed_out"] or found["rc"] not in (0, 1):
            how = "took too long" if found["timed_out"] else "ended with %d" % found["rc"]
            said = (found["stderr"].text or found["stdout"].text).strip()
            raise Refused("%s %s, which is neither yes (0) nor no (1)%s. Nothing has run." % (
                shown, how, ": " + said[:500].rstrip(".") if said else ""))
        if changes.before or changes.after:
            raise Refused("%s has changed something (%s): a guard may only look. The command has not run." % (
                shown, "; ".join((changes.before + changes.after)[:3])))
        return bool(found["rc"] == 0)

    # --- the command ------------------------------------------------------------------------------------------------

    def _run(self, result: Result, proved: bool) -> None:
        command = self._command
        plan = self._plan(command.run, READ_ONLY if command.read_only else None)
        tracked = [] if proved else [
            kind for kind in TRACKED if kind in (self._target.types if command.track is None else command.track)
        ]
        found: Result = {}
        changes = self._execute(plan, found, tracked, command.timeout or 0.0)
        for stream in ("stdout", "stderr"):
            said: Said = found[stream]
            result[stream], result["truncated"][stream] = said.text, said.dropped
        result.update({key: found[key] for key in ("rc", "start", "end", "delta", "left")})
        result["unproven"] += changes.unproven
        result["diff"] = {side: _shown(lines) for side, lines in (("before", changes.before), ("after", changes.after))}
        changed = bool(changes.before or changes.after or changes.unproven)
        if not proved and command.track == []:
            result["unproven"].append("nothing was tracked")
            changed = True
        result["changed"] = {"always": True, "never": False}.get(command.report_change, changed)
        if found["timed_out"]:
            result["msg"] = "ended after its timeout of %g s" % (command.timeout or 0)
            result["failed"] = not command.timeout_ok
        elif found["rc"]:
            result.update(failed=True, msg="non-zero return code")
        self._warn(result)

    def _plan(self, words: Words, keep: int | None) -> Plan:
        """What is executed; C(keep): the capabilities of a command that only looks."""
        command, scout, privileges = self._command, self._scout, self._privileges
        if scout is None or privileges is None:
            raise Refused("%s was not prepared." % self._target.name)
        argv = words.arguments(self._environment, scout.home, command.expand_argument_vars)
        folder = self._folder()
        if command.chdir is not None:
            scout.folder(folder)
        environment = dict(self._environment)
        search = os.fsdecode(environment[b"PATH"])
        plan = Plan(
            scout.program(os.fsdecode(argv[0]), search, folder), argv, environment, privileges,
            folder if command.chdir is not None else None, command.umask, command.stdin, command.max_output,
        )
        if keep is not None:
            from .read_only import ENVIRONMENT

            plan.looking = True
            plan.privileges = restricted(privileges, keep)
            for name, value in ENVIRONMENT.items():
                environment.setdefault(name, value)
        if command.container_dns:
            plan.files = self._dns()
        return plan

    def _execute(self, plan: Plan, found: Result, tracked: Sequence[str], timeout: float) -> Changes:
        """Execute it and wait; what changed in types C(tracked)."""
        command = self._command
        # With the container's rights come its limits.
        started = Started(self._target.pid if plan.privileges.cgroups else None)
        watch = Watch(self._target, tracked)
        # After it: who looks on our behalf is nobody that the command has started.
        group = group_of(started)
        running = None
        try:
            start = datetime.now()
            running = launch(self._target, plan, started, watch)
            self._warnings += running.missing
            end = running.waiter.wait([running.streams, watch], group, timeout, command.timeout_grace, watch.tick)
            stop = datetime.now()
            running.streams.finish()
            found["stdout"], found["stderr"] = running.streams.said(command.strip_empty_ends)
            # Who is only about to end, such as the shell that has put something in the background, is not left.
            _wait_until(lambda: not group.pids(), _ENDING)
            if plan.looking and group.pids():
                # Who may only look leaves nobody behind either.
                group.kill()
                _wait_until(lambda: not group.pids(), _DYING)
            if plan.looking:
                # Nothing stays of a look.
                group.kill()
            found["left"] = group.left()
            changes = watch.after(found["left"])
            if plan.looking and "pid" not in tracked:
                changes.after.extend("process %d %s" % (one["pid"], one["comm"]) for one in found["left"])
            if started.unproven and "pid" in (self._target.types if plan.looking else tracked):
                changes.unproven.append("pid: " + started.unproven)
            found.update(rc=end.rc, timed_out=end.timed_out, start=str(start), end=str(stop), delta=str(stop - start))
            if running.lost is not None:
                self._warnings += ["lost with the command, which had mounts of its own: %s" % line
                                   for line in running.lost.made()[:10]]
            return changes
        except BaseException:
            group.kill()
            raise
        finally:
            watch.close()
            group.close()
            started.close()
            if running is not None:
                running.waiter.close()
                if running.lost is not None:
                    running.lost.close()

    def _folder(self) -> str:
        if self._command.chdir is not None:
            return self._path(self._command.chdir)
        return "/" if "mnt" in self._target.types else os.getcwd()

    def _path(self, text: str) -> str:
        from .command import path

        scout = self._scout
        return path(text, self._environment, scout.home if scout is not None else lambda dummy: None)

    def _dns(self) -> Mapping[str, bytes]:
        """The container's files for names, of which the command sees no more than these."""
        target = self._target
        if "mnt" in target.types or "net" not in target.types:
            raise Refused("container_dns is for a command that joins net and keeps the host's mounts; %s joins %s." % (
                target.name, ", ".join(target.types)))
        own = Proc().namespaces("self")[0]
        kinds = tuple(
            kind for at, kind in ((0, "mnt"), (5, "user")) if target.namespaces.get(kind) not in (None, own[at])
        )
        if "mnt" not in kinds:
            raise Refused("container_dns: %s has no mounts of its own, and so no files for names." % target.name)
        other = self._open(kinds)
        scout = Scout(other, self._until)
        try:
            return {path: scout.read(path, _MOST_DNS) for path in _DNS}
        except OSError as error:
            raise Refused("container_dns: %s and %s of %s cannot be read (%s)." % (
                *_DNS, target.name, error.strerror)) from error
        finally:
            scout.close()
            close_target(other)

    def _warn(self, result: Result) -> None:
        if self._warnings:
            result["warnings"] = list(dict.fromkeys(self._warnings))


def _shown(lines: Sequence[str]) -> str:
    text = "".join(line + "\n" for line in lines)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "...\n"


def _wait_until(done: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not done() and time.monotonic() < limit:
        time.sleep(0.005)
