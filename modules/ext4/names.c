/* SPDX-License-Identifier: BSD-2-Clause */
/* Names: looking up, making, removing and moving what directories hold. */
#include <string.h>

#include "ext4.h"

static int find(ext2_filsys fs, const char *path, bool follow, ext2_ino_t *number,
                struct ext2_inode *inode)
{
    errcode_t error = follow ? ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, number)
                             : ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, number);
    if (!error)
        error = ext2fs_read_inode(fs, *number, inode);
    if (!error && !inode->i_links_count)
        return -EPROTO;
    return bb_ext4_error(error);
}

/* The directory that a path's last name is in, and that name: "/a/b/" is "/a" and "b". */
struct place {
    ext2_ino_t directory;
    char name[BB_FILE_NAME];
};

static int find_place(ext2_filsys fs, const char *path, struct place *place)
{
    struct ext2_inode inode;
    size_t end = strlen(path);
    while (end && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start && path[start - 1] != '/')
        start--;
    size_t length = end - start;
    if (!length || length >= sizeof(place->name))
        return -EINVAL;
    memcpy(place->name, path + start, length);
    place->name[length] = '\0';
    if (strcmp(place->name, ".") == 0 || strcmp(place->name, "..") == 0)
        return -EINVAL;
    char *above = bb_file_calloc(1, start + 1);
    if (!above)
        return -ENOMEM;
    memcpy(above, path, start);
    int error = find(fs, start ? above : "/", true, &place->directory, &inode);
    bb_file_free(above);
    return error ? error : LINUX_S_ISDIR(inode.i_mode) ? 0 : -ENOTDIR;
}

/* What stands at a place, links not followed: -ENOENT when it is free. */
static int find_at(ext2_filsys fs, const struct place *place, ext2_ino_t *number,
                   struct ext2_inode *inode)
{
    errcode_t error =
        ext2fs_lookup(fs, place->directory, place->name, (int)strlen(place->name), NULL, number);
    if (!error)
        error = ext2fs_read_inode(fs, *number, inode);
    return bb_ext4_error(error);
}

static int kind_of(const struct ext2_inode *inode)
{
    return LINUX_S_ISREG(inode->i_mode)   ? BB_FILE_REGULAR
           : LINUX_S_ISDIR(inode->i_mode) ? BB_FILE_DIRECTORY
           : LINUX_S_ISLNK(inode->i_mode) ? BB_FILE_LINK
                                          : BB_FILE_OTHER;
}

static int type_of(const struct ext2_inode *inode)
{
    return LINUX_S_ISREG(inode->i_mode)    ? EXT2_FT_REG_FILE
           : LINUX_S_ISDIR(inode->i_mode)  ? EXT2_FT_DIR
           : LINUX_S_ISLNK(inode->i_mode)  ? EXT2_FT_SYMLINK
           : LINUX_S_ISCHR(inode->i_mode)  ? EXT2_FT_CHRDEV
           : LINUX_S_ISBLK(inode->i_mode)  ? EXT2_FT_BLKDEV
           : LINUX_S_ISFIFO(inode->i_mode) ? EXT2_FT_FIFO
           : LINUX_S_ISSOCK(inode->i_mode) ? EXT2_FT_SOCK
                                           : EXT2_FT_UNKNOWN;
}

static void describe(const struct ext2_inode *inode, struct bb_file_info *info)
{
    info->kind = (enum bb_file_kind)kind_of(inode);
    info->size = EXT2_I_SIZE(inode);
    info->modified = inode->i_mtime;
}

int bb_ext4_stat(struct bb_mount *mount, const char *path, struct bb_file_info *info)
{
    ext2_ino_t number;
    struct ext2_inode inode;
    int error = find(ext4_fs(mount), path, true, &number, &inode);
    if (error)
        return error;
    describe(&inode, info);
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start && path[start - 1] != '/')
        start--;
    memcpy(info->name, path + start, end - start); /* bounded: bb_file_stat() checked each name */
    return 0;
}

/* ---- Lists ---- */

struct list {
    ext2_filsys fs;
    int (*each)(const struct bb_file_info *info, void *context);
    void *context;
    int result;
    struct bb_file_info info;
};

static bool is_dots(const struct ext2_dir_entry *entry)
{
    int length = ext2fs_dirent_name_len(entry);
    return entry->name[0] == '.' && (length == 1 || (length == 2 && entry->name[1] == '.'));
}

