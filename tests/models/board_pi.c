/* SPDX-License-Identifier: BSD-2-Clause */
/* A Raspberry Pi 3 Model B, after its tree of Linux 6.1: the blocks that have drivers. */
#include "boards.h"

#include <busbar/arena.h>

#include <tests/unit/harness.h>

enum {
    PHANDLE_LOCAL = 1,
    PHANDLE_ARMCTRL,
    PHANDLE_MAILBOX,
    PHANDLE_FIRMWARE,
    PHANDLE_CPRMAN,
    PHANDLE_AUX,
    PHANDLE_POWER,
    PHANDLE_GPIO = PI_GPIO_PHANDLE,
    PHANDLE_UART0_PINS,
    PHANDLE_UART1_PINS,
    PHANDLE_EMMC_34,
    PHANDLE_EMMC_48,
    PHANDLE_SDHOST_48,
    PHANDLE_DMA,
};
enum { HIGH = 4 };
enum { CPRMAN_UART = 19, CPRMAN_VPU = 20, CPRMAN_EMMC = 28 };
enum { DREQ_EMMC = 11, DREQ_SDHOST = 13 };
enum { POWER_USB = 6, FIRMWARE_USB = 3 };

#define BUS_BASE 0xc0000000u

struct pi pi;

extern char __data_start, _end; /* the linker's */

/* Nobody but the firmware touches the clock manager: every access is one too many. */
static const struct model_register no_registers[] = {{NULL}};

static void write_device(const char *name, const char *compatible, uint32_t base, uint32_t size,
                         uint32_t bank, uint32_t line)
{
    tree_device(name, compatible);
    tree_cells("reg", base, size);
    if (line != UINT32_MAX)
        tree_cells("interrupts", bank, line);
}

static void write_controllers(void)
{
    write_device("local_intc@40000000", "brcm,bcm2836-l1-intc", 0x40000000, 0x100, 0, UINT32_MAX);
    tree_flag("interrupt-controller");
    tree_cells("#interrupt-cells", 2);
    tree_cells("interrupt-parent", PHANDLE_LOCAL);
    tree_cells("phandle", PHANDLE_LOCAL);
    tree_close();
    write_device("interrupt-controller@7e00b200", "brcm,bcm2836-armctrl-ic", 0x7e00b200, 0x200, 8,
                 HIGH);
    tree_cells("interrupt-parent", PHANDLE_LOCAL);
    tree_flag("interrupt-controller");
    tree_cells("#interrupt-cells", 2);
    tree_cells("phandle", PHANDLE_ARMCTRL);
    tree_close();
}

static void write_timers(void)
{
    tree_device("timer@7e003000", "brcm,bcm2835-system-timer");
    tree_cells("reg", 0x7e003000, 0x1000);
    tree_cells("interrupts", 1, 0, 1, 1, 1, 2, 1, 3);
    tree_cells("clock-frequency", 1000000);
    tree_close();
}

static void write_firmware(void)
{
    write_device("mailbox@7e00b880", "brcm,bcm2835-mbox", 0x7e00b880, 0x40, 0, 1);
    tree_cells("#mbox-cells", 0);
    tree_cells("phandle", PHANDLE_MAILBOX);
    tree_close();
    tree_device("firmware", "raspberrypi,bcm2835-firmware");
    tree_cells("#address-cells", 1);
    tree_cells("#size-cells", 1);
    tree_cells("mboxes", PHANDLE_MAILBOX);
    tree_flag("dma-ranges");
    tree_cells("phandle", PHANDLE_FIRMWARE);
    tree_close();
    tree_device("power", "raspberrypi,bcm2835-power");
    tree_cells("firmware", PHANDLE_FIRMWARE);
    tree_cells("#power-domain-cells", 1);
    tree_cells("phandle", PHANDLE_POWER);
    tree_close();
}

