"""The folder of the reports on the controller. A file is written where its content changes, whole or not at all."""
from __future__ import annotations

import os
from pathlib import Path


class Folder:
    """Writes below C(path); nothing in check mode (C(pretend)). C(changed): the names of what is new or other now."""

    def __init__(self, path: str, pretend: bool) -> None:
        self._path = Path(path)
        self._pretend = pretend
        self.changed: list[str] = []

    def write(self, name: str, text: str) -> None:
        """A text file with the rights that the umask leaves. Raises OSError."""
        self.put(name, text.encode("utf-8"), 0o666)

    def put(self, name: str, content: bytes, mode: int) -> None:
        """A file of new rights C(mode), less the umask; the rights of one that is there stay. Raises OSError."""
        path = self._path / name
        # What is no file is not read: somebody may have made a pipe of it, or a link to something endless.
        if path.is_file():
            found = path.stat()
            if found.st_size == len(content) and path.read_bytes() == content:
                return
            mode = found.st_mode & 0o777 & mode
        if self._pretend:
            self.changed.append(name)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that it can take it in one step; a link that somebody made in the folder is not followed.
        # Of no known name: neither what a killed run left nor what another one writes just now is in its way.
        scratch = path.with_name(".%s.%s" % (path.name[:100], os.urandom(8).hex()))
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.replace(scratch, path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        self.changed.append(name)
