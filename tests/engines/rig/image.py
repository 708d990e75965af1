# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one image of all engines: a static busybox and nothing more."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

PROGRAMS = ("sh", "sleep", "cat", "id", "ls", "mkfifo", "mount", "true", "unshare")
# systemd-nspawn refuses a tree without usr; the rest are mount points of one engine or another.
FOLDERS = ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/bin", "var")


def unpacked(folder: Path) -> Path:
    """A root file system in a folder."""
    busybox = shutil.which("busybox", path="/usr/bin:/bin")
    if busybox is None:
        raise FileNotFoundError("busybox: not installed (Debian: busybox-static)")
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    shutil.copy2(busybox, folder / "bin/busybox")
    for name in PROGRAMS:
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\nalice:x:1000:\n")
    if not _is_static(folder):
        raise RuntimeError(f"{busybox} is linked dynamically (Debian: busybox-static)")
    return folder


def packed(root: Path, archive: Path) -> Path:
    """The same as a tar file, as `docker import` and `podman import` want it."""
    with tarfile.open(archive, "w") as tar:
        for name in sorted(os.listdir(root)):
            tar.add(root / name, name)
    return archive


def saved(layer: Path, archive: Path, name: str) -> Path:
    """The packed image in the form of `docker save`, as `ctr images import` wants it."""
    digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    settings = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        tar.add(layer, "layer.tar")
        for file, content in (("config.json", settings), ("manifest.json", manifest)):
            data = json.dumps(content).encode()
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return archive


def _is_static(root: Path) -> bool:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        os.chroot(root)
        os.execv("/bin/true", ["true"])
    finally:
        os._exit(1)
