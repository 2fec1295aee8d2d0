/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole machines: models wired together as on the board, and the tree that describes them. A test
 * changes what it wants to in `virt` or `pi` (clocks, modes) after virt_prepare() or pi_prepare(),
 * and then boots.
 */
#ifndef TESTS_MODELS_BOARDS_H
#define TESTS_MODELS_BOARDS_H

#include <busbar/device.h>

#include "bcm2835.h"
#include "bcm2836.h"
#include "dwc2.h"
#include "gic.h"
#include "pl011.h"
#include "pl031.h"
#include "pl061.h"
#include "psci.h"
#include "sd_hosts.h"
#include "smsc95xx.h"
#include "usb_hid.h"
#include "usb_network.h"
#include "usb_serial.h"
#include "usb_storage.h"
#include "vc_mailbox.h"

/* QEMU's virt, in miniature. */
#define VIRT_PL011 "/pl011@9000000"
#define VIRT_PL031 "/pl031@9010000"
#define VIRT_PL061 "/pl061@9030000"
#define VIRT_GIC "/intc@8000000"
#define VIRT_TIMER "/timer"
#define VIRT_PSCI "/psci"
#define VIRT_SPI_PL011 1
#define VIRT_SPI_PL031 2
#define VIRT_SPI_PL061 7
#define VIRT_PPI_TIMER 11

struct virt {
    struct model_gic_v2 gic_v2;
    struct model_gic_v3 gic_v3;
    struct model_gic *gic; /* the one that is there */
    struct model_pl011 pl011;
    struct model_pl031 pl031;
    struct model_pl061 pl061;
    struct model_psci psci;
};
extern struct virt virt;

struct virt_options {
    unsigned gic_version; /* 0: 2 */
    unsigned cpu;         /* with GICv3: which one runs the test */
    bool smc;             /* PSCI's conduit */
};
/* Puts the models in place and writes the tree up to the root's end. */
void virt_prepare(const struct virt_options *options);

/* A Raspberry Pi 3, with the blocks that have drivers. */
#define PI_LOCAL "/soc/local_intc@40000000"
#define PI_ARMCTRL "/soc/interrupt-controller@7e00b200"
#define PI_SYSTEM_TIMER "/soc/timer@7e003000"
#define PI_MAILBOX "/soc/mailbox@7e00b880"
#define PI_FIRMWARE "/soc/firmware"
#define PI_BOARD "/soc/firmware/board"
#define PI_THERMAL "/soc/firmware/thermal"
#define PI_CLOCKS "/soc/firmware/clocks"
#define PI_DISPLAY "/soc/firmware/display"
#define PI_SCREEN "/soc/firmware/display/console"
#define PI_POWER "/soc/power"
#define PI_CPRMAN "/soc/cprman@7e101000"
#define PI_GPIO "/soc/gpio@7e200000"
#define PI_GPIO_PHANDLE 100
#define PI_PL011 "/soc/serial@7e201000"
#define PI_AUX "/soc/aux@7e215000"
#define PI_MINI_UART "/soc/serial@7e215040"
#define PI_PM "/soc/watchdog@7e100000"
#define PI_RNG "/soc/rng@7e104000"
#define PI_DMA "/soc/dma@7e007000"
#define PI_SDHOST "/soc/mmc@7e202000"
#define PI_SDHCI "/soc/mmc@7e300000"
#define PI_USB "/soc/usb@7e980000"
#define PI_TIMER "/timer"

struct pi {
    struct model_bcm2836 local;
    struct model_armctrl armctrl;
    struct model_system_timer system_timer;
    struct model_vc_mailbox mailbox;
    struct model cprman;
    struct model_bcm2835_gpio gpio;
    struct model_pl011 pl011;
    struct model_bcm2835_aux aux;
    struct model_bcm2835_pm pm;
    struct model_bcm2835_rng rng;
    struct model_dma dma;
    struct model_sdhost sdhost;
    struct model_sdhci sdhci;
    struct sd_card card; /* behind pins 48 to 53: ALT0 leads to SDHOST, ALT3 to the Arasan */
    struct model_dwc2 dwc2;
};
extern struct pi pi;

struct pi_options {
    bool no_generic_timer; /* so that the system timer is the source of time */
    bool far_memory;       /* dma-ranges that do not reach the program */
    bool arasan;           /* the tree gives the card's pins to it, and a channel of DMA */
    bool wireless_pins;    /* and yet not the pins */
    bool no_dma;           /* the tree gives nobody a channel */
    bool whole_program;    /* dma-ranges that reach all variables, not the arena alone */
};
void pi_prepare(const struct pi_options *options);

/* After pi_prepare(): the board's own hub and network, and a keyboard, a stick, a serial port, and
 * a hub of full speed with a mouse and another network. */
struct pi_usb {
    struct model_lan9514 lan;
    struct usb_network wire;
    struct model_usb_hid keyboard, mouse;
    struct model_usb_storage stick;
    struct model_usb_serial serial;
    struct model_hub hub;
    struct model_ecm ecm;
    uint8_t medium[1 << 20];
};
extern struct pi_usb pi_usb;
void pi_usb_plug(void);
#define PI_LAN PI_USB "/device@1/interface@0"
#define PI_ETHERNET PI_LAN "/device@1/interface@0"
#define PI_KEYBOARD PI_LAN "/device@2/interface@0"
#define PI_STICK PI_LAN "/device@3/interface@0"
#define PI_USB_SERIAL PI_LAN "/device@4/interface@0"
#define PI_OLD_HUB PI_LAN "/device@5/interface@0"
#define PI_MOUSE PI_OLD_HUB "/device@1/interface@0"
#define PI_ECM PI_OLD_HUB "/device@3/interface@0"

/* A character arrives at a console of either board. */
void board_type(void *context, const struct bb_face *console, char c);
/* Every line of every interrupt controller is off. */
bool boards_are_quiet(void);

#endif
