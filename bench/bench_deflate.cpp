/* SPDX-License-Identifier: MIT */
/* Compressing and inflating messages, next to bare zlib on the same work:
 *
 *   deflate/<mode>/<corpus>/<bytes>        fastws_deflate_compress(), one connection
 *   zlib/deflate/<mode>/<corpus>/<bytes>   deflate() with the same settings on a warm stream; for a mode without
 *                                          context deflateReset() before each message
 *   inflate/<mode>/<corpus>/<bytes>        fastws_deflate_decompress()
 *   zlib/inflate/<mode>/<corpus>/<bytes>   inflate() on a warm stream, of messages with their trail
 *
 * Counters: ratio is bytes sent for each byte of the messages, held what a connection keeps between two of them, and
 * allocations those of each message. Both are 0 where nothing is. */
#include <benchmark/benchmark.h>
#include <fastws/deflate.h>

#include <zlib.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "calibrate.h"
#include "payloads.h"

namespace {

constexpr std::size_t kSizes[] = {128, 1024, 4096, 32768};
constexpr std::size_t kTrailLen = 4;
/* The modes are compared with one another, so they compress with the same settings; "default" is takeover with its
 * own. */
struct Mode {
    const char *name;
    fastws_deflate_mode mode;
    std::uint8_t window_bits;
    std::uint8_t memory_level;
};
constexpr Mode kModes[] = {{"takeover", FASTWS_DEFLATE_TAKEOVER, 15, 8},
                           {"tail", FASTWS_DEFLATE_TAIL, 15, 8},
                           {"no_takeover", FASTWS_DEFLATE_NO_TAKEOVER, 15, 8},
                           {"default", FASTWS_DEFLATE_TAKEOVER, 12, 5}};

/* malloc(), counted. */
struct Allocations {
    fastws_allocator allocator;
    std::uint64_t count = 0;

    Allocations() {
        allocator.context = this;
        allocator.allocate = [](void *context, std::size_t size) {
            static_cast<Allocations *>(context)->count++;
            return std::malloc(size);
        };
        allocator.resize = [](void *context, void *ptr, std::size_t, std::size_t size) {
            static_cast<Allocations *>(context)->count++;
            return std::realloc(ptr, size);
        };
        allocator.release = [](void *, void *ptr, std::size_t) { std::free(ptr); };
    }
};

struct Connection {
    Allocations memory;
    fastws_deflate_config config;
    fastws_deflate_params agreed{};
    fastws_deflate_pool *pool = nullptr;
    fastws_deflate *deflate = nullptr;
    fastws_deflate_buffer out{};

    explicit Connection(const Mode &mode) {
        fastws_deflate_config_init(&config, mode.mode);
        config.window_bits = mode.window_bits;
        config.memory_level = mode.memory_level;
        agreed.server_no_context_takeover = mode.mode == FASTWS_DEFLATE_NO_TAKEOVER;
        agreed.client_no_context_takeover = mode.mode == FASTWS_DEFLATE_NO_TAKEOVER;
        out.allocator = &memory.allocator;
        if (fastws_deflate_pool_new(&memory.allocator, 4, &pool) < 0 ||
            fastws_deflate_new(&config, FASTWS_STATE_SERVER, &agreed, pool, &deflate) < 0)
            std::abort();
    }
    ~Connection() {
        fastws_deflate_buffer_free(&out);
        fastws_deflate_free(deflate);
        fastws_deflate_pool_free(pool);
    }

    void compress(const std::string &message) {
        out.len = 0;
        if (fastws_deflate_compress(deflate, message.data(), message.size(), FASTWS_DEFLATE_END, &out) < 0)
            std::abort();
    }
    void decompress(const std::string &wire, std::size_t len) {
        out.len = 0;
        const int result = fastws_deflate_decompress(deflate, wire.data(), wire.size(), 1, &out, nullptr);
        if (result != FASTWS_DEFLATE_DONE || out.len != len) std::abort();
    }
};

void count_messages(benchmark::State &state, const std::vector<std::string> &messages) {
    std::size_t bytes = 0;
    for (const std::string &message : messages) bytes += message.size();
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes / messages.size()));
}

double ratio_of(std::size_t wire_len, const std::vector<std::string> &messages) {
    std::size_t bytes = 0;
    for (const std::string &message : messages) bytes += message.size();
    return static_cast<double>(wire_len) / static_cast<double>(bytes);
}

void deflate_messages(benchmark::State &state, const Mode &mode, const Corpus &corpus, std::size_t len) {
    const std::vector<std::string> messages = make_payloads(corpus, len);
    Connection connection(mode);
    std::size_t wire_len = 0, turn = 0;
    for (const std::string &message : messages) {
        connection.compress(message);
        wire_len += connection.out.len;
    }
    const std::uint64_t before = connection.memory.count;
    for (auto _ : state) {
        connection.compress(messages[turn]);
        benchmark::DoNotOptimize(connection.out.ptr);
        turn = turn + 1 < messages.size() ? turn + 1 : 0;
    }
    count_messages(state, messages);
    state.counters["ratio"] = ratio_of(wire_len, messages);
    state.counters["held"] = static_cast<double>(fastws_deflate_held(connection.deflate));
    state.counters["allocations"] =
        static_cast<double>(connection.memory.count - before) / static_cast<double>(state.iterations());
}

