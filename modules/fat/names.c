/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and times, from one world to the other: UTF-8 (RFC 3629) and UTF-16, seconds and dates. */
#include <busbar/rtc.h>

#include "fat.h"

/* The next character of UTF-8, or 0 where there is none. */
static uint32_t next(const unsigned char **at)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t c = *(*at)++;
    unsigned more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    if (c >= 0xf8 || (c >= 0x80 && c < 0xc0))
        return 0;
    if (more)
        c &= 0x3fu >> more;
    for (unsigned i = 0; i < more; i++, (*at)++) {
        if ((**at & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (**at & 0x3f);
    }
    return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : c;
}

int bb_fat_path(const char *path, CHAR16 *text)
{
    const unsigned char *at = (const unsigned char *)path;
    size_t length = 0, name = 0;
    while (*at) {
        while (*at == '/')
            at++;
        if (!*at)
            break;
        text[length++] = '\\';
        for (name = 0; *at && *at != '/';) {
            uint32_t c = next(&at);
            if (!c || c == '\\' || length > FAT_PATH - 4 || name > 253)
                return -EINVAL;
            if (c >= 0x10000) {
                text[length++] = (CHAR16)(0xd800 + ((c - 0x10000) >> 10));
                name++;
                c = 0xdc00 + ((c - 0x10000) & 0x3ff);
            }
            text[length++] = (CHAR16)c;
            name++;
        }
    }
    if (!length)
        text[length++] = '\\';
    text[length] = 0;
    return 0;
}

void bb_fat_name(const CHAR16 *text, char *name)
{
    char *end = name + BB_FILE_NAME - 1;
    while (*text && end - name >= 4) {
        uint32_t c = *text++;
        if (c >= 0xd800 && c < 0xdc00 && *text >= 0xdc00 && *text < 0xe000)
            c = 0x10000 + ((c - 0xd800) << 10) + (*text++ - 0xdc00u);
        else if (c >= 0xd800 && c < 0xe000)
            c = '?';
        unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        *name++ = (char)(more ? (0xf00u >> (more + 1) & 0xff) | c >> 6 * more : c);
        while (more--)
            *name++ = (char)(0x80 | (c >> 6 * more & 0x3f));
    }
    *name = '\0';
}

int64_t bb_fat_time(const EFI_TIME *time)
{
    const struct bb_date date = {.year = time->Year,
                                 .month = time->Month,
                                 .day = time->Day,
                                 .hour = time->Hour,
                                 .minute = time->Minute,
                                 .second = time->Second};
    int64_t seconds;
    return bb_date_to_seconds(&date, &seconds) ? 0 : seconds;
}