static void write_pins(const char *name, uint32_t phandle, uint32_t first, uint32_t function)
{
    tree_open(name);
    tree_cells("brcm,pins", first, first + 1);
    tree_cells("brcm,function", function);
    tree_cells("brcm,pull", 0, 2);
    tree_cells("phandle", phandle);
    tree_close();
}

static void write_card_pins(const char *name, uint32_t phandle, uint32_t first, uint32_t function)
{
    tree_open(name);
    tree_cells("brcm,pins", first, first + 1, first + 2, first + 3, first + 4, first + 5);
    tree_cells("brcm,function", function);
    tree_cells("phandle", phandle);
    tree_close();
}

static void write_pin_blocks(void)
{
    write_device("cprman@7e101000", "brcm,bcm2835-cprman", 0x7e101000, 0x2000, 0, UINT32_MAX);
    tree_cells("#clock-cells", 1);
    tree_cells("phandle", PHANDLE_CPRMAN);
    tree_close();
    tree_device("gpio@7e200000", "brcm,bcm2835-gpio");
    tree_cells("reg", 0x7e200000, 0xb4);
    tree_cells("interrupts", 2, 17, 2, 18, 2, 19, 2, 20);
    tree_flag("gpio-controller");
    tree_cells("#gpio-cells", 2);
    tree_flag("interrupt-controller");
    tree_cells("#interrupt-cells", 2);
    tree_cells("phandle", PHANDLE_GPIO);
    write_pins("uart0_gpio32", PHANDLE_UART0_PINS, 32, 7);
    write_pins("uart1_gpio14", PHANDLE_UART1_PINS, 14, 2);
    write_card_pins("emmc_gpio34", PHANDLE_EMMC_34, 34, 7);
    write_card_pins("emmc_gpio48", PHANDLE_EMMC_48, 48, 7);
    write_card_pins("sdhost_gpio48", PHANDLE_SDHOST_48, 48, 4);
    tree_close();
}

static void write_consoles(void)
{
    write_device("serial@7e201000", "arm,pl011", 0x7e201000, 0x200, 2, 25);
    tree_cells("clocks", PHANDLE_CPRMAN, CPRMAN_UART, PHANDLE_CPRMAN, CPRMAN_VPU);
    tree_strings("clock-names", "uartclk\0apb_pclk");
    tree_cells("arm,primecell-periphid", 0x00241011);
    tree_cells("pinctrl-0", PHANDLE_UART0_PINS);
    tree_close();
    write_device("aux@7e215000", "brcm,bcm2835-aux", 0x7e215000, 8, 0, UINT32_MAX);
    tree_cells("#clock-cells", 1);
    tree_cells("clocks", PHANDLE_CPRMAN, CPRMAN_VPU);
    tree_cells("phandle", PHANDLE_AUX);
    tree_close();
    write_device("serial@7e215040", "brcm,bcm2835-aux-uart", 0x7e215040, 0x40, 1, 29);
    tree_cells("clocks", PHANDLE_AUX, 0);
    tree_cells("pinctrl-0", PHANDLE_UART1_PINS);
    tree_close();
}

/* Debian's tree leads the pins of the card to SDHOST, and the Arasan to the wireless chip. */
static void write_cards(const struct pi_options *options)
{
    tree_device("dma@7e007000", "brcm,bcm2835-dma");
    tree_cells("reg", 0x7e007000, 0xf00);
    tree_cells("interrupts", 1, 16, 1, 17, 1, 18, 1, 19, 1, 20, 1, 21, 1, 22, 1, 23, 1, 24, 1, 25,
               1, 26, 1, 27, 1, 27, 1, 27, 1, 27, 1, 28);
    tree_cells("#dma-cells", 1);
    tree_cells("brcm,dma-channel-mask", 0x7f35);
    tree_cells("phandle", PHANDLE_DMA);
    tree_close();
    write_device("mmc@7e202000", "brcm,bcm2835-sdhost", 0x7e202000, 0x100, 2, 24);
    tree_cells("clocks", PHANDLE_CPRMAN, CPRMAN_VPU);
    if (!options->no_dma)
        tree_cells("dmas", PHANDLE_DMA, DREQ_SDHOST);
    tree_cells("pinctrl-0", PHANDLE_SDHOST_48);
    tree_cells("bus-width", 4);
    if (options->arasan)
        tree_strings("status", "disabled");
    tree_close();
    write_device("mmc@7e300000", "brcm,bcm2835-sdhci", 0x7e300000, 0x100, 2, 30);
    tree_cells("clocks", PHANDLE_CPRMAN, CPRMAN_EMMC);
    bool pins = options->arasan && !options->wireless_pins;
    tree_cells("pinctrl-0", pins ? PHANDLE_EMMC_48 : PHANDLE_EMMC_34);
    tree_cells("bus-width", 4);
    if (options->arasan && !options->no_dma)
        tree_cells("dmas", PHANDLE_DMA, DREQ_EMMC);
    tree_close();
}

