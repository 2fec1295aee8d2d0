/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXT4_ASSERT_H
#define EXT4_ASSERT_H

#define assert(expression) ((void)sizeof(!(expression)))

#endif
