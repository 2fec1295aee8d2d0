/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feeds the node table with whatever libFuzzer thinks of, and calls every reader on what is
 * accepted. What libfdt's own full check refuses must not be accepted. Corpus: real trees.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude -I. tests/fuzz/fuzz_tree.c \
 *         core/{fdt,node,address,reference,boot/common/regions}.c -lfdt -o fuzz_tree
 *     ./fuzz_tree -max_len=65536 corpus build/dtbs
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include <busbar/arena.h>
#include <busbar/log.h>
#include <tests/unit/walk.h>

static _Alignas(64) char memory[4 << 20];
struct bb_arena bb_arena = {.memory = memory, .size = sizeof(memory)};

void *bb_arena_take(struct bb_arena *arena, size_t size, size_t alignment)
{
    size_t start = (arena->used + alignment - 1) & ~(alignment - 1);
    if (start + size > arena->size)
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

/* Reads every string that a message names, and shows nothing. */
void bb_print(enum bb_level level, const char *format, ...)
{
    char line[200];
    va_list arguments;
    (void)level;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *tree = malloc(size + 1); /* aligned as a boot protocol promises */
    memcpy(tree, data, size);
    bb_node_reset();
    bb_arena.used = 0;
    if (!bb_tree_load(tree, size)) {
        if (fdt_check_full(tree, size))
            abort();
        walk_everything();
    } else if (bb_node_root()) {
        abort();
    }
    free(tree);
    return 0;
}
