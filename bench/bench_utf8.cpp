/* SPDX-License-Identifier: MIT */
/* UTF-8 checking by every kernel row of this machine, alone and while unmasking.
 *
 *   utf8/<isa>/<text>/<bytes>        checks; nothing beside the text may be read
 *   utf8_slop/<isa>/<text>/<bytes>   the same for short texts, with FWS_SLOP readable bytes behind them
 *   mask_utf8/<isa>/<text>/<bytes>   unmasks in place and checks
 *
 * The key is 0, so that what is unmasked again and again stays the text: no kernel looks at the key, and the work is
 * that of any other. Short payloads come in turn, as in bench_mask.cpp: unmasking one and the same again at once would
 * measure how its loads wait for its own stores. */
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "../simd/kernels.h"
#include "calibrate.h"
#include "texts.h"

namespace {

constexpr std::size_t kSizes[] = {20, 64, 1024, 4096, 32768, 1048576};
constexpr std::size_t kLargest = 1048576;
constexpr std::size_t kShort = 64;
constexpr std::size_t kInTurn = 16;
constexpr std::size_t kTurnStride = 1024 + 64;
constexpr std::size_t kInTurnUpTo = 512;

std::uint8_t *make_buffer() {
    void *buffer = std::aligned_alloc(4096, kLargest + 4096);
    if (!buffer) std::abort();
    return static_cast<std::uint8_t *>(buffer);
}

std::uint8_t *const buffer = make_buffer();

/* Calls check(state, src) for each iteration and demands that all of the text is good. */
template <typename Check>
void run(benchmark::State &bench, const BenchText &text, std::size_t len, Check check) {
    const std::string bytes = make_text(text, len);
    const std::size_t turns = len <= kInTurnUpTo ? kInTurn : 1;
    for (std::size_t i = 0; i < turns; i++) std::memcpy(buffer + i * kTurnStride, bytes.data(), len);
    std::size_t turn = 0, bad = 0;
    for (auto _ : bench) {
        fws_utf8_state state = {0, 0};
        bad |= check(&state, buffer + (turn++ & (turns - 1)) * kTurnStride) ^ len;
        bad |= state.dfa;
        benchmark::ClobberMemory();
    }
    if (bad) bench.SkipWithError("the text was refused");
    bench.SetBytesProcessed(bench.iterations() * static_cast<std::int64_t>(len));
}

template <typename Check>
void add(const std::string &kernel, const fws_kernels *row, const BenchText &text, std::size_t len, Check check) {
    const std::string name = kernel + "/" + row->name + "/" + text.name + "/" + std::to_string(len);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State &bench) { run(bench, text, len, check); });
}

void register_text(const fws_kernels *row, const BenchText &text) {
    for (std::size_t len : kSizes) {
        add("utf8", row, text, len,
            [=](fws_utf8_state *state, const std::uint8_t *src) { return row->utf8(state, src, len, 0); });
        if (len <= kShort) {
            add("utf8_slop", row, text, len,
                [=](fws_utf8_state *state, const std::uint8_t *src) { return row->utf8(state, src, len, FWS_SLOP); });
        }
        add("mask_utf8", row, text, len, [=](fws_utf8_state *state, std::uint8_t *src) {
            return row->mask_utf8(src, src, len, 0, state, FWS_SLOP);
        });
    }
}

}  // namespace

int main(int argc, char **argv) {
    register_calibration();
    for (int i = 0; i < fws_kernels_count(); i++) {
        for (const BenchText &text : kTexts) register_text(fws_kernels_at(i), text);
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
