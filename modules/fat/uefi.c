/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What EDK II's FAT driver finds in a UEFI (UEFI 2.10; MdePkg's library headers): memory, lists,
 * strings of 16-bit units, locks, the time, and names without case.
 */
#include <string.h>

#include <busbar/rtc.h>

#include "fat.h"

FAT_VOLUME *bb_fat_installed;

EFI_GUID gEfiFileInfoGuid = EFI_FILE_INFO_ID;
EFI_GUID gEfiFileSystemInfoGuid = EFI_FILE_SYSTEM_INFO_ID;
EFI_GUID gEfiFileSystemVolumeLabelInfoIdGuid = EFI_FILE_SYSTEM_VOLUME_LABEL_ID;
EFI_GUID gEfiSimpleFileSystemProtocolGuid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;

/* ---- Services ---- */

static EFI_STATUS EFIAPI install(EFI_HANDLE *handle, ...)
{
    bb_fat_installed = bb_container_of(handle, FAT_VOLUME, Handle);
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI uninstall(EFI_HANDLE handle, ...)
{
    (void)handle;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI get_time(EFI_TIME *time, EFI_TIME_CAPABILITIES *capabilities)
{
    int64_t seconds;
    struct bb_date date;
    (void)capabilities;
    if (bb_wall_time(&seconds))
        return EFI_UNSUPPORTED;
    bb_date_from_seconds(seconds, &date);
    if (date.year < 1980 || date.year > 2107)
        return EFI_UNSUPPORTED;
    *time = (EFI_TIME){.Year = (UINT16)date.year,
                       .Month = date.month,
                       .Day = date.day,
                       .Hour = date.hour,
                       .Minute = date.minute,
                       .Second = date.second};
    return EFI_SUCCESS;
}

/* The driver asks for a CRC where it wants any hash of a name: FNV-1a. */
static EFI_STATUS EFIAPI hash(VOID *data, UINTN size, UINT32 *result)
{
    const uint8_t *at = data;
    UINT32 sum = 2166136261;
    while (size--)
        sum = (sum ^ *at++) * 16777619;
    *result = sum;
    return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES boot_services = {
    .CalculateCrc32 = hash,
    .InstallMultipleProtocolInterfaces = (EFI_INSTALL_MULTIPLE_PROTOCOL_INTERFACES)install,
    .UninstallMultipleProtocolInterfaces = (EFI_UNINSTALL_MULTIPLE_PROTOCOL_INTERFACES)uninstall,
};
static EFI_RUNTIME_SERVICES runtime_services = {.GetTime = get_time};
EFI_BOOT_SERVICES *gBS = &boot_services;
EFI_RUNTIME_SERVICES *gRT = &runtime_services;

/* One call at a time comes in, so a lock only notes that it is held. */
VOID EFIAPI EfiAcquireLock(EFI_LOCK *lock)
{
    lock->Lock = EfiLockAcquired;
}

EFI_STATUS EFIAPI EfiAcquireLockOrFail(EFI_LOCK *lock)
{
    if (lock->Lock == EfiLockAcquired)
        return EFI_ACCESS_DENIED;
    EfiAcquireLock(lock);
    return EFI_SUCCESS;
}

VOID EFIAPI EfiReleaseLock(EFI_LOCK *lock)
{
    lock->Lock = EfiLockReleased;
}

/* ---- Memory ---- */

/* The driver loses a little when the medium fails in the middle of a call: all that it holds is on
 * a list, and what is left when no volume is in use is freed. */
struct piece {
    struct piece *next, **link; /* who points at it */
};
_Static_assert(sizeof(struct piece) == 16, "memory behind it is aligned for everything");

static struct piece *pieces;

VOID *EFIAPI AllocateZeroPool(UINTN size)
{
    struct piece *piece = size > UINT32_MAX ? NULL : bb_file_calloc(1, sizeof(*piece) + size);
    if (!piece)
        return NULL;
    *piece = (struct piece){pieces, &pieces};
    if (pieces)
        pieces->link = &piece->next;
    pieces = piece;
    return piece + 1;
}

VOID *EFIAPI AllocateCopyPool(UINTN size, CONST VOID *from)
{
    void *memory = AllocateZeroPool(size);
    return memory ? memcpy(memory, from, size) : NULL;
}

VOID EFIAPI FreePool(VOID *memory)
{
    struct piece *piece = (struct piece *)memory - 1;
    *piece->link = piece->next;
    if (piece->next)
        piece->next->link = piece->link;
    bb_file_free(piece);
}

void bb_fat_free_rest(void)
{
    while (pieces)
        FreePool(pieces + 1);
}

VOID *EFIAPI CopyMem(VOID *to, CONST VOID *from, UINTN size)
{
    return memmove(to, from, size);
}

VOID *EFIAPI SetMem(VOID *to, UINTN size, UINT8 value)
{
    return memset(to, value, size);
}

VOID *EFIAPI ZeroMem(VOID *to, UINTN size)
{
    return memset(to, 0, size);
}

INTN EFIAPI CompareMem(CONST VOID *a, CONST VOID *b, UINTN size)
{
    return memcmp(a, b, size);
}

BOOLEAN EFIAPI CompareGuid(CONST GUID *a, CONST GUID *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- Lists: rings with a head ---- */

LIST_ENTRY *EFIAPI InitializeListHead(LIST_ENTRY *head)
{
    head->ForwardLink = head->BackLink = head;
    return head;
}

static void insert_after(LIST_ENTRY *place, LIST_ENTRY *entry)
{
    entry->BackLink = place;
    entry->ForwardLink = place->ForwardLink;
    place->ForwardLink->BackLink = entry;
    place->ForwardLink = entry;
}

LIST_ENTRY *EFIAPI InsertHeadList(LIST_ENTRY *head, LIST_ENTRY *entry)
{
    insert_after(head, entry);
    return head;
}

LIST_ENTRY *EFIAPI InsertTailList(LIST_ENTRY *head, LIST_ENTRY *entry)
{
    insert_after(head->BackLink, entry);
    return head;
}

LIST_ENTRY *EFIAPI RemoveEntryList(CONST LIST_ENTRY *entry)
{
    entry->ForwardLink->BackLink = entry->BackLink;
    entry->BackLink->ForwardLink = entry->ForwardLink;
    return entry->ForwardLink;
}

LIST_ENTRY *EFIAPI GetFirstNode(CONST LIST_ENTRY *head)
{
    return head->ForwardLink;
}

LIST_ENTRY *EFIAPI GetNextNode(CONST LIST_ENTRY *head, CONST LIST_ENTRY *entry)
{
    (void)head;
    return entry->ForwardLink;
}

BOOLEAN EFIAPI IsNull(CONST LIST_ENTRY *head, CONST LIST_ENTRY *entry)
{
    return head == entry;
}

BOOLEAN EFIAPI IsListEmpty(CONST LIST_ENTRY *head)
{
    return head->ForwardLink == head;
}

/* ---- Numbers ---- */

UINT64 EFIAPI LShiftU64(UINT64 value, UINTN count)
{
    return value << count;
}

INTN EFIAPI HighBitSet32(UINT32 value)
{
    return value ? 31 - __builtin_clz(value) : -1;
}

/* ---- Strings: sizes count units with the end ---- */

UINTN EFIAPI StrLen(CONST CHAR16 *text)
{
    UINTN length = 0;
    while (text[length])
        length++;
    return length;
}

UINTN EFIAPI StrSize(CONST CHAR16 *text)
{
    return (StrLen(text) + 1) * sizeof(*text);
}

INTN EFIAPI StrCmp(CONST CHAR16 *a, CONST CHAR16 *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return *a - *b;
}

RETURN_STATUS EFIAPI StrnCpyS(CHAR16 *to, UINTN size, CONST CHAR16 *from, UINTN most)
{
    UINTN length = 0;
    while (length < most && from[length])
        length++;
    if (length >= size)
        return RETURN_BUFFER_TOO_SMALL;
    memmove(to, from, length * sizeof(*to));
    to[length] = 0;
    return RETURN_SUCCESS;
}

RETURN_STATUS EFIAPI StrCpyS(CHAR16 *to, UINTN size, CONST CHAR16 *from)
{
    return StrnCpyS(to, size, from, StrLen(from));
}

RETURN_STATUS EFIAPI StrCatS(CHAR16 *to, UINTN size, CONST CHAR16 *from)
{
    UINTN length = StrLen(to);
    return length >= size ? RETURN_BAD_BUFFER_SIZE : StrCpyS(to + length, size - length, from);
}

/* ---- Names: ASCII letters have case; the short names' other bytes are what they are ---- */

static CHAR16 upper(CHAR16 c)
{
    return c >= 'a' && c <= 'z' ? (CHAR16)(c - 'a' + 'A') : c;
}

INTN FatStriCmp(CHAR16 *a, CHAR16 *b)
{
    for (; *a && upper(*a) == upper(*b); a++, b++)
        ;
    return upper(*a) - upper(*b);
}

VOID FatStrUpr(CHAR16 *text)
{
    for (; *text; text++)
        *text = upper(*text);
}

VOID FatStrLwr(CHAR16 *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (CHAR16)(*text - 'A' + 'a');
}

VOID FatFatToStr(UINTN size, CHAR8 *short_name, CHAR16 *text)
{
    while (size-- && *short_name)
        *text++ = (UINT8)*short_name++;
    *text = 0;
}

/* TRUE when the short name is not all that the text says. */
BOOLEAN FatStrToFat(CHAR16 *text, UINTN size, CHAR8 *short_name)
{
    BOOLEAN lossy = FALSE;
    for (; *text && size; text++) {
        CHAR16 c = upper(*text);
        if (c == '.' || c == ' ')
            continue;
        bool fits = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (c < 0x80 && c > ' ' && strchr("!#$%&'()-@^_`{}~", c));
        lossy = (BOOLEAN)(lossy || !fits);
        *short_name++ = fits ? (CHAR8)c : '_';
        size--;
    }
    return lossy;
}