static void write_rest(void)
{
    tree_device("watchdog@7e100000", "brcm,bcm2835-pm");
    tree_cells("#power-domain-cells", 1);
    tree_cells("#reset-cells", 1);
    tree_cells("reg", 0x7e100000, 0x114, 0x7e00a000, 0x24);
    tree_flag("system-power-controller");
    tree_close();
    write_device("usb@7e980000", "brcm,bcm2835-usb", 0x7e980000, 0x10000, 1, 9);
    tree_cells("#address-cells", 1);
    tree_cells("#size-cells", 0);
    tree_cells("power-domains", PHANDLE_POWER, POWER_USB);
    tree_strings("dr_mode", "host");
    tree_close();
    write_device("rng@7e104000", "brcm,bcm2835-rng", 0x7e104000, 0x10, 2, 29);
    tree_close();
}

static void write_tree(const struct pi_options *options)
{
    uint64_t memory = options->far_memory ? 1ull << 60 : (uint64_t)(uintptr_t)pi.mailbox.host_base;

    tree_begin(2, 1);
    tree_cells("interrupt-parent", PHANDLE_ARMCTRL);
    tree_open("aliases");
    tree_strings("serial0", PI_PL011);
    tree_strings("serial1", PI_MINI_UART);
    tree_close();
    tree_open("soc");
    tree_strings("compatible", "simple-bus");
    tree_cells("#address-cells", 1);
    tree_cells("#size-cells", 1);
    tree_cells("ranges", 0x7e000000, 0, 0x3f000000, 0x1000000, 0x40000000, 0, 0x40000000, 0x1000);
    tree_cells("dma-ranges", BUS_BASE, (uint32_t)(memory >> 32), (uint32_t)memory,
               (uint32_t)pi.mailbox.host_size); /* and no further: what is beyond is not seen */
    write_controllers();
    write_timers();
    write_firmware();
    write_pin_blocks();
    write_consoles();
    write_cards(options);
    write_rest();
    tree_close();
    if (!options->no_generic_timer) {
        tree_device("timer", "arm,armv7-timer");
        tree_cells("interrupt-parent", PHANDLE_LOCAL);
        tree_cells("interrupts", 0, HIGH, 1, HIGH, 3, HIGH, 2, HIGH);
        tree_close();
    }
}

static bool leads(unsigned function)
{
    for (unsigned pin = 48; pin < 54; pin++)
        if (model_bcm2835_gpio_function(&pi.gpio, pin) != function)
            return false;
    return true;
}

static struct sd_card *sdhost_slot(void *context)
{
    (void)context;
    return leads(4) ? &pi.card : NULL;
}

static struct sd_card *sdhci_slot(void *context)
{
    (void)context;
    return leads(7) ? &pi.card : NULL;
}

