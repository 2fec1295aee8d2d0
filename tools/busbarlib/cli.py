# SPDX-License-Identifier: BSD-2-Clause
"""The command line of tools/busbar."""
import argparse
import importlib
import json
import os
import re
import signal
import subprocess
import sys

from . import BusbarError, common, peripherals, usb


DEFAULT_PLATFORM = "raspi3b"
DEFAULT_APP = "monitor"


class Step(argparse.Action):
    """Records --send and --expect in the order in which they were typed."""

    def __call__(self, parser, namespace, value, option=None):
        steps = list(getattr(namespace, "steps", None) or [])
        steps.append((self.dest, value))
        namespace.steps = steps


def regex(text):
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None
    return text


def seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def positive(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def card_size(text):
    try:
        return module("image").parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"busbar: {message}; see '{self.prog} --help'\n")


def module(name):
    """Commands import what they need when they run: `--help` works on any machine."""
    return importlib.import_module("." + name, __package__)


def command_run(options):
    run = module("run")
    if options.card and options.app:
        raise BusbarError(f"--app {options.app}: the card brings its own program; leave out one")
    machine = run.Machine(options.platform, options.app or DEFAULT_APP, options.build,
                          options.compiler, options.dtb, options.append, options.smp,
                          options.memory, disks=options.disk, net=options.net,
                          forwards=options.forward, card=options.card, usb=options.usb,
                          screen=options.screen, initrd=options.initrd, extra=options.extra,
                          reboot=options.reboot)
    return run.run(machine, getattr(options, "steps", []), options.timeout, options.screenshot)


def command_build(options):
    image = module("build").build(options.platform, options.app, options.build, options.compiler,
                                  common.verbose)
    here = os.getcwd()
    print(os.path.relpath(image, here) if image.is_relative_to(here) else image)
    return 0


def command_platforms(options):
    return module("listing").platforms(options.json)


def command_drivers(options):
    return module("listing").drivers(options.json)


def command_explain(options):
    return module("explain").explain(options.platform, options.dtb, options.json)


def command_image(options):
    image = module("image")
    return image.image(image.Wish(options.platform, options.app, options.out, options.size,
                                  options.data, options.files, options.firmware, options.append,
                                  options.dtb, options.build, options.compiler))


def command_size(options):
    return module("size").size(options.platform, options.app, options.compiler, options.json)


def command_test(options):
    return module("testing").test(options.suite, options.platform, options.list, options.jobs)


def command_fuzz(options):
    return module("fuzz").fuzz(options.names, options.seconds, options.list)


def command_bench(options):
    return module("bench").bench(options.compiler, options.json)


def command_doctor(options):
    return module("doctor").doctor(options.json)


def command_new(options):
    return module("new").new(options.kind, options.name)


