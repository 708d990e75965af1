# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/performance.md: text written by people, and between marks the tables written by the benchmarks."""
from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from typing import Callable, Sequence

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(CHECKOUT, "docs", "performance.md")


def median(values: Sequence[float]) -> float:
    """The middle one; a single disturbed round does not move it."""
    return statistics.median(values)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left and all others to the right, aligned for the terminal too."""
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return "\n".join([line(cells[0]), line(rule), *[line(row) for row in cells[1:]]])


def machine() -> str:
    """When, on what, and how quiet it was."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.lower().startswith(("model name", "cpu model", "hardware")):
                model = " ".join(line.partition(":")[2].split())
                break
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    running = len([name for name in os.listdir("/proc") if name.isdigit()])
    return "%s; %s, %d CPUs, %.0f GB; Linux %s; Python %s; load %.1f and %d processes before it began" % (
        time.strftime("%Y-%m-%d"), model, os.cpu_count() or 0, memory, platform.release(), platform.python_version(),
        os.getloadavg()[0], running)


def write(block: str, content: str, path: str = PAGE) -> None:
    """Put C(content) between the marks of a block; the page must have them."""
    start, end = f"<!-- measured: {block} -->\n", f"<!-- end: {block} -->"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, found, rest = text.partition(start)
    dummy, found_too, after = rest.partition(end)
    if not found or not found_too:
        raise SystemExit(f"{path} has no block {block!r}")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"{before}{start}\n{content}\n\n{end}{after}")
    os.replace(path + ".new", path)


def command_line(description: str, block: str, measure: Callable[[bool], str]) -> None:
    """What every benchmark is when it is called by itself."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works, not to publish")
    parser.add_argument("--write", metavar="PAGE", help="keep the result in this page, docs/performance.md")
    asked = parser.parse_args()
    run(block, measure, asked.quick, asked.write)


def run(block: str, measure: Callable[[bool], str], quick: bool, page: str = "") -> None:
    """Measure, show, and keep if asked."""
    head = machine()
    content = f"{head}.\n\n{measure(quick)}"
    print(content + "\n", flush=True)
    if page:
        write(block, content, page)


def milliseconds(seconds: Sequence[float]) -> str:
    """The median, as a cell."""
    return "%.0f ms" % (median(seconds) * 1000)


def ratios(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Round by round, because what disturbs the machine disturbs neighbours alike."""
    return [first / second for first, second in zip(one, other)]
