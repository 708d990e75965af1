# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many columns a terminal needs, told in another way than the code that is tested: by glibc's wcwidth."""

from __future__ import annotations

import ctypes
import locale

locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
_WCWIDTH = ctypes.CDLL(None).wcwidth
_WCWIDTH.argtypes = [ctypes.c_wchar]


def columns_of(line: str) -> int:
    """The columns; a control character would be -1, and is no part of a table."""
    widths = [_WCWIDTH(character) for character in line]
    assert min(widths, default=0) >= 0, f"not printable: {line!r}"
    return sum(widths)
