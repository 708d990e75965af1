"""Readers of bbolt (go.etcd.io/bbolt page.go, bucket.go, db.go) and SQLite (sqlite.org/fileformat2.html) files.

They may be cut off, torn by a write at this moment, or a hostile user's: every offset is checked, the work is bounded,
what does not fit is not there, nothing raises. The sqlite3 module would run the file's own SQL (views) as us.
"""
from __future__ import annotations

import struct
from typing import Iterator, List, Optional, Tuple

_MAX_ENTRIES = 1 << 18  # of all that is asked of one bbolt file
_MAX_BYTES = 64 << 20  # of all rows of a SQLite file

Entry = Tuple[memoryview, bool, memoryview]  # key, whether it is a bucket, value
Row = List[Optional[bytes]]


def _at(layout: str, data: bytes | memoryview, offset: int) -> tuple[int, ...]:
    """The numbers at an offset, all zero where the data ends before."""
    size = struct.calcsize(layout)
    if 0 <= offset <= len(data) - size:
        return struct.unpack_from(layout, data, offset)
    return struct.unpack(layout, bytes(size))


class Bolt:
    """A bbolt database (containerd's meta.db, libpod's bolt_state.db): buckets in buckets."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._left = _MAX_ENTRIES
        self._page_size = self._root = 0
        newest = -1
        # Two meta pages: the second lies one page further, and the size of a page is yet to be known.
        for offset in (0, 4096, 8192, 16384, 65536):
            magic, dummy, size, dummy, root, dummy, dummy, dummy, txid = _at("<IIIIQQQQQ", data, offset + 16)
            if magic == 0xED0CDAED and txid > newest and 512 <= size <= 65536:
                newest, self._page_size, self._root = txid, size, root

    def value(self, *path: str) -> bytes | None:
        bucket, value = self._find(path)
        return None if bucket or value is None else bytes(value)

    def values(self, *path: str) -> dict[bytes, bytes]:
        bucket, value = self._find(path)
        entries = self._bucket(value) if bucket and value is not None else ()
        return {bytes(key): bytes(inner) for key, nested, inner in entries if not nested}

    def _find(self, path: tuple[str, ...]) -> tuple[bool, memoryview | None]:
        entries = self._tree(self._root)
        found: tuple[bool, memoryview | None] = (True, None)
        for name in path:
            wanted = name.encode("utf-8", "replace")
            found = next(((bucket, value) for key, bucket, value in entries if key == wanted), (False, None))
            entries = self._bucket(found[1]) if found[0] and found[1] is not None else iter(())
        return found

    def _bucket(self, value: memoryview) -> Iterator[Entry]:
        root = _at("<Q", value, 0)[0]
        # A small bucket is stored in its value, behind its header, as a page of its own.
        return self._tree(root) if root else self._leaf(value, 16)

    def _tree(self, root: int) -> Iterator[Entry]:
        queue, seen = [root], {root}
        while queue and self._page_size and self._left > 0:
            offset = queue.pop() * self._page_size
            dummy, flags, count, dummy = _at("<QHHI", self._data, offset)
            if flags & 2:
                yield from self._leaf(self._data, offset)
            elif flags & 1:
                for index in range(count):
                    page = _at("<IIQ", self._data, offset + 16 + index * 16)[2]
                    self._left -= 1
                    if page not in seen and 0 < page <= len(self._data) // self._page_size:
                        seen.add(page)
                        queue.append(page)

    def _leaf(self, data: memoryview, offset: int) -> Iterator[Entry]:
        for index in range(_at("<QHHI", data, offset)[2]):
            element = offset + 16 + index * 16
            flags, start, key_size, value_size = _at("<IIII", data, element)
            key, end = element + start, element + start + key_size + value_size
            self._left -= 1
            if self._left < 0:
                return
            if start and end <= len(data):
                yield data[key:key + key_size], bool(flags & 1), data[key + key_size:end]


class Sqlite:
    """A SQLite database (libpod's db.sql). Columns that are neither text nor blob read as None."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MAX_BYTES
        size = _at(">H", data, 16)[0]
        self._size = 65536 if size == 1 else size
        self._usable = self._size - _at("B", data, 20)[0] if data.startswith(b"SQLite format 3\0") else 0

    def rows(self, table: str) -> Iterator[Row]:
        # The schema, page 1: type, name, table, root page (a number), SQL.
        for row, numbers in self._tree(1) if self._usable >= 480 else ():
            if len(row) > 3 and row[0] == b"table" and row[1] == table.encode("ascii"):
                for found, dummy in self._tree(numbers[3]):
                    yield found
                return

    def _tree(self, root: int) -> Iterator[tuple[Row, list[int]]]:
        queue, seen = [root], {root}
        while queue:
            number = queue.pop()
            page = (number - 1) * self._size
            header = page + (100 if number == 1 else 0)
            kind, dummy, count = _at(">BHH", self._data, header)
            cells = header + (12 if kind == 5 else 8)
            children = [_at(">I", self._data, header + 8)[0]] if kind == 5 else []
            for index in range(count if self._left > 0 else 0):
                self._left -= 64
                cell = page + _at(">H", self._data, cells + 2 * index)[0]
                if kind == 13:
                    yield _record(self._payload(cell))
                elif kind == 5:
                    children.append(_at(">I", self._data, cell)[0])
            for child in children:
                if child not in seen and 0 < child <= len(self._data) // self._size:
                    seen.add(child)
                    queue.append(child)

    def _payload(self, cell: int) -> bytes:
        size, at = _varint(self._data, cell)
        dummy, at = _varint(self._data, at)
        self._left -= size
        if self._left < 0:
            return b""
        most, least = self._usable - 35, (self._usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (self._usable - 4) if size > most else size
        local = least if local > most else local
        found, left, seen = [self._data[at:at + local]], size - local, {0}
        page = _at(">I", self._data, at + local)[0]
        while left > 0 and page not in seen:
            seen.add(page)
            at = (page - 1) * self._size
            found.append(self._data[at + 4:at + 4 + min(left, self._usable - 4)])
            left -= self._usable - 4
            page = _at(">I", self._data, at)[0]
        return b"".join(found)


def _record(payload: bytes) -> tuple[Row, list[int]]:
    """The columns of a record as text, and as numbers."""
    row: Row = []
    numbers: list[int] = []
    value, at = _varint(payload, 0)
    end = min(value, len(payload))
    while at < end:
        kind, at = _varint(payload, at)
        size = (kind - 12) // 2 if kind >= 12 else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]
        content = payload[value:value + size]
        row.append(content if kind >= 12 and len(content) == size else None)
        numbers.append(int.from_bytes(content, "big") if kind <= 6 else 0)
        value += size
    return row, numbers


def _varint(data: bytes, at: int) -> tuple[int, int]:
    found = 0
    for index in range(at, min(at + 9, len(data))):
        if index == at + 8:
            return (found << 8) | data[index], index + 1
        found = (found << 7) | (data[index] & 0x7F)
        if data[index] < 0x80:
            return found, index + 1
    return 0, len(data)
