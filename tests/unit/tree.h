/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of the node table: a tree is written with libfdt, and loaded from a block of exactly
 * its size, so that the address sanitizer sees every read beyond it. The arena and the log are the
 * test's own: the one can be made small, the other is read.
 */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include <busbar/arena.h>
#include <busbar/log.h>
#include <core/core.h>
#include <core/node.h>

#define UNUSED __attribute__((unused))

/* ---- Arena ---- */

static _Alignas(64) char arena_memory[16 << 20];
struct bb_arena bb_arena = {.memory = arena_memory, .size = sizeof(arena_memory)};
static unsigned arena_calls, arena_fail_at; /* call that fails, counted from 1; 0: none */

void *bb_arena_take(struct bb_arena *arena, size_t size, size_t alignment)
{
    size_t start = (arena->used + alignment - 1) & ~(alignment - 1);
    if (++arena_calls == arena_fail_at || start + size > arena->size)
        return NULL;
    arena->used = start + size;
    return memset(arena->memory + start, 0, size);
}

size_t bb_arena_size(void)
{
    return bb_arena.size;
}

void bb_arena_reset(size_t used)
{
    bb_arena.used = used;
}

/* ---- Log ---- */

size_t bb_format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return (size_t)length;
}

size_t bb_vformat(char *buffer, size_t size, const char *format, va_list arguments)
{
    return (size_t)vsnprintf(buffer, size, format, arguments);
}

static char log_text[4096]; /* the newest messages, each ended by a newline */
static unsigned log_lines;

void bb_print(enum bb_level level, const char *format, ...)
{
    char line[400];
    va_list arguments;
    (void)level;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (strlen(log_text) + strlen(line) + 2 > sizeof(log_text))
        log_text[0] = '\0';
    strcat(strcat(log_text, line), "\n");
    log_lines++;
}

static UNUSED void log_clear(void)
{
    log_text[0] = '\0';
    log_lines = 0;
}

/* Exactly one message since the last look, and it holds `text`. */
static UNUSED void log_one(const char *text)
{
    if (log_lines != 1 || !strstr(log_text, text))
        fail_msg("%u lines, wanted one with \"%s\":\n%s", log_lines, text, log_text);
    log_clear();
}

/* Exactly one message that refuses a tree, whatever else was said of it. */
static UNUSED void log_refusal(void)
{
    const char *first = strstr(log_text, "device tree refused: ");
    if (!first || strstr(first + 1, "device tree refused: "))
        fail_msg("wanted one refusal:\n%s", log_text);
    log_clear();
}

/* ---- Trees ---- */

static _Alignas(8) char tree_blob[4 << 20];
static void *tree_block; /* what is loaded */

static UNUSED void ok(int error)
{
    if (error)
        fail_msg("libfdt says %d", error);
}

static UNUSED void open_node(const char *name)
{
    ok(fdt_begin_node(tree_blob, name));
}

static UNUSED void close_node(void)
{
    ok(fdt_end_node(tree_blob));
}

static UNUSED void cells_(const char *name, const uint32_t *cells, size_t count)
{
    uint32_t value[64];
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++)
        value[i] = cpu_to_fdt32(cells[i]);
    ok(fdt_property(tree_blob, name, value, (int)(4 * count)));
}
#define cells(name, ...)                                                                           \
    cells_(name, (const uint32_t[]){__VA_ARGS__},                                                  \
           sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* A string, or several with "\0" in between. */
#define text(name, value) bytes(name, value, sizeof(value))
static UNUSED void bytes(const char *name, const void *value, size_t size)
{
    ok(fdt_property(tree_blob, name, value, (int)size));
}

static UNUSED void flag(const char *name)
{
    bytes(name, "", 0);
}

static UNUSED void open_tree(uint32_t address_cells, uint32_t size_cells)
{
    ok(fdt_create(tree_blob, sizeof(tree_blob)));
    ok(fdt_finish_reservemap(tree_blob));
    open_node("");
    cells("#address-cells", address_cells);
    cells("#size-cells", size_cells);
}

/* Loads the first `size` bytes of `tree`, anew. */
static UNUSED int load_bytes(const void *tree, size_t size)
{
    free(tree_block);
    tree_block = malloc(size ? size : 1);
    memcpy(tree_block, tree, size);
    bb_node_reset();
    bb_arena_reset(0);
    log_clear();
    return bb_tree_load(tree_block, size);
}

static UNUSED int load_tree(void)
{
    close_node();
    ok(fdt_finish(tree_blob));
    return load_bytes(tree_blob, fdt_totalsize(tree_blob));
}

static UNUSED struct bb_node *at(const char *path)
{
    struct bb_node *node = bb_node_find(path);
    if (!node)
        fail_msg("no node %s", path);
    return node;
}

/* A file of the source tree, or NULL when it is not there. */
static UNUSED void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *content = malloc(4 << 20);
    *size = fread(content, 1, 4 << 20, file);
    fclose(file);
    return content;
}

#endif
