"""A process that makes the system calls it is told, one after another, and nothing else.

What joins a container must not be Python: the container's processes may get at the file that is executed
(C(#!/proc/self/exe), CVE-2019-5736), and with CAP_SYS_PTRACE at its memory. So it is a program of 200 bytes, which has
nothing in it: a socket brings it the numbers and arguments of system calls, and takes their results back. It lies in
a sealed memory file that has no mode, so that nobody can execute or change it a second time. Its environment is empty.
"""
from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import time
from typing import Any, Callable, List, Mapping, NamedTuple, Sequence, Tuple, Union

from .child import reap
from .clone import CLONE_PARENT, arguments
from .executor_program import DATA, ROOM, image_file
from .files import HIGHEST_FD
from .libc import KernelLacks, failure, number
from .memfd import F_SEAL_EXEC, F_SEAL_SEAL, seal
from .pipes import duplicate
from .proc import Proc

# What we ourselves have other ways for: name, x86_64, aarch64. Sources as for CALLS in libc.py.
_CALLS = """
read 0 63  write 1 64  close 3 57  rt_sigaction 13 134  rt_sigprocmask 14 135  ioctl 16 29  getpid 39 172
socket 41 198  clone 56 220  execve 59 221  fcntl 72 25  chdir 80 49  fchdir 81 50  umask 95 166  setsid 112 157
setgroups 116 159  setresuid 117 147  setresgid 119 149  rt_sigtimedwait 128 137  chroot 161 51  sethostname 170 161
setdomainname 171 162  exit_group 231 94  keyctl 250 219  openat 257 56  mkdirat 258 34  mknodat 259 33
symlinkat 266 36  ppoll 271 73  dup3 292 24  prlimit64 302 261  execveat 322 281
"""
_HEAD = struct.Struct("=QQQ")      # bytes that follow, bytes of the reply, unused
_STEP = struct.Struct("=qQQQQQQQ")  # number, arguments, flags
_END = _STEP.pack(-1, 0, 0, 0, 0, 0, 0, 0)
_GO_ON, _CHILD = 1, 2              # flags: also after an error; the child of a fork leaves out the next step
_WHOLE = 32 << 10                  # bytes that one write(2) to a socket puts there without another's between them
_DYING = 0.5                       # seconds between the end of its line and its own
_ENDING = 2.0                      # seconds for everybody in a pid namespace
_PF_EXITING = 0x4                  # include/linux/sched.h
_LINE = 3                          # the program's end of the socket
FIRST = 4
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_F_SETFD, _FD_CLOEXEC = 2, 1
_SIG_BLOCK, _SIG_SETMASK = 0, 2
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000


class Block(NamedTuple):
    """Memory: C(content), in which the words at the offsets C(links) are made to point to other blocks."""

    content: bytes
    links: Mapping[int, Union[bytes, Block]] = {}


Argument = Union[int, bytes, Block, None]


class Step(NamedTuple):
    """A system call by its name; bytes go as a pointer to them, with a NUL behind. C(go_on): an error is no end.

    C(forks): where the result is 0 the step behind it is left out.
    """

    call: str
    arguments: Tuple[Argument, ...] = ()
    go_on: bool = False
    forks: bool = False


def step(call: str, *arguments: Argument, go_on: bool = False) -> Step:
    """A step, written as a call."""
    return Step(call, arguments, go_on)


def strings(texts: Sequence[bytes]) -> Block:
    """An array of pointers to strings with a null pointer at its end, as execve(2) takes it."""
    return Block(bytes(8 * len(texts) + 8), {8 * at: text for at, text in enumerate(texts)})


def call_number(name: str) -> int:
    """The system call's number on this machine. Raises KernelLacks for a machine whose numbers are not recorded."""
    words = _CALLS.split()
    if name not in words:
        return number(name)
    column = {"x86_64": 1, "aarch64": 2, "aarch64_be": 2}.get(os.uname().machine)
    if column is None:
        raise KernelLacks("%s known to this collection on %s" % (name, os.uname().machine))
    return int(words[words.index(name) + column])


class Unknown(OSError):
    """Whether the file was executed cannot be told."""