void zlib_deflate(benchmark::State &state, const Mode &mode, const Corpus &corpus, std::size_t len) {
    const std::vector<std::string> messages = make_payloads(corpus, len);
    std::vector<unsigned char> out(2 * len + 1024);
    z_stream stream{};
    if (deflateInit2(&stream, 1, Z_DEFLATED, -mode.window_bits, mode.memory_level, Z_DEFAULT_STRATEGY) != Z_OK)
        std::abort();
    const auto compress = [&](const std::string &message) {
        if (mode.mode == FASTWS_DEFLATE_NO_TAKEOVER) deflateReset(&stream);
        stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(message.data()));
        stream.avail_in = static_cast<uInt>(message.size());
        stream.next_out = out.data();
        stream.avail_out = static_cast<uInt>(out.size());
        deflate(&stream, Z_SYNC_FLUSH);
        return out.size() - stream.avail_out - kTrailLen;
    };
    std::size_t wire_len = 0, turn = 0;
    for (const std::string &message : messages) wire_len += compress(message);
    for (auto _ : state) {
        std::size_t sent = compress(messages[turn]);
        benchmark::DoNotOptimize(sent);
        turn = turn + 1 < messages.size() ? turn + 1 : 0;
    }
    count_messages(state, messages);
    state.counters["ratio"] = ratio_of(wire_len, messages);
    deflateEnd(&stream);
}

/* What a peer of this mode sends, message by message. With context the round can begin again: the first messages then
 * refer to what left the window long ago, as they do not know of it. */
std::vector<std::string> wires_of(const Mode &mode, const std::vector<std::string> &messages) {
    Connection sender(mode);
    std::vector<std::string> wires;
    for (const std::string &message : messages) {
        sender.compress(message);
        wires.emplace_back(reinterpret_cast<const char *>(sender.out.ptr), sender.out.len);
    }
    return wires;
}

void inflate_messages(benchmark::State &state, const Mode &mode, const Corpus &corpus, std::size_t len) {
    const std::vector<std::string> messages = make_payloads(corpus, len);
    const std::vector<std::string> wires = wires_of(mode, messages);
    Connection connection(mode);
    std::size_t turn = 0;
    for (std::size_t i = 0; i < messages.size(); i++) connection.decompress(wires[i], messages[i].size());
    const std::uint64_t before = connection.memory.count;
    for (auto _ : state) {
        connection.decompress(wires[turn], messages[turn].size());
        benchmark::DoNotOptimize(connection.out.ptr);
        turn = turn + 1 < messages.size() ? turn + 1 : 0;
    }
    count_messages(state, messages);
    state.counters["held"] = static_cast<double>(fastws_deflate_held(connection.deflate));
    state.counters["allocations"] =
        static_cast<double>(connection.memory.count - before) / static_cast<double>(state.iterations());
}

void zlib_inflate(benchmark::State &state, const Mode &mode, const Corpus &corpus, std::size_t len) {
    const std::vector<std::string> messages = make_payloads(corpus, len);
    std::vector<std::string> wires = wires_of(mode, messages);
    for (std::string &wire : wires) wire.append("\0\0\xff\xff", kTrailLen);
    std::vector<unsigned char> out(2 * len + 1024);
    z_stream stream{};
    if (inflateInit2(&stream, -15) != Z_OK) std::abort();
    std::size_t turn = 0;
    for (auto _ : state) {
        if (mode.mode == FASTWS_DEFLATE_NO_TAKEOVER) inflateReset(&stream);
        stream.next_in = reinterpret_cast<Bytef *>(&wires[turn][0]);
        stream.avail_in = static_cast<uInt>(wires[turn].size());
        stream.next_out = out.data();
        stream.avail_out = static_cast<uInt>(out.size());
        if (inflate(&stream, Z_SYNC_FLUSH) != Z_OK) std::abort();
        if (out.size() - stream.avail_out != messages[turn].size()) std::abort();
        turn = turn + 1 < messages.size() ? turn + 1 : 0;
    }
    count_messages(state, messages);
    inflateEnd(&stream);
}

void register_mode(const Mode &mode, const Corpus &corpus, std::size_t len) {
    const std::string tail = std::string(mode.name) + "/" + corpus.name + "/" + std::to_string(len);
    benchmark::RegisterBenchmark(("deflate/" + tail).c_str(), deflate_messages, mode, corpus, len);
    if (mode.mode != FASTWS_DEFLATE_TAIL)
        benchmark::RegisterBenchmark(("zlib/deflate/" + tail).c_str(), zlib_deflate, mode, corpus, len);
    benchmark::RegisterBenchmark(("inflate/" + tail).c_str(), inflate_messages, mode, corpus, len);
    benchmark::RegisterBenchmark(("zlib/inflate/" + tail).c_str(), zlib_inflate, mode, corpus, len);
}

} // namespace

int main(int argc, char **argv) {
    register_calibration();
    if (fastws_deflate_is_available()) {
        for (const Corpus &corpus : kCorpora)
            for (std::size_t len : kSizes)
                for (const Mode &mode : kModes) register_mode(mode, corpus, len);
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