def make_parser():
    parser = Parser(prog="tools/busbar", description="Build, run, explain and test Busbar.",
                    epilog="Example: tools/busbar run virt-arm64    "
                           "Each command has its own --help.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")

    def add(name, action, text, *examples):
        command = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog="\n         ".join(["Example: tools/busbar " + examples[0],
                                        *("tools/busbar " + more for more in examples[1:])]))
        command.set_defaults(action=action)
        command.add_argument("-v", "--verbose", action="store_true",
                             help="print the commands it runs")
        return command

    def platform(command, optional=False):
        text = "a name from 'tools/busbar platforms', or the path of a platform folder"
        if optional:
            text += f" (default {DEFAULT_PLATFORM})"
        command.add_argument("platform", metavar="PLATFORM", help=text,
                             nargs="?" if optional else None)

    def app(command):
        command.add_argument("--app", "-a", default=DEFAULT_APP, metavar="A",
                             help=f"application, by name or path (default {DEFAULT_APP})")

    def as_json(command):
        command.add_argument("--json", action="store_true", help="JSON, as docs/tools.md says")

    def toolchain(command, buildtype=True):
        if buildtype:
            command.add_argument("--build", choices=("release", "debug"), default="release",
                                 help="build type (default release)")
        command.add_argument("--compiler", choices=("gcc", "clang"), default="gcc",
                             help="compiler (default gcc)")

    command = add("run", command_run,
                  "build an application and run it in QEMU (platform host: here)",
                  'run raspi3b --send devices --expect "pl011" --timeout 60',
                  "run virt-arm64 --app webpage --forward 8080:80",
                  "run virt-arm64 --disk sd.img --disk other.img --send block",
                  "run raspi3b --disk card.img --usb keyboard --usb storage:stick.img")
    platform(command, optional=True)
    app(command)
    command.set_defaults(app=None)  # a card brings its own
    command.add_argument("--dtb", metavar="F", help="device tree: a path or a name in build/dtbs")
    toolchain(command)
    command.add_argument("--send", action=Step, metavar="TEXT",
                         help="wait for the prompt, then type TEXT and Enter")
    command.add_argument("--expect", action=Step, metavar="REGEX", type=regex,
                         help="wait until REGEX appears after the last send; with --send or "
                              "--expect the run is unattended and they act in the order given")
    command.add_argument("--timeout", type=seconds, metavar="S",
                         help="end after S seconds (default: 60 unattended, else none)")
    command.add_argument("--append", default="", metavar="CMDLINE",
                         help="command line for the guest, as in 'log=debug'")
    command.add_argument("--disk", action="append", default=[], metavar="FILE",
                         help="a disk, which the guest reads and writes; several are disk0, disk1 ...; "
                              "on a board with a slot for a card it is the card")
    command.add_argument("--card", metavar="FILE",
                         help="a card of 'tools/busbar image': its program, its device tree and its "
                              "command line, and the card as a disk")
    command.add_argument("--usb", action="append", default=[], metavar="KIND[:FILE]", type=usb.plug,
                         help="plug in keyboard, mouse, tablet, storage:FILE, serial[:SOCKET], net, "
                              "hub or none; several share a hub, and what follows a hub is plugged "
                              "into it; without any, who sits at a terminal gets a keyboard")
    command.add_argument("--net", action="store_true",
                         help="a network card on a network of its own, with a way to the outside")
    command.add_argument("--forward", action="append", default=[], metavar="HOST:GUEST",
                         type=peripherals.forward,
                         help="a TCP port of 127.0.0.1 (0: a free one) that is the guest's, or with "
                              "udp: before it a UDP port; may be given more than once; implies --net")
    command.add_argument("--screen", action="store_true",
                         help="show the screen in a window, with a keyboard and a mouse to use there")
    command.add_argument("--screenshot", metavar="FILE",
                         help="write the screen as a PNG at the end, while the guest still runs")
    command.add_argument("--reboot", action="store_true",
                         help="go on after a reset, which else ends an unattended run")
    command.add_argument("--initrd", metavar="FILE", help="a file that is loaded beside the image")
    command.add_argument("--smp", type=positive, metavar="N", help="cores, where QEMU can choose")
    command.add_argument("--memory", metavar="M", help="memory, as in 256M, where QEMU can choose")
    command.usage = command.format_usage()[len("usage: "):].rstrip() + " [-- QEMU ARGS]"

    command = add("build", command_build, "build an application and print the image's path",
                  "build raspi3b --app hello")
    platform(command)
    app(command)
    toolchain(command)

    command = add("image", command_image,
                  "make a card or disk that the board starts from, and a tar of its boot files",
                  "image raspi3b --app webpage --out card.img",
                  "image raspi3b --size 1G --data fat --firmware ~/firmware/boot")
    platform(command)
    app(command)
    command.add_argument("--out", metavar="F",
                         help="where the image goes, and the tar beside it (default in build/images)")
    command.add_argument("--size", type=card_size, default="128M", metavar="SIZE",
                         help="of the whole image, a power of two (default 128M); a file with holes")
    command.add_argument("--data", choices=("ext4", "fat", "none"), default="ext4",
                         help="the file system of the second partition (default ext4)")
    command.add_argument("--files", metavar="DIR", help="a folder whose files it holds from the start")
    command.add_argument("--firmware", metavar="DIR",
                         help="a folder that holds the board's own firmware files, to be put on it")
    command.add_argument("--append", default="", metavar="CMDLINE",
                         help="command line of the program, as in 'log=debug'")
    command.add_argument("--dtb", metavar="F",
                         help="another device tree: a path or a name in build/dtbs")
    toolchain(command)

    command = add("platforms", command_platforms, "list the platforms", "platforms")
    as_json(command)
    command = add("drivers", command_drivers,
                  "list the drivers, the hardware they match and the platforms that link them",
                  "drivers --json")
    as_json(command)

    command = add("explain", command_explain,
                  "say for every device of a platform which driver takes it, or why none does",
                  "explain raspi3b --dtb bcm2711-rpi-4-b.dtb")
    platform(command)
    command.add_argument("--dtb", metavar="F", help="device tree: a path or a name in build/dtbs")
    as_json(command)

    command = add("size", command_size, "say what an image is made of, and check the budgets",
                  "size virt-arm64 --app hello")
    platform(command)
    app(command)
    toolchain(command, buildtype=False)
    as_json(command)

    command = add("test", command_test, "run the tests", "test --suite unit --suite boot")
    command.add_argument("--suite", "-s", action="append", default=[], metavar="S",
                         help="only this suite; may be given more than once")
    command.add_argument("--platform", "-p", action="append", default=[], metavar="P",
                         help="only what runs on this platform; may be given more than once")
    command.add_argument("--list", action="store_true", help="print the cases, run nothing")
    command.add_argument("--jobs", "-j", type=positive, default=(os.cpu_count() or 1) + 1,
                         metavar="N", help="cases that run at once, for guests mostly wait "
                         "(default: one more than there are cores)")

    command = add("fuzz", command_fuzz,
                  "let libFuzzer feed what parses input from outside; say executions and coverage",
                  "fuzz ring partition --seconds 600")
    command.add_argument("names", metavar="NAME", nargs="*",
                         help="a target, as --list names them (default: all)")
    command.add_argument("--seconds", type=positive, default=20, metavar="N",
                         help="how long each runs (default 20)")
    command.add_argument("--list", action="store_true", help="print the targets, run nothing")

    command = add("bench", command_bench,
                  "count what block and net cost, beside loops written by hand in the same run",
                  "bench --json")
    toolchain(command, buildtype=False)
    as_json(command)

    command = add("doctor", command_doctor, "say what this machine has and what it lacks",
                  "doctor")
    as_json(command)

    command = add("new", command_new, "write the first files of a driver, platform or application",
                  "new driver rtc/ds1307", "new driver net/usb_example")
    command.add_argument("kind", choices=("driver", "platform", "app"))
    command.add_argument("name", metavar="NAME", help="a driver's is SUBSYSTEM/CHIP, a USB device's "
                                                      "SUBSYSTEM/usb_CHIP or usb/CHIP")
    return parser


