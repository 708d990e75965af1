"""What debug_containers reports of one host: the chosen containers, their networks and faults, and leftovers.

The dict of host_report() is what the JSON file holds and what the other forms are written from. It holds no time and no
counter: the report of a host that did not change does not change either.
"""
from __future__ import annotations

import fnmatch
import hashlib
import re
from typing import Any, NamedTuple, Sequence

from .._audit.kept import blind, kept
from .faults import NONE, Faults
from .network import Networks
from .text import cut, printable, short_id

TYPES = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
# What engines leave the host's unless told otherwise.
USUALLY_SHARED = ("user", "cgroup", "time")


# How many containers were not chosen: for the terminal only. What others start and stop does not change our files.
LEFT_OUT = "left out"


class Choice(NamedTuple):
    """What is to be reported, as the role's variables say."""

    containers: Sequence[str] = ()
    engines: Sequence[str] = ()
    infra: bool = True
    kept: bool = True
    inventory: bool = False

    @property
    def everything(self) -> bool:
        """Whether all containers are meant."""
        return not (self.containers or self.engines)


def host_report(host: str, facts: dict[str, Any], choice: Choice, faults: Faults = NONE) -> dict[str, Any]:
    """The report of a host from what ns_facts or ns_snapshot told of it; C(faults) are those that were picked."""
    everything = containers_of(facts)
    chosen = chosen_of(everything, choice)
    networks = Networks(facts)
    problems = sorted({
        (str(problem.get("what")), str(problem.get("reason")))
        for problem in facts.get("problems") or [] if _matters(problem, chosen, choice)
    })
    report: dict[str, Any] = {
        "schema_version": 2,
        "host": host,
        "status": "incomplete" if problems else "complete",
        "reason": _by_reason(problems),
        "blind": blind(facts),
        "boot_id": facts.get("boot_id"),
        "kernel": (facts.get("kernel") or {}).get("release"),
        "problems": [{"what": what, "reason": reason} for what, reason in problems],
        "host_namespaces": facts.get("host") or {},
        "chosen": {"containers": list(choice.containers), "engines": list(choice.engines), "infra": choice.infra},
        "containers": [_with_network(one, networks, faults) for one in chosen],
        "names": _names_of_partners(chosen, everything),
        "faults": faults.found,
        "unjudged": faults.unjudged,
        "kept": kept(facts) if choice.kept else [],
    }
    if networks.asked:
        report["network"] = networks.of_host()
    if choice.inventory:
        report["inventory"] = facts.get("inventory") or []
    report[LEFT_OUT] = len(everything) - len(chosen)
    return report


def unseen_report(host: str, status: str, reason: str) -> dict[str, Any]:
    """The report of a host that was not seen."""
    return {"schema_version": 2, "host": host, "status": status, "reason": reason}