static void prepare_cards(void)
{
    model_dma_map(&pi.dma, 0x3f007000);
    pi.dma.bus_base = BUS_BASE;
    pi.dma.memory = pi.mailbox.seen;
    pi.dma.size = pi.mailbox.host_size;
    model_sdhost_map(&pi.sdhost, 0x3f202000, 250000000);
    model_sdhci_map(&pi.sdhci, 0x3f300000, 250000000);
    pi.sdhost.slot = sdhost_slot;
    pi.sdhci.slot = sdhci_slot;
    pi.dma.peripherals[DREQ_SDHOST] =
        (struct dma_peripheral){0x7e202040, model_sdhost_dreq, &pi.sdhost, &pi.sdhost.model, 0x40};
    pi.dma.peripherals[DREQ_EMMC] =
        (struct dma_peripheral){0x7e300020, model_sdhci_dreq, &pi.sdhci, &pi.sdhci.model, 0x20};
    sd_card_make(&pi.card, SD_CARD_SDHC, 16 * 1024 * 2);
}

static void wire_up(void)
{
    struct wire aux = model_armctrl_wire(&pi.armctrl, 1, 29);

    pi.local.irq = (struct wire){.set = world_interrupt};
    pi.armctrl.irq = model_bcm2836_wire(&pi.local, 8);
    world_timer = model_bcm2836_wire(&pi.local, 3);
    for (unsigned i = 0; i < 4; i++)
        pi.system_timer.irq[i] = model_armctrl_wire(&pi.armctrl, 1, i);
    pi.mailbox.irq = model_armctrl_wire(&pi.armctrl, 0, 1);
    for (unsigned i = 0; i < 3; i++)
        pi.gpio.irq[i] = model_armctrl_wire(&pi.armctrl, 2, 17 + i);
    pi.pl011.irq = model_armctrl_wire(&pi.armctrl, 2, 25);
    pi.aux.irq = aux;
    pi.sdhost.irq = model_armctrl_wire(&pi.armctrl, 2, 24);
    pi.sdhci.irq = model_armctrl_wire(&pi.armctrl, 2, 30);
    for (unsigned i = 0; i < 11; i++)
        pi.dma.channels[i].irq = model_armctrl_wire(&pi.armctrl, 1, 16 + i);
    pi.dwc2.irq = model_armctrl_wire(&pi.armctrl, 1, 9);
}

void pi_prepare(const struct pi_options *options)
{
    static const struct pi_options usual;

    world_start(19200000);
    model_bcm2836_map(&pi.local, 0x40000000);
    model_armctrl_map(&pi.armctrl, 0x3f00b200);
    model_system_timer_map(&pi.system_timer, 0x3f003000);
    model_vc_mailbox_map(&pi.mailbox, 0x3f00b880);
    /* The arena stands where the board's memory would: the tree's dma-ranges lead there. */
    options = options ? options : &usual;
    char *memory = bb_arena_alloc(1, 4096);
    size_t size = bb_arena_size() - bb_arena_used();
    if (options->whole_program) {
        memory = (char *)((uintptr_t)&__data_start & ~(uintptr_t)4095);
        size = (size_t)(&_end - memory) & ~(size_t)4095;
    }
    model_vc_mailbox_memory(&pi.mailbox, BUS_BASE, memory, size);
    pi.cprman = (struct model){.name = "cprman", .registers = no_registers};
    model_map(&pi.cprman, 0x3f101000, 0x2000);
    model_bcm2835_gpio_map(&pi.gpio, 0x3f200000);
    model_pl011_map(&pi.pl011, 0x3f201000, 48000000);
    model_bcm2835_aux_map(&pi.aux, 0x3f215000, 250000000);
    model_bcm2835_pm_map(&pi.pm, 0x3f100000);
    model_bcm2835_rng_map(&pi.rng, 0x3f104000);
    prepare_cards();
    model_dwc2_map(&pi.dwc2, 0x3f980000);
    model_dwc2_memory(&pi.dwc2, BUS_BASE, memory, pi.mailbox.seen, pi.mailbox.synced,
                      pi.mailbox.host_size);
    pi.dwc2.power = &pi.mailbox.power_on[FIRMWARE_USB];
    wire_up();
    write_tree(options);
}
