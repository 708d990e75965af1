"""Whether there is anything to do at all: creates, removes, guards, check mode."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

from .._model.entry import Changes, Refused, Target
from .command import Command, Words
from .execution import execute
from .preparation import Preparation
from .privileges import GUARD, READ_ONLY
from .watch import TRACKED

Result = Dict[str, Any]
_GUARD = 30.0           # seconds for a guard where the command has no end
_MOST_SHOWN = 64 << 10  # characters of a diff


class Guarded:
    """What is to be done with a target, or in its stead: fills in C(result).

    C(seen): whether guards are known to have changed nothing.
    """

    def __init__(self, target: Target, command: Command, prepared: Preparation, result: Result) -> None:
        self._target = target
        self._command = command
        self._prepared = prepared
        self._result = result
        self.seen = True

    def do(self, check: bool, run: Callable[[bool], None]) -> None:
        """C(run) does it; it is told whether it is proved that nothing can change. Raises Refused."""
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
        run(command.read_only and not missing)

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
        self._result.update(rc=0, msg=why, changed=not self.seen)

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
        try:
            plan = self._prepared.plan(words, keep)
        except Refused as refusal:
            # Or it would read as if it were about the command.
            raise type(refusal)("%s: %s" % (option, refusal)) from refusal
        plan.stdin = None
        # What it may not touch is not looked at, unless this kernel cannot hold it.
        tracked = [kind for kind in TRACKED if kind in target.types and (tracking or kind == "net")]
        found = execute(target, plan, tracked, self._command.timeout or _GUARD, self._command.timeout_grace, True)
        shown = "%s (%s)" % (option, words.shown if isinstance(words.shown, str) else " ".join(words.shown))
        changes = found.changes
        tell_changes(self._result, changes)
        self.seen = self.seen and not changes.unproven
        self._result["changed"] = bool(changes.before or changes.after) or not self.seen
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


def tell_changes(result: Result, changes: Changes) -> None:
    """What differs, and why there may be more than was seen."""
    result["diff"] = {"before": _shown(changes.before), "after": _shown(changes.after)}
    told = result["unproven"]
    told += [reason for reason in changes.unproven if reason not in told]


def _shown(lines: Sequence[str]) -> str:
    text = "".join(line + "\n" for line in lines)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "...\n"
