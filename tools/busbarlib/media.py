# SPDX-License-Identifier: BSD-2-Clause
"""Disks with partitions and file systems, made without root and the same bytes each time: no mount,
no loop device, and no clock. mkfs.vfat and mtools make FAT, mke2fs and debugfs make ext4."""
import os
import shutil
import struct
from pathlib import Path

from . import BusbarError, common

SECTOR = 512
MIB = 1 << 20
FIRST = MIB  # where the first partition begins, as every partition tool has it
MOMENT = 946684800  # 2000-01-01: the time of every file, since FAT knows none before 1980
TYPES = {"fat": 0x0C, "ext4": 0x83}
WRITE_AT_ONCE = 64 << 10

# mkfs and debugfs stand where not everybody's PATH looks; mtools would refuse odd geometries.
_TOOLS = {
    "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
    "SOURCE_DATE_EPOCH": str(MOMENT),
    "E2FSPROGS_FAKE_TIME": str(MOMENT),
    "MTOOLS_SKIP_CHECK": "1",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
}


def tool(*words, typed="", check=True):
    """Run one of the tools."""
    return common.run(words, timeout=600, check=check, typed=typed, env=os.environ | _TOOLS)


def blank(path, size):
    """A file of that size which takes no room."""
    with open(path, "wb") as handle:
        handle.truncate(size)


def tree_of(folder):
    """Every folder and file inside, a folder before what it holds: (path, path inside)."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BusbarError(f"{path}: is neither a file nor a folder")
        found.append(path)
        if path.is_dir():
            found += tree_of(path)
    return found


def make_fat(path, size, label, serial, folder):
    """A FAT32 of `size` bytes at `path` that holds what `folder` holds; its times are MOMENT."""
    blank(path, size)
    tool("mkfs.vfat", "--invariant", "-F", "32", "-n", label, "-i", f"{serial:08x}",
         "-h", FIRST // SECTOR, path)
    for each in tree_of(folder):
        inside = f"::/{each.relative_to(folder)}"
        if each.is_dir():
            tool("mmd", "-i", path, inside)
        else:
            tool("mcopy", "-i", path, each, inside)


def make_ext4(path, size, label, uuid, folder):
    """An ext4 of `size` bytes at `path` that holds what `folder` holds. Not by mke2fs -d, which
    would copy times that nobody can set."""
    blank(path, size)
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-U", uuid,
         "-E", f"hash_seed={uuid},root_owner=0:0,nodiscard", path)
    script = ""
    for each in tree_of(folder) if folder else []:
        inside = each.relative_to(folder)
        if any(char in str(inside) for char in '"\n'):
            raise BusbarError(f"{each}: a name with a quote or a line's end cannot be copied")
        script += f'mkdir "/{inside}"\n' if each.is_dir() else f'write "{each}" "/{inside}"\n'
    if script:
        said = tool("debugfs", "-w", "-f", "-", path, typed=script).stderr
        wrong = [line for line in said.splitlines() if not line.startswith("debugfs ")]
        if wrong:
            raise BusbarError(f"the data partition: {wrong[0]}; --size makes it larger")


def partition_table(identity, partitions):
    """An MBR: (type, first byte, bytes, active) of each partition."""
    def entry(kind, first, size, active):
        # Cylinders and heads mean nothing to anybody any more: the largest says so.
        return struct.pack("<B3sB3sII", 0x80 if active else 0, b"\xfe\xff\xff", kind,
                           b"\xfe\xff\xff", first // SECTOR, size // SECTOR)
    table = b"".join(entry(*each) for each in partitions).ljust(64, b"\0")
    return struct.pack("<440sIH", b"", identity, 0) + table + b"\x55\xaa"


def copy_sparse(handle, offset, path):
    """Copy a file into `handle` at `offset`, but for blocks of zeros."""
    with open(path, "rb") as source:
        position = offset
        while data := source.read(WRITE_AT_ONCE):
            if data.count(0) != len(data):
                handle.seek(position)
                handle.write(data)
            position += len(data)


def assemble(path, size, identity, partitions):
    """A disk of `size` bytes: (kind, file, active) of each partition, one behind the other."""
    path = Path(path)
    part, first, entries = path.with_name(path.name + ".part"), FIRST, []
    try:
        blank(part, size)
        with open(part, "r+b") as handle:
            for kind, source, active in partitions:
                length = source.stat().st_size
                entries.append((TYPES[kind], first, length, active))
                copy_sparse(handle, first, source)
                first += length
            if first > size:
                raise BusbarError(f"{path}: the partitions are larger than the disk")
            handle.seek(0)
            handle.write(partition_table(identity, entries))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def copy_out(disk, name, to):
    """Copy a file out of the first partition, which is FAT; whether it is there."""
    source = ("mcopy", "-n", "-o", "-i", f"{disk}@@{FIRST}", f"::/{name}")
    return tool(*source, to, check=False).returncode == 0


def stage(folder, files):
    """Put files into a folder: bytes, or the path of one, by name inside."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            shutil.copyfile(content, path)
