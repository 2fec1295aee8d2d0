/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the two files of the model of a virtio device. */
#ifndef TESTS_MODELS_VIRTIO_QUEUE_H
#define TESTS_MODELS_VIRTIO_QUEUE_H

#include "virtio_device.h"

void virtio_queue_start(struct model_virtio *device, unsigned index);
void virtio_queue_reset(struct model_virtio *device, unsigned index);
/* Raises the interrupt: 1 for used chains, 2 for the configuration. */
void virtio_signal(struct model_virtio *device, uint32_t bits);

#endif