def interrupted(signum, _frame):
    # An exception unwinds through every `with`, so the terminal is restored and QEMU is ended.
    raise SystemExit(128 + signum)


def main(arguments):
    extra = []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, extra = arguments[:cut], arguments[cut + 1:]
    parser = make_parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command == "run":
        # argparse gives up on an optional word that stands behind the options.
        if not options.platform and rest and not rest[0].startswith("-"):
            options.platform = rest.pop(0)
        options.platform = options.platform or DEFAULT_PLATFORM
    if rest:
        common.note(f"'{rest[0]}' means nothing to {options.command}; "
                    f"see 'tools/busbar {options.command} --help'")
        return 2
    if extra and options.command != "run":
        common.note(f"{options.command} takes nothing after --; only run does")
        return 2
    options.extra = extra
    common.verbose = options.verbose
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupted)
    try:
        status = options.action(options)
        sys.stdout.flush()
        return status
    except BusbarError as error:
        common.note(str(error))
    except json.JSONDecodeError as error:
        common.note(f"a tool answered what is no JSON: {error}; try again with --verbose")
    except subprocess.TimeoutExpired as error:
        common.note(f"{error.cmd[0]} took more than {error.timeout:g} s and was ended")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `busbar drivers | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:
        common.note(f"{error.filename or 'system'}: {error.strerror}")
    return 1