static int list_entry(struct ext2_dir_entry *entry, int offset, int size, char *block,
                      void *context)
{
    (void)offset, (void)size, (void)block;
    struct list *list = context;
    struct ext2_inode inode;
    if (is_dots(entry))
        return 0;
    list->info = (struct bb_file_info){.kind = BB_FILE_OTHER}; /* where the inode is damaged */
    if (ext2fs_read_inode(list->fs, entry->inode, &inode) == 0)
        describe(&inode, &list->info);
    memcpy(list->info.name, entry->name, (size_t)ext2fs_dirent_name_len(entry));
    list->result = list->each(&list->info, list->context);
    return list->result ? DIRENT_ABORT : 0;
}

int bb_ext4_list(struct bb_mount *mount, const char *path,
                 int (*each)(const struct bb_file_info *info, void *context), void *context)
{
    struct list list = {.fs = ext4_fs(mount), .each = each, .context = context};
    ext2_ino_t number;
    struct ext2_inode inode;
    int error = find(list.fs, path, true, &number, &inode);
    if (!error && !LINUX_S_ISDIR(inode.i_mode))
        error = -ENOTDIR;
    if (!error)
        error = bb_ext4_error(ext2fs_dir_iterate(list.fs, number, 0, NULL, list_entry, &list));
    return error ? error : list.result;
}

/* ---- Making ---- */

/* Gives a name to an inode, in a directory that grows for it when it must. */
static int link_name(ext2_filsys fs, const struct place *place, ext2_ino_t number, int type)
{
    errcode_t error = ext2fs_link(fs, place->directory, place->name, number, type);
    if (error == EXT2_ET_DIR_NO_SPACE) {
        error = ext2fs_expand_dir(fs, place->directory);
        if (!error)
            error = ext2fs_link(fs, place->directory, place->name, number, type);
    }
    return bb_ext4_error(error);
}

/* A directory changed: its times, and by how many its links grew. */
static int touch(ext2_filsys fs, ext2_ino_t number, int links)
{
    struct ext2_inode inode;
    errcode_t error = ext2fs_read_inode(fs, number, &inode);
    if (error)
        return bb_ext4_error(error);
    inode.i_mtime = inode.i_ctime = bb_ext4_now(fs);
    /* 1 stands for more than can be counted (dir_nlink). */
    if (inode.i_links_count > 1 || links > 0)
        inode.i_links_count = (uint16_t)(inode.i_links_count + links);
    return bb_ext4_error(ext2fs_write_inode(fs, number, &inode));
}

static int create(ext2_filsys fs, const struct place *place, struct ext4_file *open)
{
    struct ext2_inode *inode = &open->inode;
    ext2_extent_handle_t handle;
    errcode_t error =
        ext2fs_new_inode(fs, place->directory, LINUX_S_IFREG | 0644, NULL, &open->number);
    if (error)
        return bb_ext4_error(error);
    *inode = (struct ext2_inode){.i_mode = LINUX_S_IFREG | 0644, .i_links_count = 1};
    inode->i_atime = inode->i_ctime = inode->i_mtime = bb_ext4_now(fs);
    if (ext2fs_has_feature_extents(fs->super))
        inode->i_flags = EXT4_EXTENTS_FL;
    error = ext2fs_write_new_inode(fs, open->number, inode);
    if (!error && inode->i_flags & EXT4_EXTENTS_FL) { /* writes the header of an empty tree */
        error = ext2fs_extent_open2(fs, open->number, inode, &handle);
        if (!error)
            ext2fs_extent_free(handle);
        if (!error)
            error = ext2fs_write_inode(fs, open->number, inode);
    }
    if (error)
        return bb_ext4_error(error);
    ext2fs_inode_alloc_stats2(fs, open->number, +1, 0);
    int linked = link_name(fs, place, open->number, EXT2_FT_REG_FILE);
    if (linked) {
        inode->i_links_count = 0;
        inode->i_dtime = bb_ext4_now(fs);
        (void)ext2fs_write_inode(fs, open->number, inode);
        ext2fs_inode_alloc_stats2(fs, open->number, -1, 0);
        return linked;
    }
    return touch(fs, place->directory, 0);
}