def containers_of(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """All containers of a host."""
    return [container for container in facts.get("containers") or [] if isinstance(container, dict)]


def chosen_of(containers: Sequence[dict[str, Any]], choice: Choice) -> list[dict[str, Any]]:
    """Those that are to be reported, by name."""
    return sorted((one for one in containers if _is_chosen(one, choice)), key=_order)


def _with_network(one: dict[str, Any], networks: Networks, faults: Faults) -> dict[str, Any]:
    mine = [
        {key: fault.get(key) for key in ("check", "severity", "object", "reason")}
        for fault in faults.found if one.get("id") in (fault.get("containers") or ())
    ]
    found = dict(one, faults=mine)
    return dict(found, network=networks.of_container(one)) if networks.asked else found


def unseen(result: dict[str, Any], pending: bool) -> tuple[str, str]:
    """Status and reason of a host without facts, from what its task returned (nothing when it never ran there)."""
    # ansible-core 2.19 and later say first where it went wrong.
    message = re.sub("^((Task|Action|Module) failed: )+", "", " ".join(str(result.get("msg") or "").split()))[:500]
    if result.get("unreachable"):
        return "unreachable", message or "unreachable"
    if result:
        return "failed", message or "it returned no facts"
    if pending:
        return "pending", "not looked at yet"
    return "missing", "failed or was unreachable before it was looked at"


def _matters(problem: dict[str, Any], chosen: Sequence[dict[str, Any]], choice: Choice) -> bool:
    """Whether a reader has to know: not that something ended meanwhile, nor anything of a container not chosen."""
    if problem.get("reason") == "vanished":
        return False
    if choice.everything:
        return True
    what = str(problem.get("what"))
    of_container = re.match(r"state of \S+ (.+)", what)
    if of_container:
        return any(str(one.get("id")).startswith(of_container.group(1)) for one in chosen)
    of_namespace = re.search(r" of ([a-z]+:\[\d+\])$", what)
    if of_namespace:
        return any(of_namespace.group(1) in (one.get("namespaces") or {}).values() for one in chosen)
    return True


def _by_reason(problems: Sequence[tuple[str, str]]) -> str | None:
    """The problems in a sentence, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for what, reason in problems:
        reasons.setdefault(reason, []).append(what)
    return "; ".join("%s (%s)" % (", ".join(whats), reason) for reason, whats in sorted(reasons.items())) or None


def _names_of_partners(chosen: Sequence[dict[str, Any]], everything: Sequence[dict[str, Any]]) -> dict[str, str]:
    """By id: the chosen containers and those they share something with."""
    ids = {str(one.get("id")) for one in chosen}
    for one in chosen:
        for partners in (one.get("shared_with") or {}).values():
            ids.update(map(str, partners))
    return {str(one.get("id")): display_name(one) for one in everything if str(one.get("id")) in ids}


def _is_chosen(container: dict[str, Any], choice: Choice) -> bool:
    if container.get("infra") and not choice.infra:
        return False
    if choice.engines and container.get("engine") not in choice.engines:
        return False
    return not choice.containers or any(
        fnmatch.fnmatchcase(name, pattern) for name in _names(container) for pattern in choice.containers
    )


def _names(container: dict[str, Any]) -> list[str]:
    """All names a pattern may mean: NAME, ID, engine:NAME, pod/NAME, namespace/pod/NAME."""
    name = str(container.get("name"))
    names = [name, str(container.get("id")), "{}:{}".format(container.get("engine"), name)]
    pod = container.get("pod") or {}
    if pod.get("name"):
        names.append("{}/{}".format(pod["name"], name))
        if pod.get("namespace"):
            names.append("{}/{}/{}".format(pod["namespace"], pod["name"], name))
    return names


def display_name(container: dict[str, Any]) -> str:
    """NAME, or POD/NAME of one in a pod."""
    name = str(container.get("name") or short_id(container.get("id")))
    pod = (container.get("pod") or {}).get("name")
    return f"{pod}/{name}" if pod else name


def _order(container: dict[str, Any]) -> tuple[str, str, str]:
    return (display_name(container), str(container.get("engine")), str(container.get("id")))


def mask(container: dict[str, Any], host: dict[str, str]) -> str:
    """Eight characters, one a type.

    The type's letter is an own namespace, C(=) one shared with a container, C(-) the host's, C(?) an unreadable one.
    """
    letters = []
    own, shared = container.get("namespaces") or {}, container.get("shared_with") or {}
    for kind in TYPES:
        if kind in (container.get("shared_with_host") or ()):
            letters.append("-")
        elif shared.get(kind):
            letters.append("=")
        elif own.get(kind):
            letters.append(kind[0])
        else:
            # A kernel without this type has one for all.
            letters.append("?" if host.get(kind) or not host else "-")
    return "".join(letters)


def shares(
    container: dict[str, Any], names: dict[str, str], unsaid: Sequence[str] = (), most: int | None = None,
    columns: int | None = None,
) -> list[str]:
    """What it shares with whom: C(net: host), C(net ipc: web).

    C(most) partners are named, so that it takes C(columns) columns with one, and the others are counted.

    The types in C(unsaid) are left out where the host is the partner.
    """
    with_host = container.get("shared_with_host") or ()
    found = []
    of_host = [kind for kind in TYPES if kind in with_host and kind not in unsaid]
    if of_host:
        found.append(" ".join(of_host) + ": host")
    prefix = "%s/" % (container.get("pod") or {}).get("name")
    groups: dict[tuple[str, ...], list[str]] = {}
    for kind in TYPES:
        partners = (container.get("shared_with") or {}).get(kind)
        # Of those who share the host's, the host is the partner that counts.
        if partners and kind not in with_host:
            known = (names.get(str(one), short_id(one)) for one in partners)
            key = tuple(sorted(name[len(prefix):] if name.startswith(prefix) else name for name in known))
            groups.setdefault(key, []).append(kind)
    for key, kinds in sorted(groups.items()):
        room = 4096 if columns is None else max(5, columns - len(" ".join(kinds)) - 2)
        named = ", ".join(cut(printable(name), room, "middle") for name in key[:most])
        rest = "" if most is None or len(key) <= most else " +%d" % (len(key) - most)
        found.append(" ".join(kinds) + ": " + named + rest)
    return found


def number_of(name: Any) -> str:
    """The number in a namespace's name; a question mark when there is none."""
    return printable(str(name or "").partition("[")[2].partition("]")[0]) or "?"


def shortened_image(image: Any) -> str:
    """The image; of one that is known by its digest only, the twelve digits that engines show."""
    text = str(image or "")
    match = re.match(r"(?:sha256:)?([0-9a-f]{12})[0-9a-f]{52}$", text)
    return match.group(1) if match else text


def tally(containers: Sequence[dict[str, Any]], key: str) -> list[tuple[str, int]]:
    """How many containers there are of each value, the most frequent first."""
    counts: dict[str, int] = {}
    for container in containers:
        value = str(container.get(key))
        counts[value] = counts.get(value, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def verdicts(report: dict[str, Any]) -> dict[str, int]:
    """How many namespaces without a process there are of each verdict."""
    counts: dict[str, int] = {}
    for entry in report.get("kept") or []:
        counts[entry["verdict"]] = counts.get(entry["verdict"], 0) + 1
    return counts


def file_name(host: str) -> str:
    """A file name for any inventory name: one component, never hidden, never the same for two hosts; no extension."""
    safe = re.sub(r"[^A-Za-z0-9._-]", lambda match: "".join(f"%{byte:02X}" for byte in _bytes(match.group())), host)
    if safe.startswith(".") or not safe:
        safe = "%2E" + safe[1:]
    if len(safe) > 120:
        # The part behind the cut must still tell two hosts apart.
        safe = safe[:100] + "%-" + hashlib.sha256(_bytes(host)).hexdigest()[:16]
    return safe


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
