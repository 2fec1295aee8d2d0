/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of the host, or one of its disks, as a disk (open(2), preadv(2), fallocate(2)). The words
 * `host_file.path=` name the files, one device each. Requests wait in a list, and are done one
 * after another when they are reaped: the process stands still meanwhile.
 */
#define _GNU_SOURCE /* O_DIRECT, fallocate() */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <busbar/block.h>
#include <busbar/log.h>
#include <busbar/mmio.h>
#include <busbar/param.h>

enum { BLOCK = 512, DEPTH = 64, SEGMENTS = 64, PUNCH = 65536 };

struct host_file {
    struct bb_device device;
    struct bb_block block;
    struct bb_resource file;
    int fd;
    bool cached, readonly; /* parameters */
    unsigned waiting;
    struct bb_block_request *first, *last; /* in the order of submission */
};

static int error_of(int number)
{
    switch (number) {
    case EDQUOT:
    case EFBIG:
        return -ENOSPC;
    case EACCES:
        return -EPERM;
    case ENOENT:
    case EPERM:
    case EROFS:
    case ENOSPC:
    case ENOMEM:
        return -number;
    case EOPNOTSUPP:
        return -ENOTSUP;
    }
    return -EIO;
}

/* ---- Requests ---- */

/* The file ends earlier than it did. */
static int note_end(struct host_file *self)
{
    off_t end = lseek(self->fd, 0, SEEK_END);
    if (end >= 0 && (uint64_t)end / BLOCK < self->block.capacity)
        bb_block_resize(&self->block, (uint64_t)end / BLOCK);
    return -EIO;
}

/* The kernel may take or give less than asked for. */
static int transfer(struct host_file *self, const struct bb_block_request *request)
{
    struct iovec list[SEGMENTS], *at = list;
    int left = request->segment_count;
    off_t offset = (off_t)(request->block * BLOCK);
    for (int i = 0; i < left; i++)
        list[i] = (struct iovec){request->segments[i].data, request->segments[i].length};
    while (left) {
        ssize_t done = request->op == BB_BLOCK_READ ? preadv(self->fd, at, left, offset)
                                                    : pwritev(self->fd, at, left, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done ? error_of(errno) : note_end(self);
        offset += done;
        for (; left && (size_t)done >= at->iov_len; at++, left--)
            done -= (ssize_t)at->iov_len;
        if (left) {
            at->iov_base = (char *)at->iov_base + done;
            at->iov_len -= (size_t)done;
        }
    }
    return 0;
}

static int execute(struct host_file *self, const struct bb_block_request *request)
{
    int result = 0;
    switch (request->op) {
    case BB_BLOCK_READ:
    case BB_BLOCK_WRITE:
        return transfer(self, request);
    case BB_BLOCK_FLUSH:
        result = fdatasync(self->fd);
        break;
    case BB_BLOCK_DISCARD:
    case BB_BLOCK_WRITE_ZEROES: /* a hole reads as zeros */
        result = fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                           (off_t)(request->block * BLOCK), (off_t)request->count * BLOCK);
        break;
    }
    return result ? error_of(errno) : 0;
}

static int host_file_submit(struct bb_block *block, unsigned queue,
                            struct bb_block_request *const *requests, unsigned count)
{
    struct host_file *self = bb_container_of(block, struct host_file, block);
    unsigned taken = 0;
    int error = queue ? -EINVAL : 0;
    for (; !error && taken < count && self->waiting < DEPTH; taken++) {
        struct bb_block_request *request = requests[taken];
        error = bb_block_refuse(block, request);
        if (error)
            break;
        request->next = NULL;
        *(self->first ? &self->last->next : &self->first) = request;
        self->last = request;
        self->waiting++;
    }
    bb_block_started(block, taken);
    return taken ? (int)taken : error;
}

/* `status` 0: what comes of it. A done() may submit more, which is for the next call. */
static int finish(struct host_file *self, unsigned limit, int status)
{
    unsigned count = self->waiting < limit ? self->waiting : limit;
    for (unsigned i = 0; i < count && self->first; i++) {
        struct bb_block_request *request = self->first;
        self->first = request->next;
        self->waiting--;
        bb_block_complete(&self->block, request, status ? status : execute(self, request));
    }
    return (int)count;
}

static int host_file_reap(struct bb_block *block, unsigned queue, unsigned limit)
{
    (void)queue;
    return finish(bb_container_of(block, struct host_file, block), limit, 0);
}

static bool host_file_arm(struct bb_block *block, unsigned queue)
{
    (void)queue;
    return bb_container_of(block, struct host_file, block)->waiting > 0;
}

/* ---- The file ---- */

/* The next word has a node of its own. */
static int append_next(struct bb_device *device, uint32_t index)
{
    static const char compatible[] = "busbar,host-file";
    struct next {
        struct bb_property properties[2];
        uint8_t index[4];
        char name[16];
    } * next;
    if (!bb_param_get_at("host_file.path", index + 1))
        return 0;
    next = bb_device_alloc(device, sizeof(*next), _Alignof(struct next));
    if (!next)
        return -ENOMEM;
    for (unsigned i = 0; i < 4; i++)
        next->index[i] = (uint8_t)((index + 1) >> (24 - 8 * i));
    next->properties[0] = (struct bb_property){"compatible", compatible, sizeof(compatible)};
    next->properties[1] = (struct bb_property){"index", next->index, sizeof(next->index)};
    (void)bb_format(next->name, sizeof(next->name), "file@%u", (unsigned)index + 1);
    return bb_node_append(device->node->parent, &bb_mmio_bus, next->name, next->properties, 2,
                          NULL);
}

