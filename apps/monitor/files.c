/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#if BB_MODULE_FILE
#include <string.h>

static bool is_mounted(const char *name)
{
    struct bb_file_space space;
    for (unsigned i = 0; bb_file_space(i, &space); i++)
        if (strcmp(space.name, name) == 0)
            return true;
    return false;
}

struct bb_block *find_disk(const char *name)
{
    struct bb_block *block = bb_block_by_name(name);
    if (!block)
        say("%s: no disk has this name; `block` lists them\n", name);
    return block;
}

/* Why it cannot be taken into use, where the number says too little. */
static int explain_mount(struct bb_block *block, const char *name, int error)
{
    const char *disk = block->face.device->name;
    struct bb_file_space space;
    unsigned count = 0;
    if (error == -EEXIST) {
        for (; bb_file_space(count, &space); count++)
            if (space.block == block) {
                say("%s is mounted as %s; `umount %s` ends it\n", disk, space.name, space.name);
                return SAID;
            }
        say("%s: something else is mounted by this name; `mount` lists what is\n", name);
    } else if (error == -ENOMEM) {
        while (bb_file_space(count, &space))
            count++;
        say(count == BB_FILE_MOUNTS ? "%u file systems are mounted, more cannot be; umount one\n"
                                    : "%u file systems take all the memory; umount one\n",
            count);
    } else if (error == -ENXIO) {
        say("%s: no file system that is known here; `block partitions %s` shows what is on it\n",
            disk, disk);
    } else if (error == -EIO) {
        say("%s cannot be read; `log` says why\n", disk);
    } else if (error == -ENODEV) {
        say("%s is gone: it was taken out\n", disk);
    } else {
        return error;
    }
    return SAID;
}

int mount_disk(struct bb_block *block, const char *name)
{
    int error = bb_file_mount(block, name, 0);
    return error ? explain_mount(block, name ? name : block->face.device->name, error) : 0;
}

int visit_begin(struct visit *visit, const char *path)
{
    size_t length = strcspn(path, ":");
    *visit = (struct visit){.path = path};
    if (!path[length] || length >= sizeof(visit->name)) {
        say("%s: a path is a disk or a mount, a colon and the rest: disk0p1:/hello.txt\n", path);
        return SAID;
    }
    memcpy(visit->name, path, length);
    if (is_mounted(visit->name))
        return 0;
    struct bb_block *block = bb_block_by_name(visit->name);
    if (!block) {
        say("%s: no disk and no mount has this name; `block` and `mount` list them\n", visit->name);
        return SAID;
    }
    int error = mount_disk(block, visit->name);
    visit->ours = !error;
    return error;
}

/* Why no file can be at a path, or none can be made or removed there. */
static const char *fault_of(const char *path)
{
    const char *at = strchr(path, ':') + 1, *name = last_name(path);
    if (*at && *at != '/')
        return "a path goes on with a / after the colon";
    if (!*name && (!*at || name == at + 1))
        return "this is the top of the file system, not a file in it";
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strncmp(at, "/..", 3) == 0)
        return ". and .. are no files, and nothing is above the top";
    if (at[strcspn(at, "\\:*?\"<>|")])
        return "FAT has no names with \\ : * ? \" < > |";
    return "no such path can be: a name is UTF-8 without controls, of at most 255 bytes";
}

int visit_end(struct visit *visit, int error)
{
    if (error == -EINVAL) {
        say("%s: %s\n", visit->path, fault_of(visit->path));
        error = SAID;
    }
    int left = visit->ours ? bb_file_unmount(visit->name) : 0;
    return error ? error : left;
}

int visit_end_written(struct visit *visit, int error)
{
    int synced = visit->ours ? 0 : bb_file_sync(visit->name);
    return visit_end(visit, error ? error : synced);
}

int visit_for(const char *path, int (*change)(const char *path))
{
    struct visit visit;
    int error = visit_begin(&visit, path);
    return error ? error : visit_end_written(&visit, change(path));
}

const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path + strcspn(path, ":") + 1;
}

void say_size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    uint64_t rest = 0;
    for (; bytes >= 1024 && unit + 1 < BB_ARRAY_SIZE(units); unit++) {
        rest = bytes % 1024 * 10 / 1024;
        bytes /= 1024;
    }
    if (bytes < 10 && unit)
        say("%llu.%llu %s", (unsigned long long)bytes, (unsigned long long)rest, units[unit]);
    else
        say("%llu %s", (unsigned long long)bytes, units[unit]);
}

size_t plain_text(char *text, size_t size, bool last)
{
    const unsigned char *byte = (const unsigned char *)text, first = byte[0];
    if (first < 0x80) {
        if ((first < ' ' && first != '\n' && first != '\t') || first == 0x7f)
            text[0] = '.';
        return 1;
    }
    size_t length = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
    /* The second byte says what is a control, too long or no character. */
    unsigned low = first == 0xc2 || first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    bool right = length > 1;
    for (size_t i = 1; right && i < length && i < size; i++)
        right = byte[i] >= (i == 1 ? low : 0x80u) && byte[i] <= (i == 1 ? high : 0xbfu);
    if (right && length > size && !last)
        return 0;
    if (right && length <= size)
        return length;
    text[0] = '.';
    return 1;
}

void say_name(const char *name)
{
    char shown[BB_FILE_NAME];
    size_t length = strnlen(name, sizeof(shown) - 1);
    memcpy(shown, name, length);
    shown[length] = '\0';
    for (size_t at = 0; at < length;) {
        at += plain_text(shown + at, length - at, true);
        if (shown[at - 1] == '\n' || shown[at - 1] == '\t')
            shown[at - 1] = '.';
    }
    say("%s", shown);
}

bool complete_block(size_t index, char *word, size_t size)
{
    struct bb_block *block = bb_block_first();
    while (block && index--)
        block = bb_block_next(block);
    if (block)
        bb_format(word, size, "%s", block->face.device->name);
    return block;
}

bool complete_path(size_t index, char *word, size_t size)
{
    struct bb_file_space space;
    if (bb_file_space((unsigned)index, &space)) {
        bb_format(word, size, "%s:/", space.name);
        return true;
    }
    unsigned mounts = 0;
    while (bb_file_space(mounts, &space))
        mounts++;
    if (!complete_block(index - mounts, word, size))
        return false;
    bb_format(word + strlen(word), size - strlen(word), ":/");
    return true;
}
#endif
