/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands on files share. They are there where the platform has disks. */
#ifndef MONITOR_FILES_H
#define MONITOR_FILES_H

#include <busbar/file.h>

#include "command.h"

/* Before the machine stops: everything is on the disks. What is not, the log says. */
static inline void leave_files(void)
{
#if BB_MODULE_FILE
    (void)bb_file_unmount_all();
#endif
}

/* The mount that a path names, for the time of a command: a device that is not mounted is. */
struct visit {
    char name[32];
    const char *path;
    bool ours; /* to be unmounted again */
};

/* The mount that `path` names is there, or an error. `path` stays as long as the visit. */
int visit_begin(struct visit *visit, const char *path);
/* Ends it; the error to return, which is `error` unless that is 0. Says why no such path can be. */
int visit_end(struct visit *visit, int error);
/* The same, with all that was written on the medium. */
int visit_end_written(struct visit *visit, int error);
/* The disk or partition with this name; NULL, and it is said, where there is none. */
struct bb_block *find_disk(const char *name);
/* bb_file_mount(); SAID where the error number would leave something open. */
int mount_disk(struct bb_block *block, const char *name);
/* A visit for one change of what `path` names. */
int visit_for(const char *path, int (*change)(const char *path));

/* The last name of a path. */
const char *last_name(const char *path);
/* Bytes as people read them: "1.5 GiB". */
void say_size(uint64_t bytes);
/* Makes the first character of a text from a medium one that a terminal of UTF-8 shows: a dot
 * stands for a control (also U+0080 to U+009F) and for a byte that is no UTF-8. A new line and a
 * tab stay. Returns its bytes, or 0: the text ends within it, and is not the last. */
size_t plain_text(char *text, size_t size, bool last);
/* A name from a medium: what a terminal would obey is shown as a dot. */
void say_name(const char *name);
/* Completes with the names of all block devices. */
bool complete_block(size_t index, char *word, size_t size);
/* The same, with what makes them the start of a path. */
bool complete_path(size_t index, char *word, size_t size);

#endif
