/* SPDX-License-Identifier: MIT */
/* The client half of the opening handshake in memory: address, key and request, then the answer of a server. Items are
 * handshakes; the counter `allocations` has to stay 0. */
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fastws/dial.h>
#include <fastws/handshake.h>

namespace {

const char address[] = "ws://ws.example.io/chat/42";

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

/* The same nonce each time, so that one answer serves all: the system call for another is not what is measured. */
int fill(void *, void *dst, std::size_t len) {
    std::memset(dst, 'n', len);
    return 0;
}

/* What a server answers to that nonce. */
std::string make_answer() {
    char accept[FASTWS_ACCEPT_LEN + 1];
    if (fastws_accept_key(accept, "bm5ubm5ubm5ubm5ubm5ubg==", FASTWS_KEY_LEN) != 0) std::abort();
    return std::string("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: ") +
           accept + "\r\n\r\n";
}

void dial(benchmark::State &state) {
    Counting counting;
    const fastws_random random{fill, nullptr};
    fastws_dial_config config;
    fastws_dial_config_init(&config);
    config.random = &random;
    const std::string answer = make_answer();
    std::vector<std::max_align_t> memory(fastws_dial_sizeof() / sizeof(std::max_align_t) + 1);
    auto *object = reinterpret_cast<fastws_dialer *>(memory.data());
    for (auto _ : state) {
        fastws_url url;
        if (fastws_url_parse(&url, address, sizeof address - 1) != 0) std::abort();
        if (fastws_dial_init(object, &config, &url, &counting.allocator) != 0) std::abort();
        const void *request = nullptr;
        std::size_t request_len = 0, used = 0;
        fastws_dial_request(object, &request, &request_len);
        benchmark::DoNotOptimize(request);
        benchmark::ClobberMemory();
        if (fastws_dial_feed(object, answer.data(), answer.size(), &used) != 1) std::abort();
        if (used != answer.size()) std::abort();
        fastws_dial_free(object);
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["allocations"] = static_cast<double>(counting.allocations);
}

} // namespace

int main(int argc, char **argv) {
    benchmark::RegisterBenchmark("dial/memory", dial);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return EXIT_SUCCESS;
}
