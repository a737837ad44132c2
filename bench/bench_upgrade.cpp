/* SPDX-License-Identifier: MIT */
/* The server half of the opening handshake: one request in, its 101 out, in one object that is used again. Items are
 * upgrades; the counter `allocations` has to stay 0. */
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>

#include <fastws/upgrade.h>

#include "calibrate.h"
#include "heads.h"

namespace {

/* malloc() and a count of its calls. */
struct Counting {
    fastws_allocator allocator{allocate, resize, release, this};
    long allocations = 0;

    static void *allocate(void *context, std::size_t size) {
        static_cast<Counting *>(context)->allocations++;
        return std::malloc(size);
    }
    static void *resize(void *context, void *ptr, std::size_t, std::size_t new_size) {
        static_cast<Counting *>(context)->allocations++;
        return std::realloc(ptr, new_size);
    }
    static void release(void *, void *ptr, std::size_t) { std::free(ptr); }
};

void upgrade(benchmark::State &state, const char *head, std::size_t head_len) {
    Counting counting;
    fastws_upgrade *upgrade = nullptr;
    if (fastws_upgrade_new(nullptr, &counting.allocator, &upgrade) != 0) std::abort();
    counting.allocations = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(head);
        std::size_t used = 0;
        if (fastws_upgrade_feed(upgrade, head, head_len, &used) != 1 || used != head_len) std::abort();
        const void *response = nullptr;
        std::size_t response_len = 0;
        if (fastws_upgrade_response(upgrade, &response, &response_len) != 0) std::abort();
        benchmark::DoNotOptimize(response);
        benchmark::ClobberMemory();
        fastws_upgrade_reset(upgrade);
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(head_len));
    state.counters["allocations"] = static_cast<double>(counting.allocations);
    fastws_upgrade_free(upgrade);
}

} // namespace

int main(int argc, char **argv) {
    register_calibration();
    benchmark::RegisterBenchmark("upgrade/minimal", upgrade, minimal, std::strlen(minimal));
    benchmark::RegisterBenchmark("upgrade/chrome", upgrade, chrome, std::strlen(chrome));
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return EXIT_SUCCESS;
}
