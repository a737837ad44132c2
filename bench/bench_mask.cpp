/* SPDX-License-Identifier: MIT */
/* Masking by every kernel row of this machine, next to memset (what stores cost) and memcpy on the same buffers. */
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../simd/kernels.h"
#include "calibrate.h"

namespace {

constexpr std::size_t kSizes[] = {7, 16, 64, 125, 512, 1024, 4096, 32768, 262144, 1048576, 16777216};
constexpr std::size_t kLargest = 16777216;
constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kAfterHeader = 6; /* where a payload begins that follows its header at the start of a line */
constexpr std::uint32_t kKey = 0x8badf00d;

/* Small payloads come one after another, each somewhere else. Masking one and the same again and again would measure
 * how its loads wait for its own overlapping stores. */
constexpr std::size_t kInTurn = 16;
constexpr std::size_t kTurnStride = 1024 + kCacheLine;
constexpr std::size_t kInTurnUpTo = 512;

std::uint8_t *make_buffer() {
    std::size_t size = kLargest + 4096;
    void *buffer = std::aligned_alloc(4096, size);
    if (!buffer) std::abort();
    std::memset(buffer, 0x5a, size);
    return static_cast<std::uint8_t *>(buffer);
}

std::uint8_t *const here = make_buffer();
std::uint8_t *const there = make_buffer();

/* Calls work(offset) for each iteration with the offset into the buffers whose turn it is. */
template <typename Work>
void run_in_turn(benchmark::State &state, std::size_t len, std::size_t misalignment, Work work) {
    std::size_t mask = len <= kInTurnUpTo ? kInTurn - 1 : 0;
    std::size_t turn = 0;
    for (auto _ : state) {
        work(misalignment + (turn++ & mask) * kTurnStride);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(len));
}

void register_row(const fws_kernels *row) {
    const std::string isa = row->name;
    for (std::size_t len : kSizes) {
        const std::string tail = "/" + isa + "/" + std::to_string(len);
        benchmark::RegisterBenchmark(("mask" + tail).c_str(), [=](benchmark::State &state) {
            run_in_turn(state, len, 0, [=](std::size_t at) { row->mask(here + at, here + at, len, kKey); });
        });
        benchmark::RegisterBenchmark(("mask_copy" + tail).c_str(), [=](benchmark::State &state) {
            run_in_turn(state, len, 0, [=](std::size_t at) { row->mask(there + at, here + at, len, kKey); });
        });
        benchmark::RegisterBenchmark(("mask_unaligned" + tail).c_str(), [=](benchmark::State &state) {
            run_in_turn(state, len, kAfterHeader, [=](std::size_t at) { row->mask(here + at, here + at, len, kKey); });
        });
    }
}

void register_limits() {
    for (std::size_t len : kSizes) {
        const std::string tail = "/" + std::to_string(len);
        benchmark::RegisterBenchmark(("memset" + tail).c_str(), [=](benchmark::State &state) {
            run_in_turn(state, len, 0, [=](std::size_t at) { std::memset(here + at, 0x5a, len); });
        });
        benchmark::RegisterBenchmark(("memcpy" + tail).c_str(), [=](benchmark::State &state) {
            run_in_turn(state, len, 0, [=](std::size_t at) { std::memcpy(there + at, here + at, len); });
        });
    }
}

} // namespace

int main(int argc, char **argv) {
    register_calibration();
    for (int i = 0; i < fws_kernels_count(); i++) register_row(fws_kernels_at(i));
    register_limits();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
