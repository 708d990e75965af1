"""One target from beginning to end: whether there is anything to do, doing it, and what is said of it."""
from __future__ import annotations

from typing import Callable, List

from .._model.entry import NotKnown, Refused, Target
from .admission import Wanted
from .command import Command
from .execution import Execution, execute
from .guarded import Guarded, Result, tell_changes
from .preparation import Preparation
from .privileges import READ_ONLY
from .target import close as close_target
from .watch import TRACKED


def work(open_: Callable[[Wanted], Target], wanted: Wanted, command: Command, check: bool) -> Result:
    """The result of one target, which C(open_) opens with the types that are wanted."""
    result = blank(command)
    opened: List[Target] = []
    try:
        target = open_(wanted)
        opened.append(target)
        tell(result, target)
        prepared = Preparation(target, command, open_)
        try:
            guarded = Guarded(target, command, prepared, result)
            guarded.do(check, lambda proved: _run(target, command, prepared, result, proved, guarded.seen))
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
        for each in opened:
            close_target(each)
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


def blank(command: Command) -> Result:
    """All that a result has, before anything is known."""
    return {
        "changed": False, "cmd": command.run.shown, "rc": None, "stdout": "", "stderr": "", "msg": "",
        "target": {"container": None, "id": None, "pid": None, "start_time": None}, "namespaces": {}, "unproven": [],
        "diff": {"before": "", "after": ""}, "left": [], "truncated": {"stdout": 0, "stderr": 0},
    }


def tell_execution(result: Result, command: Command, found: Execution) -> None:
    """How the command ended, and what it said and left."""
    result.update(
        rc=found.rc, stdout=found.stdout.text, stderr=found.stderr.text, left=found.left, start=str(found.start),
        end=str(found.stop), delta=str(found.stop - found.start),
        truncated={"stdout": found.stdout.dropped, "stderr": found.stderr.dropped},
    )
    if found.timed_out:
        result["msg"] = "ended after its timeout of %g s" % (command.timeout or 0)
        result["failed"] = not command.timeout_ok
    elif found.rc:
        result.update(failed=True, msg="non-zero return code")


def reported(command: Command, changed: bool) -> bool:
    """What is said of a change."""
    return {"always": True, "never": False}.get(command.report_change, changed)


def _run(target: Target, command: Command, prepared: Preparation, result: Result, proved: bool, seen: bool) -> None:
    """C(proved): nothing can change. C(seen): nor have the guards changed anything."""
    tracked = [] if proved else _tracked(target, command)
    plan = prepared.plan(command.run, READ_ONLY if command.read_only else None)
    found = execute(target, plan, tracked, command.timeout or 0.0, command.timeout_grace, command.strip_empty_ends)
    prepared.warnings += found.warnings
    changes = found.changes
    tell_execution(result, command, found)
    tell_changes(result, changes)
    changed = bool(changes.before or changes.after or changes.unproven)
    if not proved and not tracked:
        result["unproven"].append("nothing was tracked")
        changed = True
    result["changed"] = reported(command, changed or not seen)


def _tracked(target: Target, command: Command) -> List[str]:
    """The types to compare. Raises Refused."""
    types, track = target.types, command.track
    for kind in track or ():
        if kind not in types:
            raise Refused("track has %s, which is not joined: %s joins %s. Leave it out." % (
                kind, target.name, ", ".join(types) or "nothing"))
    return [kind for kind in TRACKED if kind in (types if track is None else track)]
