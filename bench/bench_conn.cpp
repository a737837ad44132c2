/* SPDX-License-Identifier: MIT */
/* Measures the whole way in: frames_masked/<payload> is the time per masked binary frame through a connection. */
#include <benchmark/benchmark.h>
#include <fastws/conn.h>
#include <fastws/header.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr size_t buffer_len = 64 * 1024;
constexpr int event_cap = 64;

/* As many whole frames as fit the buffer, back to back, as a client sends them. */
std::vector<uint8_t> make_frames(size_t payload_len, size_t *count) {
    fastws_header header{};
    header.length = payload_len;
    header.opcode = FASTWS_OPCODE_BINARY;
    header.fin = 1;
    header.masked = 1;
    std::memcpy(header.key, "\x37\xfa\x21\x3d", 4);
    std::vector<uint8_t> frames(buffer_len);
    size_t frame_len = static_cast<size_t>(fastws_header_size(&header)) + payload_len;
    *count = buffer_len / frame_len;
    frames.resize(*count * frame_len);
    for (size_t i = 0; i < *count; i++) {
        uint8_t *dst = frames.data() + i * frame_len;
        int len = fastws_header_write(dst, FASTWS_HEADER_MAX, &header);
        for (size_t k = 0; k < payload_len; k++) dst[static_cast<size_t>(len) + k] = static_cast<uint8_t>(k * 7 + i);
    }
    return frames;
}

/* One receive: feed, then take every event. Returns the bytes of payload seen, so that nothing can be skipped. */
uint64_t receive(benchmark::State &state, fastws_conn *conn, std::vector<uint8_t> &frames) {
    fastws_event events[event_cap];
    uint64_t payload = 0;
    if (fastws_conn_feed(conn, frames.data(), frames.size()) < 0) state.SkipWithError("feed failed");
    int n;
    while ((n = fastws_conn_next(conn, events, event_cap)) > 0) {
        for (int i = 0; i < n; i++) payload += events[i].len;
    }
    if (n < 0) state.SkipWithError("next failed");
    return payload;
}

void frames_masked(benchmark::State &state) {
    size_t payload_len = static_cast<size_t>(state.range(0));
    size_t count;
    std::vector<uint8_t> frames = make_frames(payload_len, &count);
    fastws_pool *pool;
    fastws_conn *conn;
    fastws_conn_config config;
    fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
    if (fastws_pool_new(nullptr, &pool) < 0 || fastws_conn_new(&config, pool, &conn) < 0) std::abort();
    for (auto _ : state) {
        uint64_t payload = receive(state, conn, frames);
        benchmark::DoNotOptimize(payload);
        if (payload != count * payload_len) state.SkipWithError("a frame was lost");
    }
    fastws_conn_free(conn);
    fastws_pool_free(pool);
    const auto rounds = static_cast<int64_t>(state.iterations());
    state.SetItemsProcessed(rounds * static_cast<int64_t>(count));
    state.SetBytesProcessed(rounds * static_cast<int64_t>(count * payload_len));
}

/* The names are frames_masked/<payload bytes>. */
BENCHMARK(frames_masked)->Arg(0)->Arg(16)->Arg(64)->Arg(125)->Arg(1024)->Arg(4096)->Arg(32768);

}  // namespace

BENCHMARK_MAIN();