static int open_file(struct host_file *self, const char *path)
{
    int flags = O_CLOEXEC | O_NONBLOCK; /* not to hang on a FIFO */
    if (!self->readonly)
        self->fd = open(path, O_RDWR | flags);
    if (self->readonly || (self->fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))) {
        self->block.features = BB_BLOCK_READ_ONLY;
        self->fd = open(path, O_RDONLY | flags);
    }
    return self->fd < 0 ? error_of(errno) : 0;
}

/* Two writers would ruin what is on it. */
static int lock_file(struct host_file *self)
{
    bool shared = self->block.features & BB_BLOCK_READ_ONLY;
    if (flock(self->fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? -EBUSY : 0; /* not every file system has locks */
}

/* Around the kernel's cache, where the file system lets blocks of this size through. */
static void go_direct(struct host_file *self)
{
    _Alignas(2 * BLOCK) char room[3 * BLOCK];
    int flags = fcntl(self->fd, F_GETFL);
    if (!self->cached && flags >= 0 && fcntl(self->fd, F_SETFL, flags | O_DIRECT) == 0) {
        if (pread(self->fd, room + BLOCK, BLOCK, 0) == BLOCK) {
            self->block.alignment = BLOCK;
            return;
        }
        (void)fcntl(self->fd, F_SETFL, flags);
    }
    bb_print(self->cached ? BB_VERBOSE : BB_INFO, "%s: reads and writes go through the cache",
             self->device.name);
}

static int learn(struct host_file *self, const char *path)
{
    struct bb_block *block = &self->block;
    struct stat stat;
    if (fstat(self->fd, &stat) || (!S_ISREG(stat.st_mode) && !S_ISBLK(stat.st_mode)))
        return bb_fail(&self->device, "kind of file", -EINVAL);
    off_t end = lseek(self->fd, 0, SEEK_END);
    if (end < BLOCK)
        return bb_fail(&self->device, "size of the file", -EINVAL);
    if (end % BLOCK)
        bb_print(BB_WARNING, "%s: the last %u bytes make no block", path, (unsigned)(end % BLOCK));
    block->capacity = (uint64_t)end / BLOCK;
    block->block_size = BLOCK;
    block->physical_size = 4096;
    block->alignment = 1;
    block->max_blocks = UINT32_MAX;
    block->max_segments = SEGMENTS;
    block->queues = 1;
    block->depth = DEPTH;
    const char *slash = strrchr(path, '/');
    block->label = slash ? slash + 1 : path;
    if (block->features & BB_BLOCK_READ_ONLY)
        return 0;
    block->features = BB_BLOCK_HAS_FLUSH;
    /* A hole beyond the end changes nothing, and tells whether there can be some. */
    if (S_ISREG(stat.st_mode) && fallocate(self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                           (end | (PUNCH - 1)) + 1, PUNCH) == 0) {
        block->features |= BB_BLOCK_HAS_DISCARD | BB_BLOCK_HAS_WRITE_ZEROES;
        block->max_erase = UINT32_MAX;
    }
    return 0;
}

static void host_file_release(struct bb_resource *resource)
{
    (void)close(bb_container_of(resource, struct host_file, file)->fd);
}

static int host_file_probe(struct bb_device *device)
{
    struct host_file *self = (struct host_file *)device;
    uint32_t index = 0;
    (void)bb_node_u32(device->node, "index", &index);
    const char *path = bb_param_get_at("host_file.path", index);
    if (!path)
        return bb_fail(device, "host_file.path, which is not given", -ENOSYS);
    int error = append_next(device, index); /* which works even if this one does not */
    if (error)
        return error;
    error = open_file(self, path);
    if (error)
        return bb_fail(device, path, error);
    error = bb_acquire(device, &self->file, "file", host_file_release);
    if (error) {
        (void)close(self->fd);
        return error;
    }
    error = lock_file(self);
    if (error)
        return bb_fail(device, "lock: another process has the file", error);
    error = learn(self, path);
    if (!error)
        go_direct(self);
    return error;
}

static void host_file_remove(struct bb_device *device)
{
    struct host_file *self = (struct host_file *)device;
    while (self->waiting)
        (void)finish(self, DEPTH, -ENODEV);
}

const struct bb_block_ops bb_ops_block_host_file = {
    .submit = host_file_submit,
    .reap = host_file_reap,
    .arm = host_file_arm,
};

BB_DRIVER(block, host_file, .bus = &bb_mmio_bus, .match = BB_MATCH({"busbar,host-file"}),
          .params = BB_PARAMS({"cached", offsetof(struct host_file, cached), BB_PARAM_BOOL},
                              {"readonly", offsetof(struct host_file, readonly), BB_PARAM_BOOL}),
          .probe = host_file_probe, .remove = host_file_remove);
