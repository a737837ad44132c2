/* SPDX-License-Identifier: MIT */
/* The answer to a Sec-WebSocket-Key, its check included, by every kernel row of this machine. */
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "../simd/kernels.h"
#include "calibrate.h"

namespace {

/* Keys in turn, none of which waits for the answer to another: servers answer peers that know nothing of each other. */
constexpr std::size_t kKeys = 4;
const char keys[kKeys][FWS_KEY_LEN + 1] = {
    "dGhlIHNhbXBsZSBub25jZQ==",
    "8PHy8/T19vf4+fr7/P3+/w==",
    "eDNKSkhNYkRMMUV6TGtoOQ==",
    "AAECAwQFBgcICQoLDA0ODw==",
};

void accept_key(benchmark::State &state, const fws_kernels *row) {
    char out[FWS_ACCEPT_LEN];
    std::size_t turn = 0;
    for (auto _ : state) {
        const char *key = keys[turn++ % kKeys];
        std::uint32_t hash[5];
        if (!row->accept(out, hash, reinterpret_cast<const std::uint8_t *>(key))) std::abort();
        benchmark::DoNotOptimize(out);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations());
}

} // namespace

int main(int argc, char **argv) {
    register_calibration();
    for (int i = 0; i < fws_kernels_count(); i++) {
        const fws_kernels *row = fws_kernels_at(i);
        benchmark::RegisterBenchmark(("accept_key/" + std::string(row->name)).c_str(), accept_key, row);
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return EXIT_SUCCESS;
}
