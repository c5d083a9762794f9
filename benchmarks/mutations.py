"""Mutations of files: bytes that are flipped, cut, doubled or zeroed, and parts that lie about themselves."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st

Draw = Callable[..., Any]
DEEP: Any = []
for _ in range(600):  # deeper would not be written
    DEEP = [DEEP]
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**9,
    2**63,
    10**400,
    -(10**30),
    float("nan"),
    float("inf"),
    float("-inf"),
    1e308,
    5e-324,
    "",
    "x" * 5000,
    "\ud800",
    "\0",
    "<!--<script>",
    "../../victim",
    "nan",
    "١٢",
    [],
    {},
    [[]],
    [None, "a", 1],
    {"a": {"b": 1}},
    {"value": None},
    DEEP,
]
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**64 - 1)
LAUGHS = "\n".join(
    ["a0: &a0 [1, 1]", *(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(12))]
)


def mutate_bytes(draw: Draw, content: bytes) -> bytes:
    """Damages bytes in one to four places."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        size = len(found)
        at, length = draw(st.integers(0, size)), draw(st.sampled_from([1, 2, 8, 64, 4096]))
        what = draw(st.sampled_from(["flip", "cut", "insert", "double", "zero", "drop", "number", "swap"]))
        part = found[at : at + length]
        if what == "flip" and size:
            found[at % size] ^= 1 << draw(st.integers(0, 7))
        elif what == "cut":
            del found[at:]
        elif what == "insert":
            found[at:at] = draw(st.binary(min_size=1, max_size=8)) * draw(st.sampled_from([1, 1, 512]))
        elif what == "double":
            found[at:at] = part * draw(st.sampled_from([1, 1, 100]))
        elif what == "zero":
            found[at : at + length] = bytes(len(part))
        elif what == "drop":
            del found[at : at + length]
        elif what == "number":
            number, width = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from([1, 2, 4, 8]))
            order: Any = draw(st.sampled_from(["little", "big"]))
            found[at : at + width] = (number % 256**width).to_bytes(width, order)
        elif what == "swap":
            other = draw(st.integers(0, size))
            found[at : at + length], found[other : other + length] = found[other : other + length], part
    return bytes(found)


def mutate_value(draw: Draw, value: Any) -> Any:
    """Replaces, drops, doubles or renames one to three values in nested lists and mappings."""
    for _ in range(draw(st.integers(1, 3))):
        value = _mutate_once(draw, value)
    return value


def _mutate_once(draw: Draw, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(ODD))
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = draw(st.sampled_from(keys))
    found: Any = dict(value) if isinstance(value, dict) else list(value)
    what = draw(st.sampled_from(["inside", "inside", "inside", "replace", "replace", "drop", "rename"]))
    if what == "inside":
        found[key] = _mutate_once(draw, found[key])
    elif what == "replace":
        found[key] = draw(st.sampled_from(ODD))
    elif what == "drop":
        del found[key]
    elif isinstance(found, dict):
        found[
            draw(st.sampled_from(["", "step", "kimg", "a.b", "\ud800", "<!--", "x" * 300, "metric/fid"]))
        ] = found.pop(key)
    else:
        found += [found[key]] * draw(st.sampled_from([1, 1000]))
    return found


def mutate_json(draw: Draw, content: bytes) -> bytes:
    """Mutates a value of JSON, or writes what nests too deep, is too long, or no JSON."""
    if draw(st.integers(0, 19)) == 0:
        return draw(
            st.sampled_from(
                [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 100_000, b"\xff\xfe", b"null", b"NaN"]
            )
        )
    try:
        return json.dumps(mutate_value(draw, json.loads(content))).encode()
    except (ValueError, RecursionError):  # mutated before
        return mutate_bytes(draw, content)


def mutate_json_lines(draw: Draw, content: bytes) -> bytes:
    """Mutates some of the lines of JSON."""
    lines = content.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] = mutate_json(draw, lines[at]) if lines[at].startswith(b"{") else b"{}"
    return b"\n".join(lines) + draw(st.sampled_from([b"\n", b"", b"\n\n", b'\n{"step"']))


def mutate_words(draw: Draw, content: bytes) -> bytes:
    """Replaces words of a text by odd ones."""
    words = content.decode().split(" ")
    odd = [
        "null",
        "~",
        ".nan",
        "1e999",
        "0x" + "f" * 6000,
        "1:" * 5000 + "1",
        "*a",
        "&a [*a]",
        "[" * 3000,
        "{",
        "!!python/object/apply:os.system [x]",
    ]
    odd += [
        "1" * 5000,
        '"\\ud800"',
        "2001-01-01",
        "''",
        "a." * 3000,
        "\n",
        "\n- ",
        "=",
        ",",
        ",,",
        "x" * 3000,
        "\0",
        LAUGHS,
    ]
    for _ in range(draw(st.integers(1, 3))):
        words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(odd))
    return " ".join(words).encode()


