"""ZIP archives of every kind that two readers could read differently, made from a seed."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from dataclasses import dataclass, field

NAMES = [
    b"a", b"b.gguf", b".args", b"engines/x", "dir/é".encode(), b"\xff\xfe", b"\x82.txt", b"",
    b"a\0b", b"..\\c", b"C:d", b"../e", b"dir/", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80",
    "𝄞".encode(), b"long" * 60,
]  # fmt: skip
_PLAIN = NAMES[:5]
_ODD16 = [0, 1, 2, 0x7FFF, 0xFFFE, 0xFFFF]
_ODD32 = [0, 1, 46, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]
_ODD64 = [*_ODD32, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


@dataclass
class Maker:
    """Makes archives; each field deviates from what it should be once in a while."""

    chance: random.Random
    rate: float = 0.01
    """How often a field deviates."""
    out: bytearray = field(default_factory=bytearray)

    def odd(self, value: int, choices: list[int]) -> int:
        """The value, or once in a while another one."""
        if self.chance.random() >= self.rate:
            return value
        near = value + self.chance.choice([-46, -30, -22, -4, -1, 1, 4, 22, 30, 46])
        return self.chance.choice([near % (choices[-1] + 1), *choices])

    def often(self, probability: float) -> bool:
        return self.chance.random() < probability

    def section(self) -> None:
        """Append members, their directory and its end records."""
        entries = [self._member() for _ in range(self.chance.choice([0, 1, 1, 2, 2, 3, 5]))]
        if self.often(0.1):
            self.chance.shuffle(entries)
        if entries and self.often(0.03):
            entries.append(self.chance.choice(entries))
        self.out += bytes(self.odd(0, _ODD16) % 70)
        offset = len(self.out)
        self.out += b"".join(entries)
        size = len(self.out) - offset
        if self.often(0.02):
            self.out += bytes(self.chance.choice([1, 4, 22]))
        self._ends(len(entries), size, offset)

    def _member(self) -> bytes:
        chance = self.chance
        name = chance.choice(NAMES if self.often(0.05) else _PLAIN)
        name += b"%d" % len(self.out) if self.often(0.7) and 0 not in name else b""
        content = chance.randbytes(chance.choice([0, 1, 30, 99])) + b"x" * chance.choice([0, 60])
        method = 8 if self.often(0.4) else 0
        packed = zlib.compress(content, wbits=-15) if method else content
        flags = chance.choice([0, 0, 0x800, 0x808, 8])
        if self.often(0.05):
            flags, packed = flags | 1, bytes(12) + packed
        if self.often(0.03):
            method = chance.choice([9, 12, 99, 0xFFFF])
        crc, sizes, place = zlib.crc32(content), (len(content), len(packed)), len(self.out)
        self._local(name, method, flags, crc, sizes)
        self.out += packed
        if flags & 8 and self.often(0.8):
            self.out += struct.pack("<4s3I", b"PK\7\x08", crc, sizes[1], sizes[0])
        if self.often(0.05):
            del self.out[-chance.choice([1, 4, 22]) :]
        return self._central(name, method, flags, crc, (*sizes, place))

    def _local(
        self, name: bytes, method: int, flags: int, crc: int, sizes: tuple[int, int]
    ) -> None:
        extra = b""
        size, packed = sizes
        if flags & 8 and self.often(0.8):
            crc = size = packed = 0
        if self.often(0.1):
            extra = self._zip64([size, packed], lengths=[16, 16, 16, 8, 24])
            size = 0xFFFFFFFF
            packed = 0xFFFFFFFF if self.often(0.8) else packed
        extra = self._padded(extra)
        if self.often(self.rate):
            name = self.chance.choice([name[:-1], name + b"x", name.upper(), name])
        self.out += struct.pack(
            "<4s5H3I2H", b"PK\3\4" if not self.often(self.rate) else b"PK\3\5", 20,
            self.odd(flags, _ODD16), self.odd(method, _ODD16), 0, 0, self.odd(crc, _ODD32),
            self.odd(packed, _ODD32), self.odd(size, _ODD32), self.odd(len(name), _ODD16),
            self.odd(len(extra), _ODD16),
        )  # fmt: skip
        self.out += name + extra

    def _central(
        self, name: bytes, method: int, flags: int, crc: int, values: tuple[int, int, int]
    ) -> bytes:
        extra, stated = b"", list(values)
        if self.often(0.15):
            wide = [i for i in range(3) if self.often(0.6)]
            extra = self._zip64([values[i] for i in wide], lengths=[8 * len(wide)] * 4 + [0, 8, 24])
            for i in wide:
                stated[i] = 0xFFFFFFFF
        extra = self._padded(extra)
        comment = b"note" if self.often(0.1) else b""
        size, packed, place = (self.odd(value, _ODD32) for value in stated)
        return struct.pack(
            "<4s6H3I5H2I", b"PK\1\2" if not self.often(self.rate) else b"PK\1\3", 0x314, 20,
            self.odd(flags, _ODD16), self.odd(method, _ODD16), 0, 0, self.odd(crc, _ODD32),
            packed, size, self.odd(len(name), _ODD16), self.odd(len(extra), _ODD16),
            self.odd(len(comment), _ODD16), self.odd(0, _ODD16), 0, 0o100644 << 16, place,
        ) + name + extra + comment  # fmt: skip

    def _zip64(self, values: list[int], lengths: list[int]) -> bytes:
        body = b"".join(struct.pack("<Q", self.odd(value, _ODD64)) for value in values)
        length = self.chance.choice(lengths)
        body = body[:length].ljust(length, b"\0")
        return struct.pack("<2H", 1, self.odd(len(body), _ODD16)) + body

    def _padded(self, extra: bytes) -> bytes:
        """With other fields around."""
        other = struct.pack("<2H", self.chance.choice([0, 1, 0xD935]), 2) + b"pp"
        if self.often(0.05):
            extra = other + extra
        if self.often(0.05):
            extra += self.chance.choice([other, b"\0", b"\1\0\0", b"\1\0\xff\xff"])
        return extra

    def _ends(self, count: int, size: int, offset: int) -> None:
        place, odd = len(self.out), self.odd
        plain = [count, size, offset]
        if self.often(0.25):
            here = odd(count, _ODD64)
            self.out += struct.pack(
                "<4sQ2H2I4Q", b"PK\6\6" if not self.often(self.rate) else b"PK\6\7",
                odd(44, _ODD64), 45, 45, odd(0, _ODD32), odd(0, _ODD32), here, odd(count, _ODD64),
                odd(size, _ODD64), odd(offset, _ODD64),
            )  # fmt: skip
            if self.often(0.03):
                self.out += bytes(self.chance.choice([1, 12, 20]))
            self.out += struct.pack(
                "<4sIQI", b"PK\6\7" if not self.often(self.rate) else b"PK\6\6", odd(0, _ODD32),
                odd(place, _ODD64), odd(1, _ODD32),
            )  # fmt: skip
            sentinels = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
            plain = [s if self.often(0.6) else v for v, s in zip(plain, sentinels, strict=True)]
        comment = self._comment() if self.often(0.2) else b""
        count = odd(plain[0], _ODD16)
        self.out += struct.pack(
            "<4s4H2IH", b"PK\5\6", odd(0, _ODD16), odd(0, _ODD16), odd(count, _ODD16), count,
            odd(plain[1], _ODD32), odd(plain[2], _ODD32), odd(len(comment), _ODD16),
        )  # fmt: skip
        self.out += comment

    def _comment(self) -> bytes:
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, 0, len(self.out) + 22, 0)
        long = self.chance.choice([0xFFFF, 0xFFFE, 0xFFFF - 76, 0xFFFF - 22])
        kinds = [b"note", b"PK\5\6", b"PK\5\6" + bytes(18), end, b"PK\5\6" * 9]
        return bytes(long) if self.often(0.02) else self.chance.choice(kinds)

    def archive(self) -> bytes:
        """One archive, perhaps with things before and behind it."""
        chance = self.chance
        self.out = bytearray(b"#" * chance.choice([0, 0, 9, 100]))
        self.section()
        if self.often(0.12):  # somebody has appended to it
            self.section()
        elif self.often(0.05):
            self._copied_end()
        if self.often(0.1):
            self.out += chance.randbytes(chance.choice([1, 3, 21, 22, 50]))
        if self.often(0.004):
            self.out += bytes(0xFFFF + chance.randint(-100, 2))
        if self.often(0.05):
            del self.out[-chance.randint(1, 30) :]
        return bytes(self.out)

    def _copied_end(self) -> None:
        """A directory twice, the first end record with the second as its comment: C13."""
        at = self.out.rfind(b"PK\1\2")
        end = self.out.rfind(b"PK\5\6")
        directory = bytes(self.out[at:end]) if 0 <= at < end and self.often(0.5) else b""
        place = len(self.out)
        disk = self.odd(0, _ODD16)
        second = directory + struct.pack(
            "<4s4H2IH", b"PK\5\6", disk, disk, bool(directory), bool(directory),
            len(directory), self.chance.choice([place, max(at, 0)]), 0,
        )  # fmt: skip
        if self.often(0.7):
            self.out[end + 20 : end + 22] = struct.pack("<H", len(second) % 0x10000)
        self.out += second


def written(chance: random.Random) -> bytes:
    """An archive by Python's zipfile, to be damaged."""
    out = io.BytesIO()
    out.write(bytes(chance.choice([0, 20])))
    with zipfile.ZipFile(out, "a") as archive:
        for n in range(chance.randint(1, 3)):
            info = zipfile.ZipInfo(chance.choice(["a", "é", "dir/b.gguf"]) + str(n))
            info.compress_type = chance.choice([0, 8])
            with archive.open(info, "w", force_zip64=chance.random() < 0.3) as member:
                member.write(b"text " * chance.choice([0, 1, 9]))
        archive.comment = b"c" * chance.choice([0, 0, 5])
    return out.getvalue()


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, mostly of headers."""
    raw = bytearray(data)
    magics = [i for i in range(len(raw) - 3) if raw[i : i + 2] == b"PK" and raw[i + 3] < 9]
    for _ in range(chance.randint(1, 3)):
        at = chance.choice(magics) + chance.randrange(60) if magics else 0
        at = min(at, len(raw) - 1) if chance.random() < 0.9 else chance.randrange(len(raw))
        match chance.randrange(5):
            case 0:
                raw[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 1:
                raw[at : at + 4] = struct.pack("<I", chance.choice(_ODD32))
            case 2:
                raw[at] = (raw[at] + chance.choice([-1, 1])) % 256
            case 3:
                del raw[at : at + chance.choice([1, 22, 46])]
            case _:
                raw[at:at] = chance.choice([b"\0", b"PK\5\6", raw[at - 46 : at]])
        if not raw:
            break
    return bytes(raw)


def archives(seed: int, count: int) -> list[bytes]:
    """So many archives; the same for the same seed."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        maker = Maker(chance, rate=chance.choice([0, 0.004, 0.02]))
        data = maker.archive() if chance.random() < 0.75 else written(chance)
        made.append(damaged(data, chance) if data and chance.random() < 0.25 else data)
    return made


