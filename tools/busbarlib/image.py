# SPDX-License-Identifier: BSD-2-Clause
"""`busbar image`: a card or disk that the machine starts from, and a tar of its boot files for a card
that is there already. What stands on it, the manifest's [image] says."""
import hashlib
import io
import re
import tarfile
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from . import BUILD, BusbarError, build, common, desk, manifest, media, setup

MIB = media.MIB
LEAST = 64 * MIB  # FAT32 begins at 33 MiB


@dataclass
class Wish:
    """What the command line says."""

    platform: str
    app: str = "monitor"
    out: str | None = None
    size: int = 128 * MIB
    data: str = "ext4"
    files: str | None = None  # a folder, for the data partition
    firmware: str | None = None  # a folder with the board's own files
    append: str = ""
    dtb: str | None = None
    buildtype: str = "release"
    compiler: str = "gcc"


def parse_size(text):
    """Bytes of "128M" or "1G", a power of two; ValueError says what is wrong."""
    match = re.fullmatch(r"(\d{1,6})([MG])", text)
    if not match:
        raise ValueError(f"{text!r} is no size like 128M or 1G")
    size = int(match[1]) << {"M": 20, "G": 30}[match[2]]
    if not LEAST <= size <= 2 << 40:
        raise ValueError(f"{text}: a size from {LEAST // MIB}M to 2048G, please")
    if size & (size - 1):
        better = 1 << size.bit_length()
        raise ValueError(f"{text}: QEMU takes cards of a power of two alone: {better // MIB}M")
    return size