def mutate_zip(draw: Draw, content: bytes, inner: Callable[[Draw, str, bytes], bytes] | None = None) -> bytes:
    """Writes a zip file anew, with a member mutated, compressed, doubled or renamed, or headers that lie."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = draw(st.integers(0, len(members) - 1))
    name, data = members[at]
    what = draw(
        st.sampled_from(["inside", "inside", "inside", "bomb", "rename", "twice", "header", "method"])
    )
    method = zipfile.ZIP_STORED
    if what == "inside":
        members[at] = name, (inner or _mutate_member)(draw, name, data)
    elif what == "bomb":
        members[at], method = (
            (name, data + bytes(draw(st.sampled_from([2**20, 2**25])))),
            zipfile.ZIP_DEFLATED,
        )
    elif what == "rename":
        members[at] = (
            draw(st.sampled_from(["../x.png", "/x", "a/" * 500 + "b", "x\\y.png", "", ".", "a\0b"])),
            data,
        )
    elif what == "twice":
        members.append(members[at])
    elif what == "method":
        method = draw(st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name or "x"), data, method)
    found = bytearray(stream.getvalue())
    if what == "header":
        signature = draw(st.sampled_from([b"PK\1\2", b"PK\3\4", b"PK\5\6"]))
        start = found.find(signature) + draw(st.integers(4, 30))
        found[start : start + 4] = struct.pack("<I", draw(st.sampled_from(NUMBERS)) % 2**32)
    return bytes(found)


def _mutate_member(draw: Draw, name: str, data: bytes) -> bytes:
    if name.endswith(".npy"):
        return mutate_npy(draw, data)
    return mutate_bytes(draw, data)


def mutate_npy(draw: Draw, content: bytes) -> bytes:
    """Changes the shape or type that the header of an array claims, or its bytes."""
    if draw(st.booleans()):
        return mutate_bytes(draw, content)
    length = struct.unpack("<H", content[8:10])[0]
    shape = draw(
        st.sampled_from(
            ["()", "(0,)", "(10**12,)", "(1, 2, 3)", "(-1,)", "(2.5,)", "'a'", "(2**40, 2**40)", "(4, 4)"]
        )
    )
    kind = draw(
        st.sampled_from(["<f8", "|O", "<U9", "<c16", "|V99999999", "<f2", ">i8", "|b1", "<M8[s]", "x"])
    )
    shape = shape.replace("10**12", str(10**12)).replace("2**40", str(2**40))
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(length)[
        :length
    ].encode()
    return content[:10] + header + content[10 + length :]


def mutate_tar(draw: Draw, content: bytes) -> bytes:
    """Mutates a header of a tar file, with a sum that fits, or drops or doubles blocks."""
    found = bytearray(content)
    blocks = len(found) // 512
    headers = [512 * n for n in range(blocks) if found[512 * n + 257 : 512 * n + 262] == b"ustar"]
    what = draw(st.sampled_from(["size", "size", "kind", "name", "field", "drop", "double", "end"]))
    if what in ("drop", "double"):
        at = 512 * draw(st.integers(0, blocks - 1))
        found[at : at + 512] = found[at : at + 512] * 2 if what == "double" else b""
        return bytes(found)
    if what == "end":
        del found[512 * draw(st.integers(0, blocks)) :]
        return bytes(found)
    at = draw(st.sampled_from(headers))
    if what == "size":
        words = [b"77777777777\0", b"00000000000\0", b"-0000000001\0", b"\x80" + bytes(3) + b"\1" + bytes(7)]
        words += [b"\xff" * 12, b"00000000777\0", b"x" * 12, bytes(12), b"00000002000 "]
        found[at + 124 : at + 136] = draw(st.sampled_from(words))
    elif what == "kind":
        found[at + 156] = draw(st.sampled_from(list(b"01234567LKSDVMNAxgX\0\xff")))
    elif what == "name":
        names = [
            b"../../victim.png",
            b"/0.png",
            b"0.png",
            b".png",
            b"0",
            b"a//0.png",
            b"\xff\xfe.png",
            b"0\n.png",
        ]
        found[at : at + 100] = draw(st.sampled_from(names)).ljust(100, b"\0")
    else:
        field = draw(st.integers(0, 511))
        found[at + field : at + min(512, field + 12)] = draw(st.binary(min_size=12, max_size=12))[
            : 512 - field
        ]
    header = found[at : at + 512]
    header[148:156] = b" " * 8
    found[at + 148 : at + 156] = b"%06o\0 " % sum(header)
    return bytes(found)


def mutate_database(draw: Draw, content: bytes) -> bytes:
    """Mutates fields of pages of a database of LMDB: of their headers, and of the places in them."""
    found, page = bytearray(content), 4096
    for _ in range(draw(st.integers(1, 3))):
        at = page * draw(st.integers(0, max(0, len(found) // page - 1)))
        at += draw(st.sampled_from([0, 8, 10, 12, 14, 16, 18, 20, 40, 88, 96, 128, 130, 136, 144, page - 64]))
        width = draw(st.sampled_from([2, 4, 8]))
        value = draw(st.one_of(st.sampled_from(NUMBERS), st.integers(0, 300), st.integers(0, 2**16)))
        found[at : at + width] = (value % 256**width).to_bytes(width, "little")
    return bytes(found)


def mutate_safetensors(draw: Draw, content: bytes) -> bytes:
    """Mutates the header: shapes, types and places of tensors, or the JSON of the metadata within it."""
    if draw(st.integers(0, 3)) == 0:
        return mutate_bytes(draw, content)
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    metadata = header["__metadata__"]
    if draw(st.booleans()):
        key = next(iter(metadata))
        metadata[key] = json.dumps(mutate_value(draw, json.loads(metadata[key])))
    else:
        header = mutate_value(draw, header)
    if draw(st.integers(0, 9)) == 0 and isinstance(header, dict):  # numbers that are none
        data = draw(st.sampled_from([b"\xff" * len(data), bytes(len(data)), data + bytes(4)]))
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def mutate_torch(draw: Draw, content: bytes) -> bytes:
    """Mutates the values that torch.save wrote, or the pickle, or the archive around it."""
    what = draw(st.sampled_from(["values", "values", "pickle", "archive", "bytes"]))
    if what == "bytes":
        return mutate_bytes(draw, content)
    if what != "values":
        return mutate_zip(
            draw,
            content,
            lambda d, name, data: mutate_bytes(d, data) if "pickle" in what or "pkl" in name else data,
        )
    values = _mutate_tensors(draw, torch.load(io.BytesIO(content), weights_only=True))
    stream = io.BytesIO()
    try:
        torch.save(values, stream)
    except (OverflowError, UnicodeEncodeError, RecursionError, ValueError):
        return b""
    return stream.getvalue()


def _mutate_tensors(draw: Draw, value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        odd = [
            torch.zeros(0),
            torch.tensor(float("nan")),
            value.double(),
            value.long(),
            value[None],
            value.expand(3, *value.shape),
            value * float("inf"),
            value.bool(),
            "x",
            None,
            7,
        ]
        return draw(st.sampled_from(odd))
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(list(value)))
        return {**value, key: _mutate_tensors(draw, value[key])}
    if isinstance(value, list | tuple) and value and draw(st.booleans()):
        return [_mutate_tensors(draw, value[0]), *value[1:]]
    return _mutate_once(draw, value)


def mutate_png(draw: Draw, content: bytes) -> bytes:
    """Mutates chunks of a PNG, with sums that fit: the size that it claims, text that inflates, pixels."""
    if draw(st.booleans()):
        return mutate_bytes(draw, content)
    chunks, at = [], 8
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.append([content[at + 4 : at + 8], content[at + 8 : at + 8 + length]])
        at += 12 + length
    what = draw(st.sampled_from(["header", "header", "text", "chunk", "chunk", "double", "exif"]))
    if what == "header":
        size = struct.pack(
            ">II", *(draw(st.sampled_from([0, 1, 12, 16, 5000, 30_000, 2**20, 2**31 - 1])) for _ in "wh")
        )
        kind = bytes(
            [
                draw(st.sampled_from([1, 2, 4, 8, 16, 3])),
                draw(st.sampled_from([0, 2, 3, 4, 6, 5])),
                0,
                0,
                draw(st.integers(0, 1)),
            ]
        )
        chunks[0][1] = size + (kind if draw(st.booleans()) else chunks[0][1][8:])
    elif what == "text":
        bomb = zlib.compress(bytes(2**22))
        chunks.insert(
            1,
            draw(
                st.sampled_from(
                    [
                        [b"zTXt", b"a\0\0" + bomb],
                        [b"iTXt", b"a\0\1\0\0\0" + bomb],
                        [b"iCCP", b"a\0\0" + bomb],
                        [b"tEXt", b"Raw profile type exif\0x"],
                    ]
                )
            ),
        )
    elif what == "exif":
        chunks.insert(1, [b"eXIf", draw(st.binary(max_size=40))])
    else:
        chosen = draw(st.integers(0, len(chunks) - 1))
        if what == "double":
            chunks.insert(chosen, chunks[chosen])
        else:
            chunks[chosen] = [chunks[chosen][0], mutate_bytes(draw, chunks[chosen][1])]
    written = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return content[:8] + b"".join(written)


MUTATIONS: dict[str, Callable[[Draw, bytes], bytes]] = {
    "bytes": mutate_bytes,
    "json": mutate_json,
    "jsonl": mutate_json_lines,
    "words": mutate_words,
    "zip": mutate_zip,
    "npy": mutate_npy,
    "tar": mutate_tar,
    "database": mutate_database,
    "safetensors": mutate_safetensors,
    "torch": mutate_torch,
    "png": mutate_png,
}


@st.composite
def mutated(draw: Draw, content: bytes, kind: str) -> bytes:
    """Draws a damaged copy of a file: by its bytes, or by what it means."""
    if draw(st.integers(0, 3)) == 0:
        return mutate_bytes(draw, content)
    return MUTATIONS[kind](draw, content)
