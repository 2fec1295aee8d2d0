/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request costs through the public API and, on a second device of the same kind, by hand
 * (hand.h): the call that submits, and the one that reaps and finds something. The time in between
 * is the emulator's.
 */
#include "bench.h"

int bb_main(void)
{
    bench_calibrate();
    int error = bench_block();
    return error ? error : bench_net();
}