def directory_of(names: list[bytes], *, extra: int = 0, wide: int = 0, **changed: int) -> bytes:
    """An archive of empty members.

    Args:
        extra: bytes of extra fields in each entry.
        wide: whether there is a ZIP64 record.
        changed: what fields say in place of what they should.
    """
    out, entries = bytearray(), bytearray()
    more = struct.pack("<2H", 0xD935, extra - 4).ljust(extra, b"\0") if extra else b""
    for number, name in enumerate(names):
        last = number == len(names) - 1
        entries += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 0x314, 20, 0, 0, 0, 0, 0, 0, 0, len(name), extra, 0,
            changed.get("member_disk", 0) if last else 0, 0, 0,
            changed.get("member_offset", len(out)) if last else len(out),
        )  # fmt: skip
        entries += name + more
        out += struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
    offset, count, size = len(out), len(names), len(entries)
    out += entries + bytes(changed.get("gap", 0))
    place, disk = len(out), changed.get("wide_disk", 0)
    if wide:
        out += struct.pack(
            "<4sQ2H2I4Q", b"PK\6\6", changed.get("wide_size", 44), 45, 45, disk, disk,
            changed.get("wide_count", count), changed.get("wide_count", count), size, offset,
        )  # fmt: skip
        where, disks = changed.get("wide_at", place), changed.get("disks", 1)
        out += struct.pack("<4sIQI", b"PK\6\7", 0, where, disks)
    short = min(count, 0xFFFF)
    out += struct.pack(
        "<4s4H2IH", b"PK\5\6", changed.get("disk", 0), changed.get("first_disk", 0),
        changed.get("here", changed.get("count", short)), changed.get("count", short),
        changed.get("size", size), changed.get("offset", offset), 0,
    )  # fmt: skip
    return bytes(out) + bytes(changed.get("trailing", 0))


