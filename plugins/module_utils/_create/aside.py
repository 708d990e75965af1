"""Work in a forked child: where it is then, and what it has mounted, ends with it."""
from __future__ import annotations

import errno
import gc
import json
import os
import signal
import time
from typing import Any, Callable

from .._kernel.child import leave_streams, readable, reap
from .._kernel.prctl import set_pdeathsig
from .._model.entry import Refused

_SECONDS = 30.0


def aside(work: Callable[[], Any], seconds: float = _SECONDS) -> Any:
    """What C(work) returns, as JSON has it, done by a child. Raises Refused or OSError as it does, or for its end."""
    reader, writer = os.pipe()
    gc.freeze()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if not pid:
        try:
            _child(work, writer)
        finally:
            os._exit(1)
    os.close(writer)
    until = time.monotonic() + seconds
    said = b""
    try:
        while readable(reader, until):
            piece = os.read(reader, 65536)
            if not piece:
                break
            said += piece
        else:
            raise TimeoutError(errno.ETIMEDOUT, "no answer from a child")
    finally:
        os.close(reader)
        reap(pid)
    if not said:
        raise OSError(errno.ECHILD, "a child was ended")
    kind, value = json.loads(said)
    if kind == "refused":
        raise Refused(value)
    if kind == "error":
        raise OSError(value[0], value[1])
    return value


def _child(work: Callable[[], Any], writer: int) -> None:
    # It has our handlers otherwise, which raise what only we understand.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    set_pdeathsig(signal.SIGKILL)
    leave_streams(())
    try:
        answer: Any = ("done", work())
    except Refused as refusal:
        answer = ("refused", str(refusal))
    except OSError as error:
        answer = ("error", (error.errno or errno.EIO, str(error.strerror or error)))
    data = json.dumps(answer).encode("ascii")
    while data:
        data = data[os.write(writer, data):]
    os._exit(0)
