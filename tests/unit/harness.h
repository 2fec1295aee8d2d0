/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What unit tests share. Every test runs in a process of its own, so that core starts fresh and a
 * crash is one failed test:
 *
 *     static void test_reads_time(void **state) { ... }
 *
 *     int main(void)
 *     {
 *         static const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_time)};
 *         return run_apart(tests, BB_ARRAY_SIZE(tests));
 *     }
 *
 * A test writes a tree, puts models where the tree says, and boots; or takes a whole board.
 */
#ifndef TESTS_UNIT_HARNESS_H
#define TESTS_UNIT_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <busbar/base.h>
#include <busbar/device.h>

#include <tests/models/world.h>

int run_apart(const struct CMUnitTest *tests, size_t count);
/* Runs `body` in a process of its own; returns what it returned (0 to 100), or 255 after a crash or
 * a failed check. Its output is shown unless that is 0. */
int run_child(int (*body)(void *context), void *context);

/* ---- A tree, written in order ---- */

void tree_begin(uint32_t address_cells, uint32_t size_cells);
void tree_open(const char *name);
void tree_close(void);
void tree_cells_(const char *name, const uint32_t *cells, size_t count);
#define tree_cells(name, ...)                                                                      \
    tree_cells_(name, (const uint32_t[]){__VA_ARGS__},                                             \
                sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
/* One string, or a list with "\0" in between. */
#define tree_strings(name, text) tree_bytes(name, text, sizeof text)
void tree_bytes(const char *name, const void *value, size_t size);
void tree_flag(const char *name);
/* What a memory-mapped device always has, in the cells of the node above. */
void tree_device(const char *name, const char *compatible);

/* ---- Core ---- */

/* Ends the tree, loads it and binds everything. `command_line` may be NULL. */
void boot(const char *command_line);
/* The same up to binding, and nothing bound. */
void boot_tree(const char *command_line);

struct bb_device *device_at(const char *path); /* must run */
/* The node must have failed: with this error (0: any), at this step (NULL: any). */
void must_fail(const char *path, int error, const char *step);
/* Takes the device out and checks that nothing of it is left. */
void must_remove(const char *path);
/* Whether any face of this node's device stands in a class's list. */
bool is_listed(const struct bb_node *node);
/* The face of a device, by its path: must run. */
#define face_at(class_, path)                                                                      \
    ((struct bb_##class_ *)(void *)face_of_class(&bb_class_##class_, path))
struct bb_face *face_of_class(const struct bb_class *class, const char *path);

/* Runs every conformance suite on every face; `type` is how a model gets input. A failed check
 * fails the test. */
void conform(void (*type)(void *context, const struct bb_face *console, char c));

/* How many messages of the log have `text` in them. */
unsigned logged(const char *text);

#endif
