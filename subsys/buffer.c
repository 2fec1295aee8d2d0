/* SPDX-License-Identifier: BSD-2-Clause */
/* The pool of packet buffers: a list of those that nobody has. */
#include <busbar/arena.h>
#include <busbar/buffer.h>
#include <busbar/log.h>
#include <busbar/param.h>

enum {
    STRIDE = BB_BUFFER_FIELDS + BB_BUFFER_HEADROOM + BB_BUFFER_SIZE,
    MOST = 65536,
};

_Static_assert(STRIDE == 2048, "buffers end with their cache lines");

static struct bb_buffer *first_free;
static uint8_t *pool;
static unsigned free_count, all_count;

/* What `net.buffers` says, or `count`. */
static unsigned wanted(unsigned count)
{
    const char *text = bb_param_get("net.buffers");
    unsigned value = 0;
    if (!text)
        return count;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value <= MOST; at++)
        value = value * 10 + (unsigned)(*at - '0');
    if (!*at && value && value <= MOST)
        return value;
    bb_print(BB_WARNING, "parameter net.buffers=%s: not a number from 1 to %d, ignored", text,
             MOST);
    return count;
}

int bb_buffer_pool(unsigned count)
{
    if (all_count)
        return 0;
    count = wanted(count);
    if (!count)
        return -EINVAL;
    uint8_t *memory = bb_arena_alloc((size_t)count * STRIDE, BB_BUFFER_FIELDS);
    if (!memory)
        return -ENOMEM;
    pool = memory;
    for (all_count = count; free_count < count; free_count++) {
        struct bb_buffer *buffer =
            (struct bb_buffer *)(void *)(memory + (size_t)(count - 1 - free_count) * STRIDE);
        buffer->next = first_free;
        first_free = buffer;
    }
    return 0;
}

struct bb_buffer *bb_buffer_get(void)
{
    struct bb_buffer *buffer = first_free;
    if (!buffer)
        return NULL;
    first_free = buffer->next;
    free_count--;
    *buffer = (struct bb_buffer){
        .data = bb_buffer_memory(buffer) + BB_BUFFER_HEADROOM,
        .parts = 1,
    };
    return buffer;
}

void bb_buffer_put(struct bb_buffer *buffer)
{
    while (buffer) {
        struct bb_buffer *more = buffer->more;
        BB_ASSERT(buffer->parts); /* else the pool has it already */
        buffer->more = NULL;
        if (buffer->put) {
            buffer->put(buffer);
        } else {
            buffer->parts = 0;
            buffer->next = first_free;
            first_free = buffer;
            free_count++;
        }
        buffer = more;
    }
}

unsigned bb_buffer_free(void)
{
    return free_count;
}

struct bb_buffer *bb_buffer_of(const void *byte)
{
    uintptr_t offset = (uintptr_t)byte - (uintptr_t)pool;
    return offset < (uintptr_t)all_count * STRIDE
               ? (struct bb_buffer *)(void *)(pool + offset / STRIDE * STRIDE)
               : NULL;
}
