/* SPDX-License-Identifier: BSD-2-Clause */
/* What this image is. */
#include <busbar/app.h>
#include <busbar/config.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

#ifdef __clang__
#define COMPILER                                                                                   \
    "clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "." TEXT(__clang_patchlevel__)
#else
#define COMPILER "gcc " TEXT(__GNUC__) "." TEXT(__GNUC_MINOR__) "." TEXT(__GNUC_PATCHLEVEL__)
#endif

const char *bb_version(void)
{
    return "Busbar " BB_VERSION " (" BB_PLATFORM_NAME ", " BB_BUILD_TYPE ", " COMPILER ")";
}

const char *bb_platform_name(void)
{
    return BB_PLATFORM_NAME;
}
