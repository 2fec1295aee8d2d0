# SPDX-License-Identifier: BSD-2-Clause
"""`busbar run`: build an application and run it, on a terminal or unattended."""
import contextlib
import os
import re
import tempfile
import termios
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import (BusbarError, build, card, common, desk, manifest, peripherals, setup, symbols,
               terminal, tree, usb)
from .expect import PROMPT, Dialogue, Program, describe
from .qmp import Qmp, QmpError


SEMIHOSTING = "node=busbar,semihosting"
PANIC = re.compile(r"^\r*panic: .*", re.MULTILINE)
AFTER_PANIC = re.compile(rf"^\r*(build id |{PROMPT})", re.MULTILINE)


@dataclass
class Machine:
    """What to build and how to start it: all that `run` and the boot tests can choose."""

    platform: str = "raspi3b"
    app: str = "monitor"
    buildtype: str = "release"
    compiler: str = "gcc"
    dtb: str | None = None
    append: str = ""
    smp: int | None = None
    memory: str | None = None
    options: list = field(default_factory=list)  # of -machine, as "gic-version=3"
    extra: list = field(default_factory=list)  # for QEMU, as typed
    semihosting: bool = True  # the guest's own exit status becomes QEMU's
    disks: list = field(default_factory=list)  # files
    net: bool = False  # a network card on a network of its own
    forwards: list = field(default_factory=list)  # of peripherals.Forward; they imply net
    card: str | None = None  # a disk of `busbar image`: its program, tree and command line
    usb: list = field(default_factory=list)  # of usb.Plug
    screen: bool = False  # a window shows it
    initrd: str | None = None
    reboot: bool = False  # an unattended guest may start again


@dataclass
class Prepared:
    argv: list
    elf: Path
    on_pty: bool
    forwards: list = field(default_factory=list)  # with the ports that they really have
    start: card.Start | None = None  # its files are there as long as this object

    def announce(self):
        for forward in self.forwards:
            common.note(forward.announce())


def find_tree(platform, name):
    """The path of the device tree QEMU is given, None when QEMU makes its own."""
    if not name and not (platform.tree and platform.tree.dtb):
        return None
    return desk.tree_for(platform, name, common.verbose)


def serial_arguments(consoles, dtb):
    """-serial options that put the serial which the tree's stdout-path names on our pipe."""
    names = tree.stdout_names(dtb) if consoles and dtb else set()
    index = next((consoles[name] for name in consoles if name in names), 0)
    return ["-serial", "null"] * index + ["-serial", "stdio"]


def make(machine):
    """Set up and build; the image's path, None where a card brings the program."""
    platform = manifest.load_platform(machine.platform)
    if machine.card:
        return None
    manifest.load_app(machine.app)
    setup.ensure(platform, compiler=machine.compiler, verbose=common.verbose)
    find_tree(platform, machine.dtb)  # refuse what cannot run before the long build
    return build.build(platform, machine.app, machine.buildtype, machine.compiler, common.verbose)


def reports_status(platform):
    """Whether the guest can end QEMU with an exit status of its own."""
    return platform.arch == "aarch64" and \
        "power/semihosting" in (driver.name for driver in platform.drivers)


def prepare(machine, image, unattended):
    """The command line that runs an image, or what is on the machine's card."""
    platform = manifest.load_platform(machine.platform)
    start = None
    if machine.card:
        start = card.take_off(platform, machine.card)
        image = start.kernel
        machine = replace(machine, disks=[machine.card, *machine.disks],
                          dtb=machine.dtb or (start.tree and str(start.tree)),
                          append=" ".join(filter(None, [start.cmdline, machine.append])))
    if platform.arch == "host":
        for option, value in (("--dtb", machine.dtb), ("--smp", machine.smp),
                              ("--memory", machine.memory), ("machine", machine.options),
                              ("--initrd", machine.initrd), ("--usb", machine.usb),
                              ("--screen", machine.screen), ("arguments after --", machine.extra)):
            if value:
                raise BusbarError(f"{option}: {platform.name} runs without QEMU; leave it out")
        forwards = peripherals.settle(machine.forwards)
        words = peripherals.host_words(machine, forwards)
        return Prepared([image, *words, *machine.append.split()], image, True, forwards)
    if not platform.qemu:
        raise BusbarError(f"{common.relative(platform.path)} has no [qemu] table, so nothing runs "
                          f"it here; the image is {common.relative(image)}")
    dtb = find_tree(platform, machine.dtb)
    forwards = peripherals.settle(machine.forwards)
    program = f"qemu-system-{platform.arch}"
    display = peripherals.window(program) if machine.screen else "none"
    argv = [program, *platform.qemu.command(display)]
    if "-semihosting" not in argv:
        argv += ["-semihosting"]
    argv += serial_arguments(platform.qemu.consoles, dtb)
    for option in machine.options:
        argv += ["-machine", option]
    if machine.smp:
        argv += ["-smp", str(machine.smp)]
    if machine.memory:
        argv += ["-m", machine.memory]
    argv += ["-kernel", image]
    if dtb:
        argv += ["-dtb", dtb]
    argv += peripherals.arguments(machine, platform, forwards)
    words = [SEMIHOSTING] if machine.semihosting and reports_status(platform) else []
    argv += ["-append", " ".join([*words, *([machine.append] if machine.append else [])])]
    if unattended and not machine.reboot:
        argv += ["-no-reboot"]
    argv = [str(word) for word in argv + machine.extra]
    return Prepared(argv, build.elf_of(image), False, forwards, start)


