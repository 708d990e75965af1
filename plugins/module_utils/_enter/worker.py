"""One target from beginning to end: whether there is anything to do, doing it, and what is said of it."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

from .._model.entry import Changes, NotKnown, Refused, Target
from .admission import Wanted
from .command import Command, Words
from .execution import execute
from .preparation import Preparation
from .privileges import GUARD, READ_ONLY
from .target import close as close_target
from .watch import TRACKED

Result = Dict[str, Any]
_GUARD = 30.0           # seconds for a guard where the command has no end
_MOST_SHOWN = 64 << 10  # characters of a diff


def work(open_: Callable[[Wanted], Target], wanted: Wanted, command: Command, check: bool) -> Result:
    """The result of one target, which C(open_) opens with the types that are wanted."""
    result = blank(command)
    target = None
    try:
        target = open_(wanted)
        tell(result, target)
        prepared = Preparation(target, command, open_)
        try:
            _Work(target, command, prepared, result).do(check)
        finally:
            prepared.close()
        if prepared.warnings:
            result["warnings"] = list(dict.fromkeys(prepared.warnings))
    except Refused as refusal:
        result.update(failed=True, msg=str(refusal).rstrip(".") + ".")
        if isinstance(refusal, NotKnown):
            result["changed"] = True
            result["unproven"].append("whether it has run is not known")
    finally:
        if target is not None:
            close_target(target)
    return result


def blank(command: Command) -> Result:
    """All that a result has, before anything is known."""
    return {
        "changed": False, "cmd": command.run.shown, "rc": None, "stdout": "", "stderr": "", "msg": "",
        "target": {"container": None, "id": None, "pid": None, "start_time": None}, "namespaces": {}, "unproven": [],
        "diff": {"before": "", "after": ""}, "left": [], "truncated": {"stdout": 0, "stderr": 0},
    }


def tell(result: Result, target: Target) -> None:
    """What was entered."""
    container = target.container
    result["target"] = {
        "container": target.name, "id": container.id if container else None, "pid": target.pid,
        "start_time": target.start_time,
    }
    result["namespaces"] = {kind: target.namespaces[kind] for kind in target.types}
    result["unproven"] = list(target.unproven)


class _Work:
    """What there is to do with one target."""

    def __init__(self, target: Target, command: Command, prepared: Preparation, result: Result) -> None:
        self._target = target
        self._command = command
        self._prepared = prepared
        self._result = result
        self._seen = True  # whether guards are known to have changed nothing

    def do(self, check: bool) -> None:
        """Fill in the result. Raises Refused."""
        command = self._command
        missing: List[str] = []
        guards = command.unless is not None or command.onlyif is not None
        if command.read_only or guards:
            from .read_only_parts import missing as read_only_missing

            missing = read_only_missing()
            self._result["unproven"] += missing
        if self._nothing_to_do(guards=not (check and missing), missing=missing):
            return
        if guards and check and missing:
            self._result.update(changed=False, skipped=True, msg="not run in check mode, nor its guard")
            return
        if check and (missing or not command.read_only):
            self._not_run()
            return
        self._run(proved=command.read_only and not missing)

    def _nothing_to_do(self, guards: bool, missing: List[str]) -> bool:
        """C(guards): whether they may run; C(missing): what proves that they can change nothing, and is not there."""
        command, prepared = self._command, self._prepared
        folder = prepared.folder()
        for option, there in (("creates", True), ("removes", False)):
            pattern = getattr(command, option)
            if pattern is None:
                continue
            if prepared.scout.exists(prepared.path(pattern), folder) == there:
                how = "exists" if there else "does not exist"
                # The same words in the same places as ansible.builtin.command.
                self._result["stdout"] = "skipped, since %s %s" % (pattern, how)
                self._skip("Did not run command since '%s' %s" % (pattern, how))
                return True
        for option, yes in (("unless", True), ("onlyif", False)):
            words = getattr(command, option)
            if words is not None and guards and self._guard(option, words, bool(missing)) == yes:
                self._skip("skipped, since %s says that there is nothing to do" % option)
                return True
        return False

    def _skip(self, why: str) -> None:
        # As ansible.builtin.command: a task that had nothing to do has succeeded.
        self._result.update(rc=0, msg=why, changed=not self._seen)

    def _not_run(self) -> None:
        command = self._command
        asked = any((command.creates, command.removes, command.unless, command.onlyif))
        if asked or command.report_change == "always":
            self._result.update(changed=command.report_change != "never", msg="would run")
        else:
            # Ansible shows what was skipped as such, and not whether it has changed.
            self._result.update(changed=False, skipped=True, msg="not run in check mode")

    def _guard(self, option: str, words: Words, tracking: bool) -> bool:
        """Whether a guard says yes. Raises Refused when it did not say anything, or changed something."""
        target = self._target
        # Without the target's network the rights over one would be those over the host's.
        keep = GUARD if "net" in target.types else READ_ONLY
        plan = self._prepared.plan(words, keep)
        plan.stdin = None
        # What it may not touch is not looked at, unless this kernel cannot hold it.
        tracked = [kind for kind in TRACKED if kind in target.types and (tracking or kind == "net")]
        found = execute(target, plan, tracked, self._command.timeout or _GUARD, self._command.timeout_grace, True)
        shown = "%s (%s)" % (option, words.shown if isinstance(words.shown, str) else " ".join(words.shown))
        changes = found.changes
        self._tell(changes)
        self._seen = self._seen and not changes.unproven
        self._result["changed"] = bool(changes.before or changes.after) or not self._seen
        if changes.before or changes.after:
            raise Refused("%s has changed something (%s): a guard may only look. The command has not run." % (
                shown, "; ".join((changes.before + changes.after)[:3])))
        if found.timed_out or found.rc not in (0, 1):
            how = "took too long" if found.timed_out else "ended with %d" % found.rc
            said = " ".join((found.stderr.text or found.stdout.text).split())
            raise Refused("%s %s, which is neither yes (0) nor no (1)%s. Nothing has run." % (
                shown, how, ": " + said[:500].rstrip(".") if said else ""))
        # Who says yes is believed; where not all was seen, that there was nothing else cannot be said.
        return found.rc == 0

    def _tell(self, changes: Changes) -> None:
        self._result["diff"] = {"before": _shown(changes.before), "after": _shown(changes.after)}
        told = self._result["unproven"]
        told += [reason for reason in changes.unproven if reason not in told]

    def _run(self, proved: bool) -> None:
        command, target, result = self._command, self._target, self._result
        tracked = [] if proved else self._tracked()
        plan = self._prepared.plan(command.run, READ_ONLY if command.read_only else None)
        found = execute(
            target, plan, tracked, command.timeout or 0.0, command.timeout_grace, command.strip_empty_ends)
        self._prepared.warnings += found.warnings
        changes = found.changes
        result.update(
            rc=found.rc, stdout=found.stdout.text, stderr=found.stderr.text, left=found.left, start=str(found.start),
            end=str(found.stop), delta=str(found.stop - found.start),
            truncated={"stdout": found.stdout.dropped, "stderr": found.stderr.dropped},
        )
        self._tell(changes)
        changed = bool(changes.before or changes.after or changes.unproven)
        if not proved and not tracked:
            result["unproven"].append("nothing was tracked")
            changed = True
        changed = changed or not self._seen
        result["changed"] = {"always": True, "never": False}.get(command.report_change, changed)
        if found.timed_out:
            result["msg"] = "ended after its timeout of %g s" % (command.timeout or 0)
            result["failed"] = not command.timeout_ok
        elif found.rc:
            result.update(failed=True, msg="non-zero return code")

    def _tracked(self) -> List[str]:
        """The types to compare. Raises Refused."""
        types, track = self._target.types, self._command.track
        for kind in track or ():
            if kind not in types:
                raise Refused("track has %s, which is not joined: %s joins %s. Leave it out." % (
                    kind, self._target.name, ", ".join(types) or "nothing"))
        return [kind for kind in TRACKED if kind in (types if track is None else track)]


def _shown(lines: Sequence[str]) -> str:
    text = "".join(line + "\n" for line in lines)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "...\n"
