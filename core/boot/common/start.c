/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of start: early console, tree, parameters, memory, devices, application. */
#include <string.h>

#include <busbar/app.h>
#include <busbar/arch.h>
#include <busbar/arena.h>
#include <busbar/boot.h>
#include <busbar/config.h>
#include <busbar/hooks.h>
#include <busbar/log.h>
#include <busbar/param.h>
#include <busbar/poll.h>
#include <busbar/store.h>

#include <core/core.h>

#define SETTLE (8 * BB_SEC) /* a disk may take so long to answer */

struct bb_bootinfo bb_bootinfo;
uint64_t bb_entry_ticks;

struct early {
    void (*putc)(uintptr_t base, char c);
    uintptr_t base;
};
static struct early early, manifest_early;

bool bb_early_write(const char *text, size_t length)
{
    static bool busy;
    if (busy) /* it panics while it writes: the first one still may work */
        early = manifest_early;
    if (!early.putc)
        return false;
    busy = true;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            early.putc(early.base, '\r');
        early.putc(early.base, text[i]);
    }
    busy = false;
    return true;
}

/* From here on messages come out; the address 0 is a console that needs none. */
static void use_early(const struct bb_driver *driver, uint64_t address, uint64_t size)
{
    uintptr_t base = address ? bb_arch_map_device(address, size) : 0;
    if (!driver->early_putc || (address && !base))
        return;
    early.base = base;
    early.putc = driver->early_putc;
}

/* The tree knows better than the manifest where this board's terminal is. */
static void follow_stdout(void)
{
    uint64_t address, size;
    uint32_t value;
    const struct bb_node *node = bb_node_stdout();
    const struct bb_driver *driver = node ? bb_bind_choose(&bb_binder, node).driver : NULL;
    if (!driver || !driver->early_putc || bb_node_reg(node, 0, &address, &size))
        return;
    /* The last word is none that a look at changes, such as the first with what was received. */
    uintptr_t base = size >= 4 ? bb_arch_map_device(address, size) : 0;
    if (base && bb_arch_probe_read32((base + (uintptr_t)size - 4) & ~(uintptr_t)3, &value))
        use_early(driver, address, size);
    else
        bb_print(BB_WARNING, "%s: no device answers where the tree has the terminal", node->name);
}

static void find_command_line(void)
{
    const struct bb_node *chosen = bb_node_find("/chosen");
    if (!bb_bootinfo.command_line && chosen)
        (void)bb_node_string(chosen, "bootargs", &bb_bootinfo.command_line);
    if (!bb_bootinfo.command_line)
        bb_bootinfo.command_line = "";
}

static void map_memory(void)
{
    for (size_t i = 0; i < bb_bootinfo.region_count; i++) {
        const struct bb_region *region = &bb_bootinfo.regions[i];
        if (region->kind == BB_REGION_RAM && !region->no_map)
            (void)bb_arch_map_memory(region->start, region->size);
        else if (region->kind == BB_REGION_INITRD)
            (void)bb_arch_map_constant(region->start, region->size);
    }
}

static void print_ticks(const char *moment)
{
    bb_print(BB_INFO, "%s after %llu ticks, %llu of them asleep", moment,
             (unsigned long long)(bb_arch_counter() - bb_entry_ticks),
             (unsigned long long)bb_asleep);
}

static BB_NORETURN void finish(int status, bool tell_ticks)
{
    (void)bb_poll();
    if (tell_ticks)
        print_ticks("power off");
    bb_end(status);
}

static BB_NORETURN void give_up(const char *why, const char *more)
{
    bb_print(BB_ERROR, "%s%s", why, more);
    finish(1, false);
}

/* With the first poll, when the application has asked for its own. */
static void report_parameters(struct bb_work *work)
{
    (void)work;
    bb_param_report_unknown();
}

static bool has_settled(void *context)
{
    (void)context;
    return !bb_hooks.settling();
}

/* What is plugged in already is there when the application begins. A device that keeps its bus busy
 * for longer comes when it comes. */
static void settle(void)
{
    if (bb_hooks.settling && bb_wait(has_settled, NULL, SETTLE) < 0)
        bb_print(BB_WARNING, "some device took too long to start; the application begins without");
}

/* The manifest's words, and after them the command line's: the last of a name counts. */
static const char *parameters(void)
{
    static const char own[] = BB_PARAMETERS;
    const char *given = bb_bootinfo.command_line;
    size_t size = sizeof(own) + strlen(given) + 1;
    char *both = sizeof(own) > 1 ? bb_arena_alloc(size, 1) : NULL;
    if (both)
        (void)bb_format(both, size, "%s %s", own, given);
    return both ? both : given;
}

void bb_start(void)
{
    if (bb_early_console.driver)
        use_early(bb_early_console.driver, bb_early_console.address, 4096);
    manifest_early = early;
    bb_log_show();
    if (!bb_bootinfo.tree)
        give_up("no device tree: ", bb_bootinfo.missing);
    int error = bb_tree_load(bb_bootinfo.tree, bb_bootinfo.tree_size);
    if (error)
        give_up("cannot start without ",
                error == -ENOMEM ? "a larger arena" : "a sound device tree");
    follow_stdout();
    find_command_line();
    bb_param_parse(parameters());
    bool tell_ticks = bb_param_get("ticks");
    if (bb_regions_build(&bb_bootinfo) < 0)
        give_up("cannot start without ", "a map of free memory");
    map_memory();
    bb_arch_park_cores();
    static struct bb_value asleep;
    (void)bb_publish_u64(NULL, &asleep, "asleep", "ticks", &bb_asleep);
    bb_bind_all();
    settle();
    static struct bb_work report;
    report.run = report_parameters;
    bb_work_queue(&report);
    bb_log_show(); /* what waited for the first console */
    if (tell_ticks)
        print_ticks("main");
    finish(bb_main(), tell_ticks);
}