class Executor:
    """The process. C(streams): the descriptors that it has as its standard input, output and error.

    C(descriptors) are others that it needs for its work; the first has the number FIRST there. It has no more, and
    C(close_descriptors) leaves it with its streams. C(pid) is a child of ours: the caller waits for it (or for what it
    forks) and reads its streams. Calls raise OSError as the kernel answered, TimeoutError when there is no answer
    before C(until), ConnectionError when it has died. C(called) is its argv[0].
    """

    def __init__(self, streams: Tuple[int, int, int], until: float, descriptors: Sequence[int] = (),
                 called: bytes = b"nsfleet") -> None:
        self.until = until
        made = image_file()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        # Numbers that are not among those which they are going to have.
        image, *copies = [duplicate(fd, 64) for fd in (made, *streams, theirs.fileno(), *descriptors)]
        try:
            self.pid = os.posix_spawn(
                "/proc/self/fd/%d" % image, [called], {},
                file_actions=[(os.POSIX_SPAWN_DUP2, copy, at) for at, copy in enumerate(copies)],
                setsigmask=(), setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except BaseException:
            ours.close()
            raise
        finally:
            # From now on nobody can execute it again, and with the seal nobody can give it back its mode.
            os.fchmod(image, 0)
            try:
                seal(image, F_SEAL_EXEC | F_SEAL_SEAL)
            except (KernelLacks, OSError):
                pass  # before 6.3, or no memory file: who gives it a mode again executes a program without orders
            for descriptor in (made, image, *copies):
                os.close(descriptor)
            theirs.close()
        self._line = ours
        self.calls(
            step("fcntl", _LINE, _F_SETFD, _FD_CLOEXEC), step("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0),
            step("setsid"),
        )
        self.close_descriptors(FIRST + len(descriptors))

    def close_descriptors(self, first: int = FIRST) -> None:
        """Close those from C(first) on. Only as long as /proc/PID of the process can be read, before Linux 5.9."""
        try:
            self.call("close_range", first, HIGHEST_FD, 0)
        except KernelLacks:
            for name in self.seen(lambda: os.listdir("/proc/%d/fd" % self.pid)):
                if int(name) >= first:
                    self.call("close", int(name))

    def call(self, name: str, *arguments: Argument) -> int:
        """One system call and its result."""
        return self.calls(step(name, *arguments))[0]

    def calls(self, *steps: Step) -> List[int]:
        """System calls in order, up to the first that fails; results, -errno for a failed one that may fail."""
        message = _message(steps)
        self._send(message)
        return self._results(steps, self._reply(message))

    def seen(self, look: Callable[[], Any]) -> Any:
        """What C(look) finds in /proc/PID of the process.

        Who is not root may read most of that only while the process is dumpable. To be used before it is in a
        container's pid namespace, and as long as it has more rights than the container: then nobody else profits.
        """
        try:
            return look()
        except PermissionError:
            self.call("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)
            try:
                return look()
            finally:
                self.call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)

    def start_again_in(self, cgroup: str) -> bool:
        """Become a new process, in a cgroup of version 2 from its beginning; false where that cannot be (before 5.7).

        Who is moved there waits for a grace period of RCU (10 ms and more), and so do all forks of the machine. To be
        called before anything else: what begins with a new process, such as its pid namespace, begins here.
        """
        try:
            folder = self.call("openat", _AT_FDCWD, os.fsencode(cgroup), os.O_PATH | os.O_CLOEXEC, 0)
            request = arguments(CLONE_PARENT, folder)
            # The first to answer is the new one: the old one ends with its next step, which the new one leaves out.
            pid = self.calls(step("clone3", Block(request), len(request))._replace(forks=True), step("exit_group", 0),
                             step("getpid"), step("close", folder))[2]
        except (TimeoutError, ConnectionError):
            raise
        except OSError:
            return False
        reap(self.pid)
        self.pid = pid
        return True

    def execute(self, path: bytes, argv: Sequence[bytes], environment: Sequence[bytes], fork: Union[bool, Step],
                before: Sequence[Step] = (), first: Sequence[Step] = (), init: int | None = None,
                outlives: bool = False) -> int:
        """Execute a file: in this process, or (C(fork)) in a new one, a child of ours too; its pid.

        C(first) is done by this one, C(before) by the one that executes. Raises OSError when any of it, or the
        execution, fails: then nothing has been executed and the process is gone; Unknown where that cannot be told.
        The process ends with ours, as far as the kernel allows, unless it C(outlives) us.

        C(fork) may be the step that forks (with CLONE_PARENT), in place of a plain clone. C(init): the number that the
        image of init_program has here. The new process, which must be the first of a pid namespace, becomes that
        program, and its child, process 2, does C(before) and executes the file; it is process 1 whose pid is returned.
        Process 1 keeps the rights, filters, root directory and streams that this one has after C(first).
        """
        if init is not None and not fork:
            raise ValueError("process 1 is a new process")
        ending = [] if outlives else [step("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)]
        execution = step("execve", path, strings(argv), strings(environment))
        steps = [*before, *ending, execution] if init is None else [*_below(init, ending), *before, execution]
        pid = self.pid
        try:
            if not fork:
                steps = [*first, *steps]
                message = _message(steps)
                self._send(message)
                self._executed(steps, message)
                return pid
            at = len(first)
            if not isinstance(fork, Step):
                fork = step("clone", CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
            steps = [*first, fork._replace(forks=True), step("end"), *steps]
            message = _message(steps)
            if _HEAD.unpack_from(message)[1] > _WHOLE:
                raise failure("execve", errno.E2BIG)  # two replies could get mixed up
            self._send(message)
            try:
                reply = self._reply(message)
            except (ConnectionError, TimeoutError) as error:
                # The child may be there, and we do not know which it is.
                raise Unknown(error.errno, str(error.strerror)) from error
            failed = None
            if _STEP.unpack_from(reply, _HEAD.size + at * _STEP.size)[0] == 0:
                # The child failed before its parent had answered, or the child's child did: never both, see _below.
                failed, reply = reply, self._reply(message)
            pid = self._results(steps[:at + 1], reply)[at]
            # It is the process's word: nobody is ended by it who is not our child.
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            # It is done; as long as it is there the end of the line cannot be seen.
            reap(self.pid)
            self.pid = pid
            if failed is None:
                self._executed(steps, message)
            else:
                self._results(steps, failed)
            return pid
        except BaseException:
            # Process 1 waits for the end of its namespace before its own.
            self.close(0.1 if init is None else _ENDING)
            raise
        finally:
            self._line.close()

    def fork(self) -> int:
        """Go on as a new process, a child of ours too, which is where the old one's children are to be; its pid.

        Raises OSError when there can be none (ENOMEM: its pid namespace has ended); then the process is as it was.
        """
        forking = step("clone", CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)._replace(forks=True)
        message = _message([forking, step("end")])
        self._send(message)
        results = [int(_STEP.unpack_from(self._reply(message), _HEAD.size)[0])]
        if results[0] < 0:
            raise failure("clone", -results[0])
        # Both answer, each with one write; the child's result is 0.
        results.append(int(_STEP.unpack_from(self._reply(message), _HEAD.size)[0]))
        # Before anything else is sent: both would read it.
        reap(self.pid)
        self.pid = max(results)
        return self.pid

    def settle(self, *steps: Step) -> None:
        """Its last orders: these calls; then it closes all that it has open and sleeps, for ever and without us.

        As the init of a pid namespace it needs nothing more. What is not said to go on after errors ends it.
        """
        self.close_descriptors()
        closing = [step("close", descriptor, go_on=True) for descriptor in range(FIRST)]
        # No time, no descriptors; the kernel begins it anew after SIGSTOP and SIGCONT.
        self._send(_message([*steps, *closing, step("ppoll", None, 0, None, None, 0)]))
        self._line.close()
        self.pid = 0

    def close(self, seconds: float = 0.1) -> None:
        """End the process, where it has executed nothing, and wait so long for its end."""
        self._line.close()
        if self.pid:
            # Not waitpid(2) alone: of who is traced from inside we are told when the tracer lets go, perhaps never.
            reap(self.pid, seconds)
            self.pid = 0

    def _executed(self, steps: Sequence[Step], message: bytes) -> None:
        try:
            reply = self._reply(message)
        except ConnectionError:
            # Closed on execution, or by its end.
            if not self._has_executed():
                raise Unknown(errno.ECONNRESET, "the process that enters has ended") from None
            return
        except TimeoutError as error:
            raise Unknown(error.errno, str(error.strerror)) from error
        self._results(steps, reply)

    def _has_executed(self) -> bool:
        """Whether it is another program by now, or was one; and not ended by the signal by which ours does."""
        limit = time.monotonic() + _DYING
        while True:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                return ended.si_code == os.CLD_EXITED or ended.si_status != signal.SIGILL
            try:
                exiting = Proc().stat(self.pid).flags & _PF_EXITING
            except OSError:  # proc(5) with hidepid
                exiting = _PF_EXITING
            # Who is alive after that without a line to us has become something else.
            if not exiting or time.monotonic() >= limit:
                return True
            time.sleep(0.001)

    def _send(self, message: bytes) -> None:
        try:
            self._line.settimeout(self._left())
            self._line.sendall(message)
        except socket.timeout:
            raise TimeoutError(errno.ETIMEDOUT, "no answer from the process that enters") from None

    def _reply(self, message: bytes) -> bytes:
        size = _HEAD.unpack_from(message)[1]
        chunks: List[bytes] = []
        while size:
            try:
                self._line.settimeout(self._left())
                chunk = self._line.recv(size)
            except socket.timeout:
                raise TimeoutError(errno.ETIMEDOUT, "no answer from the process that enters") from None
            if not chunk:
                raise ConnectionResetError(errno.ECONNRESET, "the process that enters has ended")
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def _left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "no time left to enter")
        return left

    @staticmethod
    def _results(steps: Sequence[Step], reply: bytes) -> List[int]:
        results: List[int] = []
        for at, wanted in enumerate(steps):
            if wanted.call == "end":
                continue
            result = _STEP.unpack_from(reply, _HEAD.size + at * _STEP.size)[0]
            if -4096 < result < 0 and not wanted.go_on:
                raise failure(wanted.call, -result)
            results.append(result)
        return results


def _below(init: int, ending: Sequence[Step]) -> List[Step]:
    """What comes before the steps of a command below process 1: those of process 1, and the command's own first ones.

    Process 2 waits for the SIGCONT of the program that process 1 becomes. So either process 1 fails, and process 2 has
    done nothing yet and never will: it ends with process 1. Or process 1 has nothing to fail at any more, and has left
    the line to process 2. Nobody else in there could send the signal: there is nobody else yet.
    """
    return [
        # Who ignores SIGCHLD, which may be inherited from whoever started us, is not told of any status.
        step("rt_sigaction", signal.SIGCHLD, bytes(32), None, 8),
        step("rt_sigprocmask", _SIG_BLOCK, b"\xff" * 8, None, 8),
        *ending,
        step("setsid"),
        step("fcntl", init, _F_SETFD, _FD_CLOEXEC),
        step("clone", signal.SIGCHLD, 0, 0, 0, 0)._replace(forks=True),
        step("execveat", init, b"", strings([b"nsfleet-init"]), strings([]), _AT_EMPTY_PATH),
        step("rt_sigtimedwait", struct.pack("=Q", 1 << (signal.SIGCONT - 1)), None, None, 8),
        step("rt_sigprocmask", _SIG_SETMASK, bytes(8), None, 8),
    ]


def _message(steps: Sequence[Step]) -> bytes:
    """What the process is sent: head, steps, and all that their arguments point to."""
    reply = _HEAD.size + (len(steps) + 1) * _STEP.size
    memory = bytearray(reply)

    def place(block: Union[bytes, Block]) -> int:
        if isinstance(block, bytes):
            block = Block(block + b"\0")
        links = {offset: place(target) for offset, target in block.links.items()}
        memory.extend(bytes(-len(memory) % 8))
        at = len(memory)
        memory.extend(block.content)
        for offset, address in links.items():
            struct.pack_into("=Q", memory, at + offset, address)
        return DATA + at

    for at, wanted in enumerate(steps):
        packed = _END
        if wanted.call != "end":
            words = [place(argument) if isinstance(argument, (bytes, Block)) else (argument or 0) & (1 << 64) - 1
                     for argument in wanted.arguments]
            words += [0] * (6 - len(words))
            flags = (_GO_ON if wanted.go_on else 0) | (_CHILD if wanted.forks else 0)
            packed = _STEP.pack(call_number(wanted.call), *words, flags)
        memory[_HEAD.size + at * _STEP.size:_HEAD.size + (at + 1) * _STEP.size] = packed
    memory[reply - _STEP.size:reply] = _END
    if len(memory) > ROOM:
        raise failure("execve", errno.E2BIG)
    _HEAD.pack_into(memory, 0, len(memory) - _HEAD.size, reply, 0)
    return bytes(memory)
