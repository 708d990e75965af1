"""What is to run, and how: the options of a module, checked. What ansible.builtin.command has too means the same."""
from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, field
from typing import Any, List, Mapping, NamedTuple

from .._model.entry import Refused
from .environment import Homes, encoded, expand

TOTAL_OUTPUT = 4 << 20    # bytes of all streams of all targets
_LONGEST = 131071         # bytes of an argument or variable: MAX_ARG_STRLEN of execve(2) with its NUL
_MOST_INPUT = 16 << 20    # bytes
_MOST_OUTPUT = 64 << 20   # bytes of a stream
_MANY_TIMEOUT = 60.0      # seconds
_SHELL = "/bin/sh"


class Words(NamedTuple):
    """A program and its arguments, or (C(line) is not None) a shell, C(-c) and a line for it."""

    words: List[str]
    line: str | None = None

    @property
    def shown(self) -> list[str] | str:
        """As results tell it: a shell's line as it is, else the words before they are expanded."""
        return self.words if self.line is None else self.line

    def arguments(self, environment: Mapping[bytes, bytes], homes: Homes, expanding: bool) -> list[bytes]:
        """For execve(2). C(expanding): C(~) and variables, which a shell's line leaves to the shell. Raises Refused."""
        words = self.words
        if expanding and self.line is None:
            words = [expand(word, environment, homes) for word in words]
        return [checked("an argument", word) for word in words]


@dataclass
class Command:
    """The options. Texts that are paths (C(chdir), C(creates), C(removes)) are expanded by C(path).

    C(timeout): seconds, 0 without end. C(track): types, None for auto. C(environment_from): None for the default.
    """

    run: Words
    chdir: str | None = None
    creates: str | None = None
    removes: str | None = None
    stdin: bytes | None = None
    strip_empty_ends: bool = True
    expand_argument_vars: bool = True
    env: dict[str, str] = field(default_factory=dict)
    environment_from: str | None = None
    user: str | None = None
    group: str | None = None
    umask: int | None = None
    timeout: float = 0.0
    timeout_grace: float = 2.0
    timeout_ok: bool = False
    max_output: int = 1 << 20
    container_dns: bool = False
    unless: Words | None = None
    onlyif: Words | None = None
    read_only: bool = False
    track: list[str] | None = None
    report_change: str = "state"
    privileges: str = "auto"
    trusted: bool = False
    forks: int = 8
    each: bool = False

    @classmethod
    def from_params(cls, params: Mapping[str, Any], many: bool = False) -> Command:
        """Of a module's parameters; C(many): targets, not one. Raises Refused, before anything was looked at."""
        executable = _text(params, "executable")
        shell = bool(params.get("shell"))
        if executable and not shell:
            raise Refused("executable is %s without a shell: it names the shell of shell: true" % executable)
        found = cls(
            run=_run(params, shell, executable),
            unless=_guard(params, "unless", shell, executable),
            onlyif=_guard(params, "onlyif", shell, executable),
            stdin=_stdin(params),
            env=_env(params.get("env") or {}),
            umask=_umask(params.get("umask")),
            timeout=_seconds(params, "timeout", _MANY_TIMEOUT if many else 0.0),
            timeout_grace=_seconds(params, "timeout_grace", 2.0),
            max_output=_number(params, "max_output", 1 << 20, 0, _MOST_OUTPUT),
            forks=_number(params, "forks", 8, 1, 1000),
            track=_track(params.get("track")),
        )
        for name in ("chdir", "creates", "removes", "user", "group"):
            setattr(found, name, _text(params, name))
        for name in ("strip_empty_ends", "expand_argument_vars"):
            setattr(found, name, params.get(name) is not False)
        for name in ("timeout_ok", "container_dns", "read_only", "trusted", "each"):
            setattr(found, name, bool(params.get(name)))
        found.environment_from = params.get("environment_from")
        found.report_change = params.get("report_change") or "state"
        found.privileges = params.get("privileges") or "auto"
        if found.user and ":" in found.user and found.group:
            raise Refused("user is %r and group is %r: give the group once" % (found.user, found.group))
        return found

    def environment_source(self, types: list[str]) -> str:
        """Whose environment it begins with (C(host), C(target), C(none)) when C(types) are joined."""
        return self.environment_from or ("target" if "mnt" in types else "host")


def blank(command: Command) -> dict[str, Any]:
    """All that a result has, before anything is known."""
    return {
        "changed": False, "cmd": command.run.shown, "rc": None, "stdout": "", "stderr": "", "msg": "",
        "target": {"container": None, "id": None, "pid": None, "start_time": None}, "namespaces": {}, "unproven": [],
        "diff": {"before": "", "after": ""}, "left": [], "truncated": {"stdout": 0, "stderr": 0},
    }