def zipped(members: dict[str, bytes], *, before: int = 0) -> bytes:
    out = io.BytesIO()
    out.write(bytes(before))
    with zipfile.ZipFile(out, "a") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def end_record(
    offset: int, size: int, *, count: int = 1, disk: int = 0, comment: bytes = b""
) -> bytes:
    fields = (b"PK\5\6", disk, disk, count, count, size, offset, len(comment))
    return struct.pack("<4s4H2IH", *fields) + comment


def two_directories(*, disk: int, inside: bool) -> bytes:
    """A file in which one directory lists harmless arguments and the other one does not.

    Args:
        disk: of the second end record.
        inside: whether it is the comment of the first one.
    """
    harmless = zipped({".args": b"-m demo.gguf"})[:-22]
    data, first = harmless[: harmless.index(b"PK\1\2")], harmless[harmless.index(b"PK\1\2") :]
    other = zipped({".args": b"--tools all"}, before=len(data))[len(data) : -22]
    data, second = data + other[: other.index(b"PK\1\2")], other[other.index(b"PK\1\2") :]
    body = data + first + second
    last = end_record(len(data), len(first), disk=disk)
    place = len(data) + len(first)
    return (
        body + end_record(place, len(second), comment=last if inside else b"") + last * (not inside)
    )
