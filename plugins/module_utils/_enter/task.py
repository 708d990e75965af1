"""What a task wants: one target or many, and what is said of them together."""
from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, Sequence

from .._model.entry import Refused, Target
from .._model.inventory import TYPES
from . import many
from .admission import Wanted, wanted_types
from .command import TOTAL_OUTPUT, Command
from .containers import Look, Looking, glance
from .options import SELECTORS

Result = Dict[str, Any]

_OWN_WORDS = ("the ", "one of ", "skipped", "ended after ", "would run", "not run ")
_LOOK = 30.0       # seconds to find containers
_BESIDES = 90.0    # seconds of a worker for all but the command
_MOST = 96 << 20   # bytes of one result: JSON makes six of one control character


def run_task(params: Mapping[str, Any], check: bool) -> Result:
    """The result of the module's parameters, with C(failed)."""
    try:
        several = any(params.get(name) for name in ("containers", "engine", "labels"))
        given = [name for name in SELECTORS if params.get(name) is not None]
        if several and given:
            raise Refused("%s names one target and containers, engine and labels many: give one kind." % given[0])
        if not several and not given:
            raise Refused("There is no target: give one of %s, or containers." % ", ".join(SELECTORS))
        command = Command.from_params(params, several)
        types = wanted_types(params.get("namespaces") or ["all"])
        tracking = not check and command.track is None
        found = _look(several or params.get("container") is not None, types or TYPES if tracking else ())
        if several:
            return _many(params, command, types, found, check)
    except Refused as refusal:
        return {"failed": True, "changed": False, "msg": _sentence(str(refusal).rstrip(".") + ".")}

    def open_(wanted: Wanted) -> Target:
        from .target import open_target

        return open_target(params, found, wanted, params.get("allow_host") or ())

    (result,) = many.run([_job(open_, types, command, check)], 1)
    result["msg"] = _sentence(result.get("msg", ""))
    return result


def _look(containers: bool, tracked: Sequence[str]) -> Look:
    try:
        if not containers:
            return glance()
        looking = Looking(time.monotonic() + _LOOK)
        try:
            _load(tracked)
            return looking.found()
        finally:
            looking.close()
    except TimeoutError as error:
        raise Refused("The process that looks for containers ended, or gave no answer. Nothing has run.") from error
    except OSError as error:
        raise Refused("The host's /proc must be readable to find namespaces, and it is not: %s." % error) from error


def _load(tracked: Sequence[str]) -> None:
    """Import what all workers need: here, while others look, and once for all."""
    from . import watch, worker

    watch.load(tracked)
    del worker


def _job(open_: Callable[[Wanted], Target], types: Wanted, command: Command, check: bool) -> many.Job:
    def work() -> Result:
        from . import worker

        return worker.work(open_, types, command, check)

    return many.Job(work, _limit(command), _MOST)


def _limit(command: Command) -> float | None:
    """Seconds that a worker may take; None where the command has no end."""
    guards = 2 if command.unless and command.onlyif else 1 if command.unless or command.onlyif else 0
    if not command.timeout:
        return None
    return (1 + guards) * (command.timeout + command.timeout_grace) + _BESIDES


def _many(params: Mapping[str, Any], command: Command, types: Wanted, found: Look, check: bool) -> Result:
    from .choose import Chosen, choose, wanted_labels
    from .target import open_container

    allowed = params.get("allow_host") or ()
    choice = choose(found, params.get("containers") or (), params.get("engine") or (),
                    wanted_labels(params.get("labels")), types, allowed, command.each)

    def opener(chosen: Chosen) -> Callable[[Wanted], Target]:
        def open_(wanted: Wanted) -> Target:
            if chosen.container is None:
                raise Refused(chosen.refusal or "")
            return open_container(chosen.container, found, wanted, allowed)

        return open_

    jobs = [_job(opener(chosen), types, command, check) for chosen in choice.targets]
    results = many.run(jobs, command.forks, _fit)
    warnings: List[str] = []
    for chosen, result in zip(choice.targets, results):
        target = result.setdefault("target", {"container": None, "id": None, "pid": None, "start_time": None})
        if chosen.container is not None and target["id"] is None:
            target.update(id=chosen.container.id, pid=chosen.container.pid, start_time=chosen.container.start_time)
        target["container"] = target["container"] or chosen.name
        target["also"] = list(chosen.also)
        result["msg"] = _sentence(result.get("msg", ""))
        warnings += ["%s: %s" % (chosen.name, warning) for warning in result.pop("warnings", ())]
    failed = [result["target"]["container"] for result in results if result.get("failed")]
    task: Result = {
        "changed": any(result.get("changed") for result in results), "targets": results, "left_out": choice.left_out,
        "msg": "",
    }
    if not results:
        asked = ", ".join(params.get("containers") or ["engine and labels"])
        task["msg"] = "No running container fits %s, so nothing was run." % asked
        if choice.left_out:
            task["msg"] = "All %d containers were left out, so nothing was run." % len(choice.left_out)
    elif all(result.get("skipped") for result in results):
        task.update(skipped=True, msg="not run in check mode")
    if failed:
        named = ", ".join(failed[:10]) + (" and %d more" % (len(failed) - 10) if len(failed) > 10 else "")
        task.update(failed=True, msg="%d of %d targets failed: %s." % (len(failed), len(results), named))
    if warnings:
        task["warnings"] = warnings[:50]
    return task


def _fit(results: List[Result]) -> None:
    """At most TOTAL_OUTPUT bytes of all that was said up to now: who said little keeps it all."""
    from .output import Said, cut, shares

    texts = [(result, stream) for result in results for stream in ("stdout", "stderr") if result.get(stream)]
    if sum(len(result[stream]) for result, stream in texts) <= TOTAL_OUTPUT // 4:
        return  # a character has four bytes at most
    most = shares([len(result[stream].encode("utf-8")) for result, stream in texts], TOTAL_OUTPUT)
    for result, stream in texts:
        kept = cut(Said(result[stream], result["truncated"][stream]), most)
        result[stream], result["truncated"][stream] = kept.text, kept.dropped


def _sentence(text: str) -> str:
    # Not any first word: it may be the name of a container, program or option, or what ansible.builtin.command says.
    return text[:1].upper() + text[1:] if text.startswith(_OWN_WORDS) else text
