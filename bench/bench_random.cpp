/* SPDX-License-Identifier: MIT */
/* What a masking key costs, which is 4 random bytes:
 *
 *   random/<isa>    out of a batch of ChaCha20 by that kernel row, copied and wiped, as a pool does it
 *   random/system   out of as many bytes of the operating system: what it would be without the generator */
#include <benchmark/benchmark.h>
#include <sys/random.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../simd/kernels.h"
#include "calibrate.h"

namespace {

constexpr std::size_t kBatchLen = 1024;

/* Hands out what stands in the batch from off on, key by key. */
std::int64_t use(std::uint8_t *batch, std::size_t off) {
    std::int64_t count = 0;
    for (; off < kBatchLen; off += 4, count++) {
        std::uint32_t key;
        std::memcpy(&key, batch + off, sizeof key);
        std::memset(batch + off, 0, sizeof key);
        benchmark::DoNotOptimize(key);
    }
    return count;
}

void from_chacha(benchmark::State &state, const fws_kernels *row) {
    alignas(64) std::uint8_t batch[kBatchLen], key[FWS_CHACHA_KEY_LEN] = {1};
    const std::uint8_t nonce[FWS_CHACHA_NONCE_LEN] = {2};
    std::int64_t count = 0;
    for (auto _ : state) {
        row->chacha(batch, sizeof batch / FWS_CHACHA_BLOCK_LEN, key, 0, nonce);
        std::memcpy(key, batch, sizeof key);
        count += use(batch, sizeof key);
    }
    state.SetItemsProcessed(count);
}

void from_system(benchmark::State &state) {
    alignas(64) std::uint8_t batch[kBatchLen];
    std::int64_t count = 0;
    for (auto _ : state) {
        for (std::size_t off = 0; off < sizeof batch; off += 256) {
            if (getentropy(batch + off, 256) != 0) std::abort();
        }
        count += use(batch, 0);
    }
    state.SetItemsProcessed(count);
}

} // namespace

int main(int argc, char **argv) {
    register_calibration();
    for (int i = 0; i < fws_kernels_count(); i++) {
        const fws_kernels *row = fws_kernels_at(i);
        benchmark::RegisterBenchmark(("random/" + std::string(row->name)).c_str(), from_chacha, row);
    }
    benchmark::RegisterBenchmark("random/system", from_system);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return EXIT_SUCCESS;
}
