/* SPDX-License-Identifier: MIT */
/* Frame headers: one header parsed, one written, in each form that differs in length. Items are headers. */
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include <fastws/header.h>

namespace {

struct Form {
    const char *name;
    uint64_t length;
    bool is_masked;
};

const Form forms[] = {
    {"short", 125, false},      {"short_masked", 125, true}, {"u16", 65535, false},
    {"u16_masked", 4096, true}, {"u64", 1u << 20, false},    {"u64_masked", 1u << 20, true},
};

fastws_header header_of(const Form &form) {
    fastws_header header = {};
    header.length = form.length;
    header.opcode = FASTWS_OPCODE_BINARY;
    header.fin = 1;
    if (form.is_masked) {
        const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
        header.masked = 1;
        for (int i = 0; i < 4; i++)
            header.key[i] = key[i];
    }
    return header;
}

void header_parse(benchmark::State &state, const Form &form) {
    const fastws_header header = header_of(form);
    uint8_t wire[64] = {};
    const int size = fastws_header_write(wire, sizeof wire, &header);
    for (auto _ : state) {
        const uint8_t *src = wire;
        fastws_header out;
        const fastws_header *seen = &out;
        benchmark::DoNotOptimize(src);
        int parsed = fastws_header_parse(&out, src, sizeof wire);
        benchmark::DoNotOptimize(parsed);
        benchmark::DoNotOptimize(seen);
        benchmark::ClobberMemory();
        if (parsed != size) std::abort();
    }
    state.SetItemsProcessed(state.iterations());
}

void header_write(benchmark::State &state, const Form &form) {
    const fastws_header header = header_of(form);
    const int size = fastws_header_size(&header);
    for (auto _ : state) {
        const fastws_header *src = &header;
        uint8_t wire[FASTWS_HEADER_MAX];
        const uint8_t *seen = wire;
        benchmark::DoNotOptimize(src);
        int written = fastws_header_write(wire, sizeof wire, src);
        benchmark::DoNotOptimize(written);
        benchmark::DoNotOptimize(seen);
        benchmark::ClobberMemory();
        if (written != size) std::abort();
    }
    state.SetItemsProcessed(state.iterations());
}

} // namespace

int main(int argc, char **argv) {
    for (const Form &form : forms) {
        benchmark::RegisterBenchmark((std::string("header_parse/") + form.name).c_str(), header_parse, form);
        benchmark::RegisterBenchmark((std::string("header_write/") + form.name).c_str(), header_write, form);
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return EXIT_SUCCESS;
}
