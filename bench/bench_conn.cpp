/* SPDX-License-Identifier: MIT */
/* Measures the whole way in, per masked frame through a connection:
 *
 *   frames_masked/<payload>          binary
 *   frames_text/<payload>            ASCII text
 *   frames_text_cyrillic/<payload>   text of two bytes a letter
 *
 * Binary frames are unmasked, masked again by the next round, and so on. Text would be none every second time: before
 * each round its payloads are masked again, outside of what is timed. */
#include <benchmark/benchmark.h>
#include <fastws/conn.h>
#include <fastws/header.h>
#include <fastws/mask.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "texts.h"

namespace {

constexpr size_t buffer_len = 64 * 1024;
constexpr int event_cap = 64;

constexpr uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* As many whole frames as fit the buffer, back to back, as a client sends them. */
std::vector<uint8_t> make_frames(uint8_t opcode, const std::string &payload, size_t *count) {
    fastws_header header{};
    header.length = payload.size();
    header.opcode = opcode;
    header.fin = 1;
    header.masked = 1;
    std::memcpy(header.key, key, 4);
    std::vector<uint8_t> frames(buffer_len);
    size_t frame_len = static_cast<size_t>(fastws_header_size(&header)) + payload.size();
    *count = buffer_len / frame_len;
    frames.resize(*count * frame_len);
    for (size_t i = 0; i < *count; i++) {
        uint8_t *dst = frames.data() + i * frame_len;
        dst += fastws_header_write(dst, FASTWS_HEADER_MAX, &header);
        for (size_t k = 0; k < payload.size(); k++) dst[k] = static_cast<uint8_t>(payload[k]) ^ key[k % 4];
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

struct Connection {
    fastws_pool *pool;
    fastws_conn *conn;
    fastws_conn_config config;

    Connection() {
        fastws_conn_config_init(&config, FASTWS_ROLE_SERVER);
        if (fastws_pool_new(nullptr, &pool) < 0 || fastws_conn_new(&config, pool, &conn) < 0) std::abort();
    }
    ~Connection() {
        fastws_conn_free(conn);
        fastws_pool_free(pool);
    }
};

void count_frames(benchmark::State &state, size_t count, size_t payload_len) {
    const auto rounds = static_cast<int64_t>(state.iterations());
    state.SetItemsProcessed(rounds * static_cast<int64_t>(count));
    state.SetBytesProcessed(rounds * static_cast<int64_t>(count * payload_len));
}

void frames_masked(benchmark::State &state) {
    const auto payload_len = static_cast<size_t>(state.range(0));
    size_t count;
    std::string bytes(payload_len, 0);
    for (size_t k = 0; k < payload_len; k++) bytes[k] = static_cast<char>(k * 7);
    std::vector<uint8_t> frames = make_frames(FASTWS_OPCODE_BINARY, bytes, &count);
    Connection connection;
    for (auto _ : state) {
        uint64_t payload = receive(state, connection.conn, frames);
        benchmark::DoNotOptimize(payload);
        if (payload != count * payload_len) state.SkipWithError("a frame was lost");
    }
    count_frames(state, count, payload_len);
}

/* Masks every payload again. Copying the frames anew would leave them farther from the core than a receive does. */
void mask_again(std::vector<uint8_t> &frames, size_t count, size_t payload_len) {
    size_t frame_len = frames.size() / count;
    for (size_t i = 1; i <= count; i++) {
        uint8_t *payload = frames.data() + i * frame_len - payload_len;
        fastws_mask(payload, payload, payload_len, key, 0);
    }
}

/* Several receives a round: stopping the clock costs about as much as a hundred small frames. */
void receive_text(benchmark::State &state, const BenchText &text) {
    constexpr int receives = 4;
    const auto payload_len = static_cast<size_t>(state.range(0));
    size_t count;
    std::vector<std::vector<uint8_t>> buffers(receives);
    for (auto &frames : buffers) frames = make_frames(FASTWS_OPCODE_TEXT, make_text(text, payload_len), &count);
    Connection connection;
    for (auto _ : state) {
        uint64_t payload = 0;
        for (auto &frames : buffers) payload += receive(state, connection.conn, frames);
        benchmark::DoNotOptimize(payload);
        state.PauseTiming();
        if (payload != receives * count * payload_len) state.SkipWithError("a frame was lost");
        for (auto &frames : buffers) mask_again(frames, count, payload_len);
        state.ResumeTiming();
    }
    count_frames(state, receives * count, payload_len);
}

void frames_text(benchmark::State &state) { receive_text(state, kTexts[kAscii]); }

void frames_text_cyrillic(benchmark::State &state) { receive_text(state, kTexts[kCyrillic]); }

BENCHMARK(frames_masked)->Arg(0)->Arg(16)->Arg(64)->Arg(125)->Arg(1024)->Arg(4096)->Arg(32768);
BENCHMARK(frames_text)->Arg(16)->Arg(64)->Arg(125)->Arg(1024)->Arg(4096)->Arg(32768);
BENCHMARK(frames_text_cyrillic)->Arg(16)->Arg(64)->Arg(125)->Arg(1024)->Arg(4096)->Arg(32768);

}  // namespace

BENCHMARK_MAIN();
