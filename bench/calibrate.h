/* SPDX-License-Identifier: MIT */
/* The row calibrate/cycle: how long one cycle of this machine takes, so that goals can be given in cycles. */
#ifndef FASTWS_BENCH_CALIBRATE_H
#define FASTWS_BENCH_CALIBRATE_H

#include <benchmark/benchmark.h>

#include <cstdint>

/* Adds that wait for one another, one cycle each. The empty asm keeps the compiler from folding them; the loop counts
 * in their shadow. One iteration is kAddsPerIteration adds: divide, or take items per second. */
inline void calibrate_cycle(benchmark::State &state) {
    constexpr int kAddsPerIteration = 1024;
    std::uint64_t sum = 1;
    for (auto _ : state) {
        for (int i = 0; i < kAddsPerIteration / 8; i++) {
#define ADD __asm__ volatile("" : "+r"(sum)); sum += 3;
            ADD ADD ADD ADD ADD ADD ADD ADD
#undef ADD
        }
    }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations() * kAddsPerIteration);
}

inline void register_calibration() { benchmark::RegisterBenchmark("calibrate/cycle", calibrate_cycle); }

#endif