static int may_open(const struct bb_file *file, const struct ext4_file *open)
{
    const struct ext2_inode *inode = &open->inode;
    if (LINUX_S_ISDIR(inode->i_mode))
        return -EISDIR;
    if (!LINUX_S_ISREG(inode->i_mode) || inode->i_flags & EXT4_ENCRYPT_FL)
        return -ENOTSUP;
    if (file->flags & BB_FILE_WRITE &&
        inode->i_flags & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL | EXT4_VERITY_FL))
        return -EPERM;
    return bb_file_conflict(file->mount, open->number, file->flags);
}

int bb_ext4_open(struct bb_file *file, const char *path)
{
    ext2_filsys fs = ext4_fs(file->mount);
    struct ext4_file *open = bb_file_calloc(1, sizeof(*open));
    if (!open)
        return -ENOMEM;
    int error = find(fs, path, true, &open->number, &open->inode);
    if (!error && file->flags & BB_FILE_CREATE && file->flags & BB_FILE_EXCLUSIVE) {
        error = -EEXIST;
    } else if (!error) {
        error = may_open(file, open);
    } else if (error == -ENOENT && file->flags & BB_FILE_CREATE) {
        struct place place;
        ext2_ino_t number;
        struct ext2_inode inode;
        error = find_place(fs, path, &place);
        /* A link to nowhere stands there, or it would have been found. */
        if (!error && find_at(fs, &place, &number, &inode) != -ENOENT)
            error = -EEXIST;
        if (!error)
            error = bb_ext4_begin_write(file->mount);
        if (!error)
            error = create(fs, &place, open);
    }
    if (!error) {
        file->state = open;
        file->id = open->number;
        file->size = EXT2_I_SIZE(&open->inode);
        if (file->flags & BB_FILE_TRUNCATE && file->size)
            error = bb_ext4_truncate(file, 0);
    }
    if (error) {
        file->state = NULL;
        bb_file_free(open);
    }
    return error;
}

int bb_ext4_close(struct bb_file *file)
{
    bb_file_free(file->state); /* everything is written already */
    return 0;
}

int bb_ext4_make_directory(struct bb_mount *mount, const char *path)
{
    ext2_filsys fs = ext4_fs(mount);
    struct place place;
    ext2_ino_t number;
    struct ext2_inode inode;
    int error = find_place(fs, path, &place);
    if (!error) {
        error = find_at(fs, &place, &number, &inode);
        error = error == -ENOENT ? 0 : error ? error : -EEXIST;
    }
    if (!error)
        error = bb_ext4_begin_write(mount);
    if (error)
        return error;
    errcode_t made = ext2fs_mkdir(fs, place.directory, 0, place.name);
    if (made == EXT2_ET_DIR_NO_SPACE) {
        made = ext2fs_expand_dir(fs, place.directory);
        if (!made)
            made = ext2fs_mkdir(fs, place.directory, 0, place.name);
    }
    return made ? bb_ext4_error(made) : touch(fs, place.directory, 0);
}

/* ---- Removing ---- */

static int find_any(ext2_ino_t directory, int entry, struct ext2_dir_entry *dirent, int offset,
                    int size, char *block, void *context)
{
    (void)directory, (void)entry, (void)offset, (void)size, (void)block;
    if (is_dots(dirent))
        return 0;
    *(bool *)context = true;
    return DIRENT_ABORT;
}

/* The last name of an inode is gone: so is what it held. */
static int release(ext2_filsys fs, ext2_ino_t number, struct ext2_inode *inode)
{
    errcode_t error = 0;
    bool directory = LINUX_S_ISDIR(inode->i_mode);
    inode->i_links_count = 0;
    inode->i_dtime = bb_ext4_now(fs);
    if (ext2fs_file_acl_block(fs, inode))
        error = ext2fs_free_ext_attr(fs, number, (struct ext2_inode_large *)NULL);
    if (!error && ext2fs_inode_has_valid_blocks2(fs, inode))
        error = bb_ext4_punch(fs, number, inode, 0);
    if (!error)
        error = ext2fs_write_inode(fs, number, inode);
    if (!error)
        ext2fs_inode_alloc_stats2(fs, number, -1, directory);
    return bb_ext4_error(error);
}

