/* SPDX-License-Identifier: BSD-2-Clause */
/* A process for each test, trees written in order, and core brought up on them. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libfdt.h>

#include <busbar/boot.h>
#include <busbar/log.h>
#include <busbar/time.h>
#include <core/core.h>

#include <tests/conformance/conformance.h>

#define FAILED 255

static void show(FILE *output)
{
    char line[512];

    rewind(output);
    while (fgets(line, sizeof line, output))
        fputs(line, stdout);
}

/* With `leaks` what was not freed is looked for at its end, which takes longer than most tests. */
static int run_process(int (*body)(void *context), void *context, bool leaks)
{
    FILE *output = tmpfile();
    int status;

    assert_non_null(output);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fileno(output), STDOUT_FILENO);
        dup2(fileno(output), STDERR_FILENO);
        int result = body(context);
        if (leaks)
            exit(result);
        fflush(NULL);
        _exit(result);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    int result = WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
    if (result != 0)
        show(output);
    if (result > 100)
        result = FAILED;
    if (WIFSIGNALED(status))
        printf("killed by signal %d\n", WTERMSIG(status));
    fclose(output);
    return result;
}

int run_child(int (*body)(void *context), void *context)
{
    return run_process(body, context, false);
}

static void show_log(void)
{
    struct bb_log_entry entry;

    for (uint32_t at = 0; bb_log_read(at, &entry); at = entry.sequence + 1)
        printf("log: %s\n", entry.text);
}

unsigned logged(const char *text)
{
    struct bb_log_entry entry;
    unsigned count = 0;

    for (uint32_t at = 0; bb_log_read(at, &entry); at = entry.sequence + 1)
        count += strstr(entry.text, text) != NULL;
    return count;
}

static int run_one(void *context)
{
    const struct CMUnitTest *test = context;

    if (_cmocka_run_group_tests(test->name, test, 1, NULL, NULL) == 0)
        return 0;
    show_log();
    return FAILED;
}

int run_apart(const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        struct CMUnitTest test = tests[i];
        bool ok = run_process(run_one, &test, true) == 0;
        printf("%s %s\n", ok ? "ok    " : "FAILED", test.name);
        failed += !ok;
    }
    return failed != 0;
}

/* ---- Trees ---- */

static char blob[65536];

static void ok(int error)
{
    assert_int_equal(error, 0);
}

void tree_begin(uint32_t address_cells, uint32_t size_cells)
{
    ok(fdt_create(blob, sizeof blob));
    ok(fdt_finish_reservemap(blob));
    ok(fdt_begin_node(blob, ""));
    ok(fdt_property_u32(blob, "#address-cells", address_cells));
    ok(fdt_property_u32(blob, "#size-cells", size_cells));
}

void tree_open(const char *name)
{
    ok(fdt_begin_node(blob, name));
}

void tree_close(void)
{
    ok(fdt_end_node(blob));
}

void tree_cells_(const char *name, const uint32_t *cells, size_t count)
{
    void *value;

    ok(fdt_property_placeholder(blob, name, (int)(4 * count), &value));
    for (size_t i = 0; i < count; i++)
        ((fdt32_t *)value)[i] = cpu_to_fdt32(cells[i]);
}

void tree_bytes(const char *name, const void *value, size_t size)
{
    ok(fdt_property(blob, name, value, (int)size));
}

void tree_flag(const char *name)
{
    ok(fdt_property(blob, name, NULL, 0));
}

void tree_device(const char *name, const char *compatible)
{
    tree_open(name);
    tree_bytes("compatible", compatible, strlen(compatible) + 1);
}

/* ---- Core ---- */

void boot_tree(const char *command_line)
{
    tree_close();
    ok(fdt_finish(blob));
    bb_bootinfo.protocol = "test";
    bb_bootinfo.tree = blob;
    bb_bootinfo.tree_size = sizeof blob;
    bb_bootinfo.command_line = command_line ? command_line : "";
    ok(bb_tree_load(blob, sizeof blob));
    bb_param_parse(bb_bootinfo.command_line);
}

void boot(const char *command_line)
{
    boot_tree(command_line);
    bb_bind_all();
}

static struct bb_node *node_at(const char *path)
{
    struct bb_node *node = bb_node_find(path);

    if (!node)
        fail_msg("no node %s", path);
    return node;
}

struct bb_device *device_at(const char *path)
{
    const struct bb_node *node = node_at(path);
    char reason[200];

    if (!node->device) {
        bb_node_reason(node, reason, sizeof reason);
        fail_msg("%s does not run: %s", path, reason);
    }
    return node->device;
}

void must_fail(const char *path, int error, const char *step)
{
    const struct bb_node *node = node_at(path);
    char reason[200];

    bb_node_reason(node, reason, sizeof reason);
    if (node->device)
        fail_msg("%s runs", path);
    if (error && node->reason.error != error)
        fail_msg("%s has error %d, not %d: %s", path, node->reason.error, error, reason);
    if (step && (!node->reason.step || strcmp(step, node->reason.step) != 0))
        fail_msg("%s did not fail at %s: %s", path, step, reason);
    assert_false(is_listed(node));
}

bool is_listed(const struct bb_node *node)
{
    for (const struct bb_face_info *info = node->driver ? node->driver->faces : NULL;
         info && info->class; info++) {
        for (struct bb_face *face = bb_face_first(info->class); face; face = face->next) {
            if (face->device->node == node)
                return true;
        }
    }
    return false;
}

void must_remove(const char *path)
{
    struct bb_device *device = device_at(path);
    struct bb_node *node = device->node;

    assert_int_equal(bb_device_remove(device), 0);
    assert_null(device->resources);
    assert_null(node->device);
    assert_false(is_listed(node));
}

struct bb_face *face_of_class(const struct bb_class *class, const char *path)
{
    struct bb_device *device = device_at(path);

    for (struct bb_face *face = bb_face_first(class); face; face = face->next) {
        if (face->device == device)
            return face;
    }
    fail_msg("%s has no face %s", path, class->name);
    return NULL;
}

void conform(void (*type)(void *context, const struct bb_face *console, char c))
{
    struct conformance result = {.type = type, .late = 20 * BB_MSEC};

    conformance_run(&result);
    if (result.failed || !result.passed)
        fail_msg("conformance: %u passed, %u failed, %u skipped", result.passed, result.failed,
                 result.skipped);
}
