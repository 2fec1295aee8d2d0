/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names that devices get when the device tree has no alias for them: "disk0", "net1". For
 * subsystems, and for drivers of devices that bear a name of their own kind. Thread context.
 */
#ifndef BUSBAR_NAME_H
#define BUSBAR_NAME_H

#include <busbar/device.h>

/* Part of what is named; the device holds it until it goes. */
struct bb_name {
    struct bb_resource resource;
    struct bb_device *device;
    char text[16];
};

/* Gives the device the first of STEM0, STEM1 ... that no device and no alias has, as its name and
 * as its node's alias. A node that has an alias keeps that one. `stem`: 11 characters at most. */
void bb_name_device(struct bb_device *device, struct bb_name *name, const char *stem);

#endif
