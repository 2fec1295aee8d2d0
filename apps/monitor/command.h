/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command of the monitor: one file, one table entry. To add one, write command_<name> in a file
 * of its own, name the file in app.toml and the command in main.c.
 */
#ifndef MONITOR_COMMAND_H
#define MONITOR_COMMAND_H

#include <busbar/app.h>
#include <busbar/console.h>

enum { SAID = 1 }; /* an error that the command has put into words */

struct command {
    const char *name;
    const char *usage; /* the arguments: "[NODE]"; "" for none */
    const char *about;
    /* argv[0] is the command. 0, SAID, or a negative errno value, which the monitor prints in
     * words; -EINVAL prints the usage. */
    int (*run)(int argc, char **argv);
    /* Word `index` that may stand as its argument, into `word`; false past the last. May be NULL.
     */
    bool (*complete)(size_t index, char *word, size_t size);
};

extern const struct command *const commands[]; /* up to a NULL */

/* Completes with the paths of all nodes that name a device. */
bool complete_node(size_t index, char *word, size_t size);

/* Writes to every console. */
void say(const char *format, ...) BB_PRINTF(1, 2);
/* Decimal, or hexadecimal after 0x; false unless the whole text is a number in range. */
bool parse_number(const char *text, uint64_t limit, uint64_t *value);
/* "2026-11-21 08:15:00" */
void say_date(int64_t seconds);

/* Those of disks and files are linked where the platform has disks: BB_MODULE_FILE. */
extern const struct command command_block, command_mount, command_umount, command_ls, command_cat,
    command_cp, command_mkdir, command_rm, command_save, command_append;
extern const struct command command_help, command_devices, command_explain, command_log,
    command_store, command_rtc, command_date, command_mailbox, command_gpio, command_irq,
    command_memory, command_read, command_write, command_uptime, command_reboot, command_poweroff,
    command_net;
/* With BB_MODULE_TCPIP: the addresses of the node's network device, or why it has none. */
void explain_network(const struct bb_node *node);
/* bb_node_reason(), and what a tree says of a USB port is no device without a driver. */
void node_reason(const struct bb_node *node, char *buffer, size_t size);
/* Where the platform links a driver of that face: BB_FACE_USB_HOST. */
extern const struct command command_usb;

#endif
