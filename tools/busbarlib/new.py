# SPDX-License-Identifier: BSD-2-Clause
"""`busbar new`: the first files of a driver, a platform or an application, ready to build."""
import re

from . import ROOT, BusbarError, common

DRIVER = """/* SPDX-License-Identifier: BSD-2-Clause */
/* CHIP: what it is, and the document that its register names come from. */
#include <busbar/mmio.h>
#include <busbar/HEADER.h>

struct CHIP {
    struct bb_device device;
    struct bb_SUBSYSTEM SUBSYSTEM;
    struct bb_regs regs;
};

static int CHIP_probe(struct bb_device *device)
{
    struct CHIP *CHIP = bb_container_of(device, struct CHIP, device);

    return bb_regs_get(device, 0, 0x1000, &CHIP->regs);
}

/* The operations are in include/busbar/HEADER.h: add those that the chip has. */
const struct bb_SUBSYSTEM_ops bb_ops_SUBSYSTEM_CHIP = {0};

BB_DRIVER(SUBSYSTEM, CHIP, .bus = &bb_mmio_bus, .match = BB_MATCH({"vendor,CHIP"}),
          .probe = CHIP_probe);
"""

# What a USB driver offers to others: a face of its subsystem, or nothing (drivers/usb).
USB_FACE = {
    "INCLUDE": "#include <busbar/HEADER.h>\n",
    "MEMBER": "    struct bb_SUBSYSTEM SUBSYSTEM;\n",
    "OPS": """/* The operations are in include/busbar/HEADER.h: add those that the device has. */
const struct bb_SUBSYSTEM_ops bb_ops_SUBSYSTEM_CHIP = {0};

""",
    "MACRO": "BB_DRIVER",
    "INDENT": " " * 10,
}
USB_FACELESS = {"INCLUDE": "", "MEMBER": "", "OPS": "", "MACRO": "BB_DRIVER_FACELESS",
                "INDENT": " " * 19}

USB_DRIVER = """/* SPDX-License-Identifier: BSD-2-Clause */
/* CHIP: what it is, and the class specification that its requests come from. */
INCLUDE#include <busbar/usb.h>

struct CHIP {
    struct bb_device device;
MEMBER    struct bb_usb_interface *interface;
    struct bb_usb_transfer transfer;
};

/* Must not wait. What the device sent is hostile: check lengths and counts before use. */
static void CHIP_received(struct bb_usb_transfer *transfer)
{
    if (transfer->status) /* unplugged, cancelled, or an error: docs/usb.md says what then */
        return;
    (void)bb_usb_submit(transfer);
}

/* May wait, as bb_usb_control() does, and takes all the memory that the driver will ever need. */
static int CHIP_probe(struct bb_device *device)
{
    struct CHIP *CHIP = bb_container_of(device, struct CHIP, device);
    int error = bb_usb_claim(device, &CHIP->interface);
    if (error)
        return error;
    struct bb_usb_endpoint *in = bb_usb_endpoint(CHIP->interface, BB_USB_BULK, BB_USB_IN);
    if (!in)
        return bb_fail(device, "endpoint", -ENOENT);
    void *data = bb_usb_alloc(device, in->packet);
    if (!data)
        return -ENOMEM;
    CHIP->transfer.endpoint = in;
    CHIP->transfer.data = data;
    CHIP->transfer.length = in->packet;
    CHIP->transfer.timeout = BB_FOREVER;
    CHIP->transfer.done = CHIP_received;
    return bb_usb_submit(&CHIP->transfer);
}

OPSMACRO(SUBSYSTEM, CHIP, .bus = &bb_usb_bus, .hotplug = true,
INDENT.match = BB_MATCH({"usbif,classff.0.0"}), .probe = CHIP_probe);
"""

PLATFORM = """# SPDX-License-Identifier: BSD-2-Clause
about = "NAME"
arch = "aarch64"
boot = ["linux-arm64"]
drivers = ["irq/gic_v2", "timer/arm_generic", "clock/fixed", "console/pl011", "power/psci"]
early_console = { driver = "console/pl011", address = 0x09000000 }

[qemu]
machine = "virt"
cpu = "cortex-a53"
memory = "256M"
"""

APP_MAIN = """/* SPDX-License-Identifier: BSD-2-Clause */
/* NAME: what it does. */
#include <busbar/app.h>

int bb_main(void)
{
    bb_print(BB_INFO, "NAME on %s", bb_platform_name());
    return 0;
}
"""

APP_TOML = """# SPDX-License-Identifier: BSD-2-Clause
about = "NAME"
sources = ["main.c"]
"""


def fill(text, words):
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def subsystems():
    """{name: header} of all that drivers are written for; `usb` has no face."""
    found = {"usb": "usb"}
    for header in (ROOT / "include/busbar").glob("*.h"):
        for name in re.findall(r"^struct bb_(\w+)_ops {", header.read_text("utf-8"), re.MULTILINE):
            if (ROOT / "drivers" / name).is_dir():
                found[name] = header.stem
    return found


def driver(subsystem, chip):
    """The text of a driver that compiles."""
    known = subsystems()
    if subsystem not in known:
        raise BusbarError(f"no subsystem '{subsystem}'; there are {', '.join(sorted(known))}")
    text = DRIVER
    if subsystem == "usb" or chip.startswith("usb_"):
        text = fill(USB_DRIVER, USB_FACELESS if subsystem == "usb" else USB_FACE)
    return fill(text, {"SUBSYSTEM": subsystem, "CHIP": chip, "HEADER": known[subsystem]})


def files(kind, name):
    """{path: text} of what is new, and what to do next."""
    if kind == "driver":
        match = re.fullmatch(r"([a-z]\w*)/([a-z]\w*)", name)
        if not match:
            raise BusbarError(f"a driver is SUBSYSTEM/CHIP in small letters, as rtc/pl031, "
                              f"not '{name}'")
        return ({ROOT / f"drivers/{name}.c": driver(*match.groups())},
                f'fill in compatible and operations, add "{name}" to drivers in a platform.toml, '
                f"then: tools/busbar explain PLATFORM")
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise BusbarError(f"a name has small letters, digits, - and _, not '{name}'")
    if kind == "platform":
        return ({ROOT / f"platforms/{name}/platform.toml": fill(PLATFORM, {"NAME": name})},
                f"change it to fit the board, then: tools/busbar explain {name}")
    folder = ROOT / "apps" / name
    return ({folder / "main.c": fill(APP_MAIN, {"NAME": name}),
             folder / "app.toml": fill(APP_TOML, {"NAME": name})},
            f"run it: tools/busbar run virt-arm64 --app {name}")


def new(kind, name):
    made, advice = files(kind, name)
    for path in made:
        if path.exists():
            raise BusbarError(f"{common.relative(path)} is there already; choose another name")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(common.relative(path))
    common.note("next: " + advice)
    return 0
