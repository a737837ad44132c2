/* SPDX-License-Identifier: MIT */
/* Reading the head of a request into slices, on every row of kernels: http_head/<isa>/<minimal|chrome>. Items are
 * heads. And the values in it: tokens, options, cookies. */
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include <fastws/cookies.h>
#include <fastws/http_head.h>
#include <fastws/options.h>

#include "../simd/kernels.h"
#include "calibrate.h"
#include "heads.h"

namespace {

constexpr std::size_t kHeaders = 32;

void http_head(benchmark::State &state, const char *row, const char *src, std::size_t len) {
    if (fws_kernels_select(row) != 0) std::abort();
    fastws_http_header headers[kHeaders];
    for (auto _ : state) {
        benchmark::DoNotOptimize(src);
        fastws_http_head head;
        fastws_http_head_init(&head, headers, kHeaders);
        if (fastws_http_parse_request(&head, src, len) != 1 || head.len != len) std::abort();
        benchmark::DoNotOptimize(head);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(len));
}

fastws_slice slice_of(const char *text) { return {text, std::strlen(text)}; }

void tokens(benchmark::State &state, const char *text) {
    for (auto _ : state) {
        fastws_slice list = slice_of(text), token;
        int count = 0;
        while (fastws_http_next_token(&token, &list) > 0) count++;
        benchmark::DoNotOptimize(count);
    }
    state.SetItemsProcessed(state.iterations());
}

void options(benchmark::State &state, const char *text) {
    for (auto _ : state) {
        fastws_slice list = slice_of(text);
        fastws_option option;
        fastws_option_parameter parameter;
        int count = 0;
        while (fastws_option_next(&option, &list) > 0)
            while (fastws_option_next_parameter(&parameter, &option.parameters) > 0) count++;
        benchmark::DoNotOptimize(count);
    }
    state.SetItemsProcessed(state.iterations());
}

void cookies(benchmark::State &state, const char *text) {
    for (auto _ : state) {
        fastws_slice value = slice_of(text);
        fastws_cookie cookie;
        int count = 0;
        while (fastws_cookie_next(&cookie, &value, 0) > 0) count++;
        benchmark::DoNotOptimize(count);
    }
    state.SetItemsProcessed(state.iterations());
}

} // namespace

int main(int argc, char **argv) {
    register_calibration();
    for (int i = 0; i < fws_kernels_count(); i++) {
        const char *row = fws_kernels_at(i)->name;
        std::string name = std::string("http_head/") + row;
        benchmark::RegisterBenchmark((name + "/minimal").c_str(), http_head, row, minimal, std::strlen(minimal));
        benchmark::RegisterBenchmark((name + "/chrome").c_str(), http_head, row, chrome, std::strlen(chrome));
    }
    benchmark::RegisterBenchmark("http_tokens", tokens, "jsonrpc, soap, grpc");
    benchmark::RegisterBenchmark("http_options", options, "permessage-deflate; client_max_window_bits, foo; bar=\"1\"");
    benchmark::RegisterBenchmark("http_cookies", cookies, "session=0123456789abcdef; theme=dark; lang=en");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return EXIT_SUCCESS;
}