def boot_size(size, data):
    """Bytes of the boot partition: half of a small disk, at most 256 MiB of a large one."""
    if data == "none":
        return size - media.FIRST
    return max(40 * MIB, min(size // 2, 256 * MIB))


def folder_of(option, name):
    path = Path(name).expanduser().resolve()
    if not path.is_dir():
        raise BusbarError(f"{option} {name}: no such folder")
    return path


def firmware_files(image, folder):
    """The board's own files: {name: path}; each must be there."""
    if not image.firmware:
        raise BusbarError("--firmware: this platform needs none")
    folder = folder_of("--firmware", folder)
    missing = [name for name in image.firmware if not (folder / name).is_file()]
    if missing:
        raise BusbarError(f"--firmware {folder}: holds no {' and no '.join(missing)}; they come "
                          f"from {image.firmware_from}")
    return {name: folder / name for name in image.firmware}


def extlinux(image, cmdline):
    """The file by which U-Boot finds the program. It names no tree: U-Boot then passes on the one
    that it got, which firmware has filled in for this very board."""
    lines = ["# U-Boot starts the program by this file", "default busbar", "label busbar",
             f"    kernel /{image.kernel}"]
    lines += [f"    append {cmdline}"] if cmdline else []
    return "\n".join(lines) + "\n"


def readme(platform, app, brought):
    """README.txt: what each file is for, and what is still missing."""
    image = platform.image
    about = [(image.kernel, f"{app.name} for {platform.name} (an arm64 Image)")]
    if image.tree:
        about.append((image.tree, "the device tree: what hardware there is"))
    if image.config:
        about += [("config.txt", "what the board's firmware is told"),
                  ("cmdline.txt", "the program's command line, one line")]
    about.append(("extlinux/extlinux.conf", "how U-Boot starts it, if there is a U-Boot"))
    width = max(len(name) for name, _ in about)
    lines = [f"Busbar: {platform.about or platform.name}", ""]
    lines += [f"  {name.ljust(width)}  {what}" for name, what in about]
    if image.firmware:
        lines += ["", "The board's own firmware belongs beside them and "
                  + ("is here:" if brought else "is NOT here, since it cannot be shipped:"),
                  *(f"  {name}" for name in image.firmware)]
        if not brought:
            lines += ["Copy these files from", f"  {image.firmware_from},",
                      "or let `busbar image --firmware FOLDER` do it."]
    return "\n".join([*lines, ""])


def boot_files(platform, app, wish, kernel):
    """{name: bytes or path} of the boot partition."""
    image = platform.image
    cmdline = " ".join(filter(None, [image.cmdline, wish.append]))
    if not cmdline.isprintable():
        raise BusbarError("--append: a command line is one line")
    files = {image.kernel: kernel}
    if image.tree:
        files[image.tree] = desk.tree_for(platform, wish.dtb, common.verbose)
    elif wish.dtb:
        raise BusbarError(f"--dtb: {common.relative(platform.path)} names no tree in [image]: "
                          "whoever starts the program brings one")
    if image.config:
        names = [f"kernel={image.kernel}", *([f"device_tree={image.tree}"] if image.tree else [])]
        files["config.txt"] = "".join(f"{line}\n" for line in [*image.config, *names]).encode()
        files["cmdline.txt"] = f"{cmdline}\n".encode()
    files["extlinux/extlinux.conf"] = extlinux(image, cmdline).encode()
    brought = firmware_files(image, wish.firmware) if wish.firmware else {}
    files["README.txt"] = readme(platform, app, brought).encode()
    return files | brought


def write_tar(path, folder):
    """The files of a folder, the same bytes each time."""
    part = path.with_name(path.name + ".part")
    try:
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive:
            for each in media.tree_of(folder):
                entry = tarfile.TarInfo(str(each.relative_to(folder)))
                entry.mtime, entry.mode = media.MOMENT, 0o644
                if each.is_dir():
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(entry)
                    continue
                data = each.read_bytes()
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def make_disk(path, wish, staged, identity):
    """The card or disk itself."""
    size = boot_size(wish.size, wish.data)
    needed = sum(each.stat().st_size + 4096 for each in media.tree_of(staged))
    if needed > size - 4 * MIB:
        raise BusbarError(f"the boot files take {needed // MIB} MiB and their partition has "
                          f"{size // MIB}; --size {2 * wish.size // MIB}M makes it larger")
    serial = int.from_bytes(identity.bytes[:4], "little")
    files = folder_of("--files", wish.files) if wish.files else None
    with tempfile.TemporaryDirectory(prefix="busbar", dir=path.parent) as name:
        folder = Path(name)
        common.note(f"making the boot partition, {size // MIB} MiB of FAT32")
        media.make_fat(folder / "boot", size, "BUSBAR", serial, staged)
        partitions = [("fat", folder / "boot", True)]
        rest = wish.size - media.FIRST - size
        if wish.data != "none":
            common.note(f"making the data partition, {rest // MIB} MiB of {wish.data}")
            if wish.data == "ext4":
                media.make_ext4(folder / "data", rest, "data", str(identity), files)
            else:
                empty = folder / "none"
                empty.mkdir()
                media.make_fat(folder / "data", rest, "DATA", serial ^ 0xFFFFFFFF, files or empty)
            partitions.append((wish.data, folder / "data", False))
        media.assemble(path, wish.size, serial, partitions)


def output_path(wish, platform, app):
    if not wish.out:
        folder = BUILD / "images"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{platform.name}-{app.name}.img"
    path = Path(wish.out).expanduser().resolve()
    if path.exists() and not path.is_file():
        raise BusbarError(f"--out {wish.out}: is no file; make a file, then write it to a card: "
                          f"dd if=FILE of={wish.out} bs=4M conv=fsync")
    if path.suffix == ".tar":
        raise BusbarError(f"--out {wish.out}: the tar gets its name from the image's: give that")
    if not path.parent.is_dir():
        raise BusbarError(f"--out {wish.out}: no such folder")
    return path


def check(platform, wish):
    """Refuse what cannot be made before the long build."""
    if not platform.image:
        where = common.relative(platform.path)
        if platform.arch == "host":
            raise BusbarError(f"{platform.name} runs as a process: "
                              f"tools/busbar build {platform.typed} makes the program")
        raise BusbarError(f"{where} has no [image] table, so nothing is known to start from "
                          f"a disk; tools/busbar build {platform.typed} makes the program alone")
    if wish.files and wish.data == "none":
        raise BusbarError("--files: there is no data partition to hold them; leave out --data none")
    if wish.data == "fat" and wish.size < 2 * LEAST:
        raise BusbarError("--data fat: two FAT32 want --size 128M at least")
    if wish.files:
        folder_of("--files", wish.files)
    if wish.firmware:
        firmware_files(platform.image, wish.firmware)


def next_steps(platform, path):
    where = common.relative(path)
    if platform.qemu and platform.qemu.disk:
        common.note(f"QEMU starts it: tools/busbar run {platform.typed} --card {where}")
    common.note(f"on a real one: dd if={where} of=/dev/YOUR-CARD bs=4M conv=fsync")


def image(wish):
    """The command: makes both and prints their paths."""
    platform, app = manifest.load_platform(wish.platform), manifest.load_app(wish.app)
    check(platform, wish)
    path = output_path(wish, platform, app)
    setup.ensure(platform, compiler=wish.compiler, qemu=False, disks=True, verbose=common.verbose)
    kernel = build.build(platform, app, wish.buildtype, wish.compiler, common.verbose)
    what = f"{platform.name}/{app.name}/{wish.size}/{wish.data}"
    identity = uuid.UUID(bytes=hashlib.sha256(what.encode()).digest()[:16], version=4)
    archive = path.with_suffix(".tar")
    with tempfile.TemporaryDirectory(prefix="busbar") as name:
        staged = Path(name)
        files = boot_files(platform, app, wish, kernel)
        media.stage(staged, files)
        make_disk(path, wish, staged, identity)
        write_tar(archive, staged)
    for made in (path, archive):
        print(common.relative(made))
    missing = [name for name in platform.image.firmware if name not in files]
    if missing:
        common.note(f"not on it: {', '.join(missing)}, from {platform.image.firmware_from}; "
                    "--firmware FOLDER brings them")
    next_steps(platform, path)
    return 0