class Camera:
    """Takes a picture of the screen as a PNG, while the machine still runs."""

    def __init__(self, path):
        self.path = Path(path).expanduser().resolve()
        if not self.path.parent.is_dir():
            raise BusbarError(f"--screenshot {path}: no such folder")
        self._folder = tempfile.TemporaryDirectory(prefix="busbar")
        self._socket = Path(self._folder.name) / "qmp"
        self.arguments = Qmp.arguments(self._socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def take(self, limit=5):
        """Whether there is a picture; else a line says why not."""
        try:
            monitor = Qmp(self._socket, limit)
            try:
                monitor.screendump(self.path)
            finally:
                monitor.close()
        except QmpError as error:
            common.note(f"no screenshot: {error}")
            return False
        common.note(f"the screen: {common.relative(self.path)}")
        return True


def interactive(prepared, timeout, camera=None):
    annotator = symbols.Annotator(prepared.elf)
    on_terminal = os.isatty(0)
    if on_terminal:
        common.note("Ctrl-A X leaves")
    elif timeout is None:
        timeout = 60
    with Program(prepared.argv, prepared.on_pty) as program:
        if on_terminal:
            if program.terminal is not None:
                termios.tcsetwinsize(program.terminal, termios.tcgetwinsize(0))
            with terminal.RawTerminal(0):
                why = terminal.pump_terminal(program, annotator, timeout)
            print(flush=True)
        else:
            why = terminal.pump_script(program, annotator, timeout)
            terminal.write_all(b"\n" if why == "leave" else b"")
        if why == "end":
            status = program.status()
            common.note(f"{Path(prepared.argv[0]).name} {describe(status)}")
            if camera:
                common.note("no screenshot: the machine had ended")
                return status or 1
            return status if status is not None and status >= 0 else 1
        taken = not camera or camera.take()
    if why == "time":
        common.note(f"still running after {timeout:g} s: ended it; --timeout gives it longer")
        return 1
    return 0 if taken else 1


def unattended(prepared, steps, timeout, camera=None):
    annotator = symbols.Annotator(prepared.elf)
    with Program(prepared.argv, prepared.on_pty) as program:
        dialogue = Dialogue(program, timeout,
                            output=lambda data: terminal.write_all(annotator.feed(data)))
        outcome = dialogue.play(steps)
        taken = not camera or camera.take()
    if not dialogue.transcript.raw.endswith("\n"):
        terminal.write_all(b"\n")
    if outcome.status is not None:
        common.note(f"{Path(prepared.argv[0]).name} {describe(outcome.status)}")
    failure = outcome.failure or unexpected_panic(dialogue.transcript.raw, steps)
    if failure:
        common.note(failure)
        if "-no-reboot" in prepared.argv and outcome.status == 0:
            common.note("a reset ends an unattended run; --reboot lets the machine start again")
        return 1
    return 0 if taken else 1


def unexpected_panic(text, steps):
    """One line about a panic that no --expect asked for, or None."""
    asked = [re.compile(pattern, re.MULTILINE) for kind, pattern in steps if kind == "expect"]
    for found in PANIC.finditer(text):
        after = AFTER_PANIC.search(text, found.end())
        if after and after[1] == PROMPT:
            continue  # it printed some text, and went on
        if not any(pattern.search(found[0].strip()) for pattern in asked):
            return f"the guest ended with a {found[0].strip()}"
    return None


def equip(machine):
    """Somebody sits at it: where nothing was said about USB, a keyboard is plugged in."""
    qemu = manifest.load_platform(machine.platform).qemu
    if machine.usb or machine.screen or not (qemu and qemu.usb_ports):
        return machine
    common.note("a USB keyboard is plugged in; --usb plugs in what you like, --usb none nothing")
    return replace(machine, usb=[usb.Plug("keyboard")])


def check(machine):
    """Refuses what cannot be attached before a build that takes long."""
    platform = manifest.load_platform(machine.platform)
    if platform.arch == "host" or not platform.qemu:
        prepare(machine, Path(platform.name), True)
    else:
        peripherals.arguments(machine, platform, peripherals.settle(machine.forwards))


def run(machine, steps, timeout, screenshot=None):
    """The command: interactive without steps, else play them. Answers the exit status."""
    if screenshot and manifest.load_platform(machine.platform).arch == "host":
        raise BusbarError(f"--screenshot: {machine.platform} has no screen; leave it out")
    if not steps and os.isatty(0):
        machine = equip(machine)
    if not machine.card:
        check(machine)
    with Camera(screenshot) if screenshot else contextlib.nullcontext() as camera:
        prepared = prepare(machine, make(machine), bool(steps))
        prepared.argv += camera.arguments if camera else []
        prepared.announce()
        if not prepared.forwards and "net" in manifest.load_app(machine.app).needs:
            common.note("nothing here reaches its ports: --forward 8080:80 makes its port 80 "
                        "127.0.0.1:8080")
        if steps:
            return unattended(prepared, steps, timeout or 60, camera)
        return interactive(prepared, timeout, camera)
