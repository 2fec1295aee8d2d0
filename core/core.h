/* SPDX-License-Identifier: BSD-2-Clause */
/* What core's files tell each other. Nothing outside core/, the desk binder and the tests sees it.
 */
#ifndef BUSBAR_CORE_H
#define BUSBAR_CORE_H

#include <busbar/boot.h>
#include <busbar/device.h>
#include <busbar/log.h>

/* ---- fdt.c, node.c, boot/common/regions.c ---- */

/* Fills the node table from a flattened tree of at most `size` bytes. 0, or a negative errno value
 * after one line that names the fault. */
int bb_tree_load(const void *tree, size_t size);
/* Completes the regions from the node table. */
int bb_regions_build(struct bb_bootinfo *info);
/* Forgets every node. For tests. */
void bb_node_reset(void);
struct bb_node *bb_node_last(void); /* of the table: where appended ones follow */

/* ---- param.c ---- */

void bb_param_parse(const char *command_line);
/* Writes the driver's parameters into its zeroed state. Malformed ones are reported and left out.
 */
void bb_param_apply(const struct bb_driver *driver, void *state);
/* One line for all words that nobody asked for. */
void bb_param_report_unknown(void);

/* ---- boot/common/start.c, boot/common/panic.c ---- */

/* After the boot protocol has filled bb_bootinfo: brings everything up and runs the application. */
void bb_start(void);
/* Writes by polling the early console; false where there is none. Every context. */
bool bb_early_write(const char *text, size_t length);
/* Powers off with this status, if need be by ending the emulator; else rests. */
BB_NORETURN void bb_end(int status);
extern uint64_t bb_entry_ticks; /* bb_arch_counter() at the very first instruction */
extern uint64_t bb_asleep;      /* ticks of it that bb_wait() slept */

/* ---- core/arch/: what only start.c and boot protocols ask of it ---- */

/* Maps memory that is only read: the tree, the initrd. What is mapped already stays as it is. */
int bb_arch_map_constant(uint64_t address, uint64_t size);
/* Brings every core that firmware left spinning to rest in WFI. After the tree was read. */
void bb_arch_park_cores(void);

/* ---- poll.c ---- */

/* Cancels all queued work and armed timers of a device that goes. */
void bb_poll_forget(const struct bb_device *device);

/* ---- log.c ---- */

void bb_log_set_threshold(enum bb_level level);
/* Writes out what no console has shown yet: what interrupts logged, what came before the first
 * console. Does nothing where nobody listens, in an interrupt, and from within itself. */
void bb_log_show(void);

/* ---- bind.c, device.c ---- */

/* What the binder works with: the build's drivers, unless a test or the desk puts others here. */
struct bb_binder {
    const struct bb_driver *const *drivers;
    size_t count;
    bool dry; /* at the desk: everything but probe */
};
extern struct bb_binder bb_binder;

/* The driver of `binder` that takes this node, after the node's compatible order. */
struct bb_choice {
    const struct bb_driver *driver; /* NULL: none */
    const struct bb_match *match;
    bool unreached; /* some driver knows the node, and its bus does not reach it */
};
struct bb_choice bb_bind_choose(const struct bb_binder *binder, const struct bb_node *node);
/* Entry `index` of what `node` asks of `class`. -ERANGE past the last, -ENOENT for an empty one. */
int bb_class_lookup(const struct bb_class *class, const struct bb_node *node, size_t index,
                    struct bb_phandle_args *args);
/* Forgets every device, face and match. For tests. */
void bb_bind_reset(void);
void bb_device_reset(void);

/* Every face of a device, with what its driver says of it. */
#define bb_for_each_face(face, info, device)                                                       \
    for (const struct bb_face_info *info = (device)->driver->faces; info && info->class; info++)   \
        for (struct bb_face *face = (struct bb_face *)((char *)(device) + info->offset); face;     \
             face = NULL)
/* Brings a probed device into the lists, or takes back all that a failed one has. */
int bb_device_start(struct bb_device *device);
void bb_device_release(struct bb_device *device);
struct bb_device *bb_device_newest(void); /* the one that started last, or NULL */

#endif
