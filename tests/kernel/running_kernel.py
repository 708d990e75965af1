# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be expected of the running kernel."""

from __future__ import annotations

import functools
import os
from typing import Any, Callable

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc


def since(major: int, minor: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test's subject came with that Linux: an older kernel may do it (backports) or must raise KernelLacks."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                test(*args, **kwargs)
            except libc.KernelLacks:
                if kernel_release() >= (major, minor):
                    raise

        return run

    return decorate


def kernel_release() -> tuple[int, int]:
    """Major and minor of the running kernel."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(digit for digit in minor if digit.isdigit()))


def errno_of(function: Callable[..., Any], *args: Any, **kwargs: Any) -> int:
    """The errno a call fails with, 0 if it does not; KernelLacks is passed on."""
    try:
        function(*args, **kwargs)
    except libc.KernelLacks:
        raise
    except OSError as error:
        return error.errno or -1
    return 0
