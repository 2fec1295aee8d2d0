/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of this module. */
#ifndef FAT_FAT_H
#define FAT_FAT_H

#include <busbar/file_type.h>

#include <Fat.h>

struct fat {
    EFI_DISK_IO_PROTOCOL disk;
    EFI_BLOCK_IO_PROTOCOL block;
    EFI_BLOCK_IO_MEDIA media;
    struct bb_mount *mount;
    FAT_VOLUME *volume;
    EFI_FILE_PROTOCOL *root;
    int error;  /* the device's, in the call at work: the driver only knows that there was one */
    int failed; /* the first that may have cost what was to be written: this does not pass */
};

/* ---- uefi.c: what the driver finds in a UEFI ---- */

/* The volume that is being allocated hands itself in here. */
extern FAT_VOLUME *bb_fat_installed;
/* No volume is in use any more: frees what the driver still holds. */
void bb_fat_free_rest(void);

/* ---- names.c ---- */

#define FAT_PATH 1024 /* units of 16 bits, with the end */

/* "/a//b/" in UTF-8 as "\a\b" in UTF-16. -EINVAL: it is no UTF-8, or a name is too long or empty.
 */
int bb_fat_path(const char *path, CHAR16 *text);
/* The other way; at most BB_FILE_NAME bytes. What is no UTF-16 becomes "?". */
void bb_fat_name(const CHAR16 *text, char *name);
int64_t bb_fat_time(const EFI_TIME *time);

#endif