static int remove_at(struct bb_mount *mount, const struct place *place, ext2_ino_t number,
                     struct ext2_inode *inode)
{
    ext2_filsys fs = ext4_fs(mount);
    bool directory = LINUX_S_ISDIR(inode->i_mode), full = false;
    int error = bb_file_conflict(mount, number, 0);
    if (!error && inode->i_flags & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL))
        error = -EPERM;
    if (!error && directory)
        error = bb_ext4_error(ext2fs_dir_iterate2(fs, number, 0, NULL, find_any, &full));
    if (!error && full)
        error = -ENOTEMPTY;
    if (!error && (number < EXT2_FIRST_INODE(fs->super) || !inode->i_links_count))
        error = number == EXT2_ROOT_INO ? -EBUSY : -EPROTO;
    if (!error)
        error = bb_ext4_begin_write(mount);
    if (!error)
        error = bb_ext4_error(ext2fs_unlink(fs, place->directory, place->name, number, 0));
    if (!error)
        error = touch(fs, place->directory, directory ? -1 : 0);
    if (error)
        return error;
    if (directory || inode->i_links_count == 1)
        return release(fs, number, inode);
    inode->i_links_count--;
    inode->i_ctime = bb_ext4_now(fs);
    return bb_ext4_error(ext2fs_write_inode(fs, number, inode));
}

int bb_ext4_remove(struct bb_mount *mount, const char *path)
{
    ext2_filsys fs = ext4_fs(mount);
    struct place place;
    ext2_ino_t number;
    struct ext2_inode inode;
    int error = find_place(fs, path, &place);
    if (!error)
        error = find_at(fs, &place, &number, &inode);
    return error ? error : remove_at(mount, &place, number, &inode);
}

/* ---- Moving ---- */

static int set_parent(ext2_ino_t directory, int entry, struct ext2_dir_entry *dirent, int offset,
                      int size, char *block, void *context)
{
    (void)directory, (void)entry, (void)offset, (void)size, (void)block;
    if (ext2fs_dirent_name_len(dirent) != 2 || strncmp(dirent->name, "..", 2) != 0)
        return 0;
    dirent->inode = *(const ext2_ino_t *)context;
    return DIRENT_CHANGED | DIRENT_ABORT;
}

/* Whether `directory` is `above`, or somewhere in it. */
static int is_within(ext2_filsys fs, ext2_ino_t directory, ext2_ino_t above)
{
    for (unsigned depth = 0; depth < BB_FILE_PATH; depth++) {
        if (directory == above)
            return -EINVAL;
        if (directory == EXT2_ROOT_INO)
            return 0;
        int error = bb_ext4_error(ext2fs_lookup(fs, directory, "..", 2, NULL, &directory));
        if (error)
            return error;
    }
    return -EPROTO;
}

static int move(struct bb_mount *mount, const struct place *from, const struct place *to,
                ext2_ino_t number, const struct ext2_inode *inode)
{
    ext2_filsys fs = ext4_fs(mount);
    bool carries = LINUX_S_ISDIR(inode->i_mode) && from->directory != to->directory;
    ext2_ino_t parent = to->directory;
    int error = link_name(fs, to, number, type_of(inode));
    if (!error)
        error = bb_ext4_error(ext2fs_unlink(fs, from->directory, from->name, number, 0));
    if (!error && carries)
        error = bb_ext4_error(ext2fs_dir_iterate2(fs, number, 0, NULL, set_parent, &parent));
    if (!error)
        error = touch(fs, from->directory, carries ? -1 : 0);
    return error ? error : touch(fs, to->directory, carries ? +1 : 0);
}

int bb_ext4_rename(struct bb_mount *mount, const char *from, const char *to)
{
    ext2_filsys fs = ext4_fs(mount);
    struct place old, new;
    ext2_ino_t number, other;
    struct ext2_inode inode, target;
    int error = find_place(fs, from, &old);
    if (!error)
        error = find_at(fs, &old, &number, &inode);
    if (!error)
        error = find_place(fs, to, &new);
    if (!error)
        error = bb_file_conflict(mount, number, 0);
    if (!error && LINUX_S_ISDIR(inode.i_mode))
        error = is_within(fs, new.directory, number);
    if (error)
        return error;
    error = find_at(fs, &new, &other, &target);
    if (error == 0) {
        if (other == number)
            return 0; /* two names of one file, or the same one */
        if (LINUX_S_ISDIR(target.i_mode) || LINUX_S_ISDIR(inode.i_mode))
            return -EEXIST;
        error = remove_at(mount, &new, other, &target);
    } else if (error == -ENOENT) {
        error = bb_ext4_begin_write(mount);
    }
    return error ? error : move(mount, &old, &new, number, &inode);
}
