"""What must be known before anything runs: with whose rights, as whom, in which environment, and where."""
from __future__ import annotations

import os
import time
from typing import Callable, Dict, List, Mapping

from .._kernel.proc import Proc
from .._model.entry import Refused, Target
from .admission import Wanted
from .command import Command, Words, path
from .environment import completed, encoded, inherited
from .launch import Plan
from .privileges import Privileges, executed, for_user, of_host, of_leader, restricted
from .scout import Scout
from .started import refuse_frozen
from .target import close as close_target
from .target import why

_SECONDS = 30.0      # for all lookups
_DNS = ("/etc/resolv.conf", "/etc/hosts")
_MOST_DNS = 1 << 20  # bytes


class Preparation:
    """A target with what its command will have. C(open_) opens the target again with other types. Close it when done.

    C(scout) looks things up where the command will run; C(warnings) are sentences. Raises Refused.
    """

    def __init__(self, target: Target, command: Command, open_: Callable[[Wanted], Target]) -> None:
        self._target = target
        self._command = command
        self._open = open_
        self._until = time.monotonic() + _SECONDS
        self.warnings: List[str] = []
        self._environment: Dict[bytes, bytes] = {}
        self.scout = Scout(target, self._until)
        self._privileges: Privileges
        try:
            self._take()
        except OSError as error:
            self.close()
            # EINVAL: its user namespace has no such user.
            raise Refused("%s: the command's user cannot be looked up or taken on (%s): its user namespace may not have"
                          " that user. Nothing has run." % (target.name, why(error))) from error
        except BaseException:
            self.close()
            raise

    def live_in(self, home: str) -> None:
        """Of a user who is only one inside: their home directory, where the task does not set HOME."""
        if "HOME" not in self._command.env:
            self._environment[b"HOME"] = encoded(home)

    def close(self) -> None:
        """End what looks around; the target stays open."""
        self.scout.close()

    def _take(self) -> None:
        target, command = self._target, self._command
        mode = command.privileges
        if mode == "auto":
            # What was made for a unit is a view of the host's own files.
            alone = target.pid is None and "mnt" in target.made
            mode = "target" if "mnt" in target.types and not alone else "host"
        if mode == "target" and target.pid is None:
            raise Refused("%s has no process whose rights the command could have: write privileges: host, which gives"
                          " it the module's own, or join without mnt." % target.name)
        if mode == "host" and "mnt" in target.types and "mnt" not in target.made:
            self.warnings.append("privileges: host gives %s, whose files are executed, the rights of this module"
                                 % target.name)
        joins_user = "user" in target.types
        found = self._of_leader() if mode == "target" else of_host(joins_user)
        self.scout = scout = Scout(target, self._until, executed(found).permitted if mode == "target" else None)
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
        # The mounts of a unit that were made for it are the host's, and so is what fits them.
        source = command.environment_source([kind for kind in target.types if kind != "mnt" or kind not in target.made])
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

    def plan(self, words: Words, keep: int | None) -> Plan:
        """What is executed; C(keep): the capabilities of a command that only looks. Raises Refused."""
        command, scout, privileges = self._command, self.scout, self._privileges
        argv = words.arguments(self._environment, scout.home, command.expand_argument_vars)
        folder = self.folder()
        if command.chdir is not None:
            scout.folder(folder)
        environment = dict(self._environment)
        search = os.fsdecode(environment[b"PATH"])
        plan = Plan(
            scout.program(os.fsdecode(argv[0]), search, folder), argv, environment, privileges,
            folder if command.chdir is not None else None, command.umask, command.stdin, command.max_output,
            root=self._target.chroot,
        )
        if keep is not None:
            from .read_only import ENVIRONMENT

            plan.looking = True
            plan.privileges = restricted(privileges, keep)
            for name, value in ENVIRONMENT.items():
                environment.setdefault(name, value)
        if command.container_dns:
            plan.files = self._dns()
        types = self._target.types
        if "pid" in types and "mnt" not in types and not command.trusted:
            from .tracers import refuse_tracers

            refuse_tracers(self._target, executed(plan.privileges).permitted)
        return plan

    def folder(self) -> str:
        """Where the command begins."""
        if self._command.chdir is not None:
            return self.path(self._command.chdir)
        return "/" if "mnt" in self._target.types else os.getcwd()

    def path(self, text: str) -> str:
        """A path option, expanded."""
        return path(text, self._environment, self.scout.home)

    def _dns(self) -> Mapping[str, bytes]:
        """The container's files for names, of which the command sees no more than these."""
        target = self._target
        if "mnt" in target.types or "net" not in target.types:
            raise Refused("container_dns is for a command that joins net and keeps the host's mounts, and this one"
                          " joins %s of %s: leave it out, or write namespaces: [net]." % (
                              ", ".join(target.types), target.name))
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