def path(text: str, environment: Mapping[bytes, bytes], homes: Homes) -> str:
    """A path option, expanded as Ansible expands those of its type C(path), but from the command's environment."""
    return expand(text, environment, homes)


def _run(params: Mapping[str, Any], shell: bool, executable: str | None) -> Words:
    cmd, argv = params.get("cmd"), params.get("argv")
    if (cmd is None) == (argv is None):
        wrong = "neither was given" if cmd is None else "both were"
        raise Refused("one of cmd and argv says what to run, but %s: give one" % wrong)
    if argv is None:
        return _words("cmd", str(cmd), shell, executable)
    if shell:
        raise Refused("argv was given for a shell, which takes a line: give cmd, or leave out shell")
    return _listed("argv", argv)


def _guard(params: Mapping[str, Any], name: str, shell: bool, executable: str | None) -> Words | None:
    given = params.get(name)
    if given is None:
        return None
    return _listed(name, given) if isinstance(given, (list, tuple)) else _words(name, str(given), shell, executable)


def _words(name: str, line: str, shell: bool, executable: str | None) -> Words:
    checked(name, line, _LONGEST if shell else _MOST_INPUT)
    if shell:
        if not line.strip():
            raise Refused("%s is empty: say what to run" % name)
        return Words([executable or _SHELL, "-c", line], line)
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Refused("%s cannot be taken apart (%s): mind its quotes, or give a list" % (name, error)) from None
    return _listed(name, words)


def _listed(name: str, words: Any) -> Words:
    found = [str(word) for word in words if word is not None]
    if not found or not found[0]:
        raise Refused("%s is empty: say what to run" % name)
    for word in found:
        checked("an argument of " + name, word)
    return Words(found)


def checked(name: str, text: str, most: int = _LONGEST) -> bytes:
    """The bytes of what the kernel is given. Raises Refused for what it could not take."""
    try:
        raw = encoded(text)
    except UnicodeEncodeError:
        raise Refused("%s holds a surrogate, which is no character: write it otherwise" % name) from None
    if b"\0" in raw:
        raise Refused("%s holds a NUL byte, at which the kernel would cut it: leave it out" % name)
    if len(raw) > most:
        raise Refused("%s has %d bytes, but at most %d are taken: pass it in a file or as stdin"
                      % (name, len(raw), most))
    return raw


def _text(params: Mapping[str, Any], name: str) -> str | None:
    given = params.get(name)
    if given is None or given == "":
        return None
    checked(name, str(given))
    return str(given)


def _stdin(params: Mapping[str, Any]) -> bytes | None:
    given = params.get("stdin")
    # As ansible.builtin.command: an empty one is none.
    if not given:
        return None
    try:
        raw = encoded(str(given)) + (b"" if params.get("stdin_add_newline") is False else b"\n")
    except UnicodeEncodeError:
        raise Refused("stdin holds a surrogate, which is no character: write it otherwise") from None
    if len(raw) > _MOST_INPUT:
        raise Refused("stdin has %d bytes, but at most %d are taken: copy a file there first" % (len(raw), _MOST_INPUT))
    return raw


def _env(given: Mapping[Any, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given.items():
        if not isinstance(name, str) or not name or "=" in name:
            raise Refused("env has the name %r, which no variable can have: leave out what is empty or has a =" % name)
        # YAML makes yes, on and 1e3 into something else than was written.
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise Refused("%s of env is the %s %r, no text: quote it" % (name, type(value).__name__, value))
        checked("a variable of env", "%s=%s" % (name, value))
        found[name] = str(value)
    return found


def _umask(given: Any) -> int | None:
    """Octal digits; an integer is what YAML made of such digits, as for C(mode) of ansible.builtin.file."""
    if given is None or given == "":
        return None
    try:
        found = given if isinstance(given, int) and not isinstance(given, bool) else int(str(given), 8)
    except ValueError:
        found = -1
    if not 0 <= found <= 0o777:
        raise Refused("umask is %r, which is none: write octal digits in quotes, such as '0022'" % (given,))
    return int(found)


def _seconds(params: Mapping[str, Any], name: str, default: float) -> float:
    given = params.get(name)
    try:
        found = default if given is None else float(given)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise Refused("%s is %s, which is no time: give seconds, 0 or more" % (name, given))
    return found


def _number(params: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    given = params.get(name)
    found = default if given is None else int(given)
    if not least <= found <= most:
        raise Refused("%s is %d: give %d to %d" % (name, found, least, most))
    return found


def _track(given: Any) -> list[str] | None:
    names = [given] if isinstance(given, str) else list(given or ["auto"])
    if "auto" not in names and "none" not in names:
        return names
    if len(names) > 1:
        raise Refused("track is %s: give auto, none, or types" % ", ".join(names))
    return None if names == ["auto"] else []
