"""The IDX format of MNIST and its successors: big-endian header, then unsigned bytes; plain or gzipped.

Header: two zero bytes, a type code, the number of dimensions, each dimension as an unsigned 32-bit number.
Described by LeCun, Cortes & Burges, "The MNIST database of handwritten digits" (1998).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtlrun.errors import DataError

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: Path, num_dims: int) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not, whatever its name says.

    Raises:
        DataError: if the file cannot be read, is no IDX file of unsigned bytes with `num_dims` dimensions, or
            is shorter or longer than its header says.
    """
    content = read_bytes(path)
    shape = read_shape(path, content, num_dims)
    header, wanted = 4 + 4 * num_dims, math.prod(shape)
    found = len(content) - header
    if found != wanted:
        what = "truncated" if found < wanted else "too long"
        size = " x ".join(map(str, shape))
        raise DataError(f"{path} is {what}: its header says {size} = {wanted} bytes, found {found}; get a fresh copy")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_bytes(path: Path) -> bytes:
    """The file's content, unpacked if it is gzipped."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is a damaged gzip file ({error}); get a fresh copy") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def read_shape(path: Path, content: bytes, num_dims: int) -> tuple[int, ...]:
    """The dimensions that the header states."""
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{path} is no IDX file: it should start with two zero bytes, found {content[:4]!r}")
    if content[2] != UNSIGNED_BYTE or content[3] != num_dims:
        raise DataError(
            f"{path} should hold {num_dims}-dimensional unsigned bytes (IDX type 0x08), "
            f"found type 0x{content[2]:02x} with {content[3]} dimensions"
        )
    if len(content) < 4 + 4 * num_dims:
        raise DataError(f"{path} is truncated: it ends within its header; get a fresh copy")
    return struct.unpack_from(f">{num_dims}I", content, offset=4)
