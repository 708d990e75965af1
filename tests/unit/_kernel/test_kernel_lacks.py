# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said when a call fails."""

from __future__ import annotations

import errno
import pickle

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc


def test_it_is_one_sentence_with_the_first_linux() -> None:
    error = libc.KernelLacks("listns", "6.19")
    assert str(error) == "this kernel has no listns (Linux 6.19 or newer)"
    assert (error.errno, error.call, error.since) == (errno.ENOSYS, "listns", "6.19")


def test_it_says_no_version_that_is_not_known() -> None:
    assert str(libc.KernelLacks("seccomp")) == "this kernel has no seccomp"


def test_it_survives_the_way_out_of_a_child() -> None:
    error = pickle.loads(pickle.dumps(libc.KernelLacks("kcmp", "3.5", errno.EINVAL)))
    assert (type(error), error.errno, str(error)) == (
        libc.KernelLacks,
        errno.EINVAL,
        "this kernel has no kcmp (Linux 3.5 or newer)",
    )


def test_enosys_is_a_lack_with_the_call_s_first_linux() -> None:
    error = libc.failure("statmount", errno.ENOSYS)
    assert isinstance(error, libc.KernelLacks) and error.since == "6.8"


@pytest.mark.parametrize("code, kind", [(errno.EPERM, PermissionError), (errno.ESRCH, ProcessLookupError)])
def test_any_other_errno_is_python_s_own(code: int, kind: type) -> None:
    error = libc.failure("setns", code)
    assert error.__class__ is kind
    assert error.errno == code and str(error).startswith("[Errno %d] setns: " % code)
