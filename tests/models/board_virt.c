/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's virt machine in miniature: its addresses, its interrupts, its tree. */
#include "boards.h"

#include <busbar/console.h>

#include <string.h>

#include <tests/unit/harness.h>

enum { PHANDLE_GIC = 1, PHANDLE_CLOCK = 2 };
enum { SPI = 0, PPI = 1, RISING = 1, HIGH = 4 };

struct virt virt;

static void write_gic(const struct virt_options *options)
{
    bool v3 = options->gic_version == 3;

    tree_device("intc@8000000", v3 ? "arm,gic-v3" : "arm,cortex-a15-gic");
    if (v3)
        tree_cells("reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0x40000);
    else
        tree_cells("reg", 0, 0x8000000, 0, 0x1000, 0, 0x8010000, 0, 0x2000);
    tree_flag("interrupt-controller");
    tree_cells("#interrupt-cells", 3);
    tree_cells("phandle", PHANDLE_GIC);
    tree_close();
}

static void write_primecell(const char *name, const char *compatible, uint32_t base, uint32_t spi)
{
    tree_device(name, compatible);
    tree_cells("reg", 0, base, 0, 0x1000);
    tree_cells("interrupts", SPI, spi, HIGH);
    tree_cells("clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
    tree_strings("clock-names", "uartclk\0apb_pclk");
    tree_close();
}

static void write_tree(const struct virt_options *options)
{
    tree_begin(2, 2);
    tree_cells("interrupt-parent", PHANDLE_GIC);
    tree_open("aliases");
    tree_strings("serial0", VIRT_PL011);
    tree_close();
    tree_open("chosen");
    tree_strings("stdout-path", VIRT_PL011);
    tree_close();
    write_gic(options);
    tree_device("timer", "arm,armv8-timer");
    tree_cells("interrupts", PPI, 13, HIGH, PPI, 14, HIGH, PPI, VIRT_PPI_TIMER, HIGH, PPI, 10,
               HIGH);
    tree_close();
    tree_device("apb-pclk", "fixed-clock");
    tree_cells("#clock-cells", 0);
    tree_cells("clock-frequency", 24000000);
    tree_cells("phandle", PHANDLE_CLOCK);
    tree_close();
    write_primecell("pl011@9000000", "arm,pl011", 0x9000000, VIRT_SPI_PL011);
    write_primecell("pl031@9010000", "arm,pl031", 0x9010000, VIRT_SPI_PL031);
    write_primecell("pl061@9030000", "arm,pl061", 0x9030000, VIRT_SPI_PL061);
    tree_device("psci", "arm,psci-1.0");
    tree_bytes("method", options->smc ? "smc" : "hvc", 4);
    tree_close();
    tree_device("semihosting", "busbar,semihosting");
    tree_close();
}

void virt_prepare(const struct virt_options *options)
{
    static const struct virt_options usual;

    if (!options)
        options = &usual;
    world_start(62500000);
    if (options->gic_version == 3) {
        model_gic_v3_map(&virt.gic_v3, 0x8000000, 0x80a0000, options->cpu);
        virt.gic = &virt.gic_v3.gic;
    } else {
        model_gic_v2_map(&virt.gic_v2, 0x8000000, 0x8010000);
        virt.gic = &virt.gic_v2.gic;
    }
    virt.gic->irq = (struct wire){.set = world_interrupt};
    world_timer = model_gic_wire(virt.gic, 16 + VIRT_PPI_TIMER);
    model_pl011_map(&virt.pl011, 0x9000000, 24000000);
    virt.pl011.irq = model_gic_wire(virt.gic, 32 + VIRT_SPI_PL011);
    model_pl031_map(&virt.pl031, 0x9010000, 1767225600);
    virt.pl031.irq = model_gic_wire(virt.gic, 32 + VIRT_SPI_PL031);
    model_pl061_map(&virt.pl061, 0x9030000);
    virt.pl061.irq = model_gic_wire(virt.gic, 32 + VIRT_SPI_PL061);
    model_psci_start(&virt.psci, options->smc);
    write_tree(options);
}

bool boards_are_quiet(void)
{
    for (unsigned id = 16; virt.gic && id < GIC_IDS; id++) {
        if (virt.gic->enabled[id])
            return false;
    }
    return !pi.armctrl.enabled[0] && !pi.armctrl.enabled[1] && !pi.armctrl.enabled[2] &&
           !pi.local.timer_control[0] && !pi.local.mailbox_control[0];
}

void board_type(void *context, const struct bb_face *console, char c)
{
    const char *driver = console->device->driver->name;

    (void)context;
    if (strcmp(driver, "console/bcm2835_aux") == 0)
        model_bcm2835_aux_input(&pi.aux, c);
    else if (strcmp(driver, "console/usb_serial") == 0)
        model_usb_serial_type(&pi_usb.serial, &c, 1);
    else if (strcmp(driver, "console/framebuffer") == 0) /* as its listener does with any key */
        bb_console_input(
            bb_container_of((struct bb_face *)(uintptr_t)console, struct bb_console, face), c);
    else
        model_pl011_input(virt.gic ? &virt.pl011 : &pi.pl011, c);
}
