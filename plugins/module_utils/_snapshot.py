"""Facts of a host as a snapshot: zlib over JSON by columns, small enough to travel through Ansible's results."""
from __future__ import annotations

import base64
import json
import zlib
from typing import Any, Callable, Dict, List, Tuple

from ._columns import MOST_VALUES, from_columns, to_columns
from ._model.inventory import TRUNCATED

# ansible-runner and AWX cut results of more than 700,000 bytes.
MOST = 600_000
_MOST_RAW = 100_000_000
_SURELY_TAKEN = 1_000_000  # bytes of JSON, in which there cannot be more than the controller takes
_LIMITS = (200, 50, 10, 2)
_MOST_PROBLEMS = 500


def pack(facts: dict[str, Any], most: int = MOST) -> str:
    """The snapshot in base85, of at most C(most) bytes.

    What does not fit is left out, the most bulky and least telling first, and said in C(problems). Changes C(facts).
    """
    packed, fits = _packed(facts)
    for what, cut in _steps():
        if fits and len(packed) <= most:
            break
        lost = cut(facts)
        if lost:
            facts["complete"] = False
            facts["problems"].append({"what": "snapshot: %s" % what, "reason": TRUNCATED, "count": lost})
            packed, fits = _packed(facts)
    return packed


def summary(facts: dict[str, Any]) -> dict[str, Any]:
    """What is said of a snapshot in a result: numbers only."""
    counts: Dict[str, int] = dict(facts["counts"])
    for what in ("containers", "networks"):
        if what in facts:
            counts[what] = len(facts[what])
    return {"counts": counts, "complete": facts["complete"], "problems": sum(one["count"] for one in facts["problems"])}


def unpack(snapshot: Any) -> dict[str, Any]:
    """The facts in a snapshot that a host sent. Raises ValueError for what is none, or too much."""
    try:
        if not isinstance(snapshot, str) or len(snapshot) > MOST:
            raise ValueError("no text of at most %d characters" % MOST)
        stream = zlib.decompressobj()
        raw = stream.decompress(base64.b85decode(snapshot), _MOST_RAW)
        if not stream.eof:
            raise ValueError("cut off, or more than %d bytes" % _MOST_RAW)
        facts = _read(raw)
    except (zlib.error, RecursionError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(facts, dict):
        raise ValueError("facts that are no dictionary")
    for entry in facts.get("inventory") or ():
        if isinstance(entry, dict) and "name" in entry:
            entry.setdefault("ref", _ref(entry))
    return facts


def _read(raw: bytes) -> Any:
    # Before it is parsed: an empty list takes three bytes here, and twenty times as much as an object.
    if sum(raw.count(one) for one in (b",", b"[", b"{")) > MOST_VALUES:
        raise ValueError("more than %d values" % MOST_VALUES)
    return from_columns(json.loads(raw.decode("utf-8", "surrogatepass")))


def _packed(facts: dict[str, Any]) -> Tuple[str, bool]:
    """The snapshot, and whether the controller will take it apart."""
    sent = dict(facts)
    if "inventory" in facts:
        # It can be told from the others.
        sent["inventory"] = [
            {key: value for key, value in entry.items() if key != "ref" or value != _ref(entry)}
            for entry in facts["inventory"]
        ]
    text = json.dumps(to_columns(sent), separators=(",", ":"), ensure_ascii=False)
    raw = text.encode("utf-8", "surrogatepass")
    fits = len(raw) <= _SURELY_TAKEN
    if not fits and len(raw) < _MOST_RAW:
        try:
            _read(raw)
            fits = True
        except ValueError:
            pass
    return base64.b85encode(zlib.compress(raw, 9)).decode("ascii"), fits


def _ref(entry: dict[str, Any]) -> str:
    ns_id = entry.get("ns_id")
    return str(entry["name"]) if ns_id is None else "%s#%s" % (entry["name"], ns_id)


def _steps() -> List[Any]:
    """How to make a snapshot smaller, in this order: what it is called, and what does it and counts what is lost."""
    steps: List[Any] = [
        ("problems", lambda facts: _cut(facts["problems"], _MOST_PROBLEMS)),
        ("command lines", lambda facts: _drop(facts, "inventory", lambda entry: entry.get("leader") or {}, "cmdline")),
        ("process IDs", lambda facts: _drop(facts, "inventory", lambda entry: entry, "pids")),
    ]
    for limit in _LIMITS:
        steps.append(("lists of more than %d entries" % limit, lambda facts, limit=limit: _shorten(facts, limit)))
        if limit == _LIMITS[0]:
            steps.append(("labels", lambda facts: _drop(facts, "containers", lambda entry: entry, "labels")))
    for what in ("networks", "inventory", "containers"):
        steps.append((what, lambda facts, what=what: _forget(facts, what)))
    return steps


def _cut(rows: List[Any], limit: int) -> int:
    lost = max(0, len(rows) - limit)
    del rows[limit:]
    return lost


def _drop(facts: dict[str, Any], where: str, part: Callable[[dict[str, Any]], dict[str, Any]], key: str) -> int:
    return sum(1 for entry in facts.get(where) or () if part(entry).pop(key, None))


def _shorten(facts: dict[str, Any], limit: int) -> int:
    """Cut the lists of networks and pins; default routes stay."""
    lost = 0
    for network in (facts.get("networks") or {}).values():
        for key, rows in network.items():
            if isinstance(rows, list) and len(rows) > limit:
                kept = rows[:limit] + [row for row in rows[limit:] if row.get("destination") == "default"][:limit]
                lost += len(rows) - len(kept)
                network[key] = kept
            elif isinstance(rows, dict) and key in ("sysctls", "firewall", "dns"):
                lost += _shorten_dict(rows, limit)
    for entry in facts.get("inventory") or ():
        lost += max(0, len(entry["pins"]) - limit)
        entry["pins"] = entry["pins"][:limit]
    return lost


def _shorten_dict(rows: dict[str, Any], limit: int) -> int:
    lost = 0
    for key, value in rows.items():
        if isinstance(value, list) and len(value) > limit:
            lost += len(value) - limit
            rows[key] = value[:limit]
    return lost


def _forget(facts: dict[str, Any], what: str) -> int:
    lost = len(facts.get(what) or ())
    if lost:
        facts[what] = type(facts[what])()
    return lost
