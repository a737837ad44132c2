/* SPDX-License-Identifier: MIT */
/* Measures whole messages through connections in memory:
 *
 *   message_write/<server|client>/<payload>   queued, listed and sent, one at a time: what a send costs but the write
 *   message_echo/<payload>                    a client sends 64, a server reads and answers them, the client reads: what
 *                                             is listed by one is copied into the space of the other, as sockets do
 *   message_echo_single/<payload>             the same, one message at a time
 *   broadcast/<peers>                         a prepared message of 64 bytes queued on each of that many connections
 *
 * The counter allocations says how often memory was asked for, per item. */
#include <benchmark/benchmark.h>
#include <fastws/conn.h>
#include <fastws/header.h>
#include <fastws/prepared.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int piece_cap = 16;
constexpr int event_cap = 64;

/* malloc() that counts. */
struct Memory {
    uint64_t calls = 0;
    fastws_allocator allocator{allocate, resize, release, this};

    static void *allocate(void *context, size_t size) {
        static_cast<Memory *>(context)->calls++;
        return std::malloc(size);
    }
    static void *resize(void *context, void *ptr, size_t, size_t size) {
        static_cast<Memory *>(context)->calls++;
        return std::realloc(ptr, size);
    }
    static void release(void *, void *ptr, size_t) { std::free(ptr); }
};

struct Pool {
    Memory memory;
    fastws_pool *pool;

    Pool() {
        fastws_pool_config config;
        fastws_pool_config_init(&config);
        config.allocator = &memory.allocator;
        if (fastws_pool_new(&config, &pool) < 0) std::abort();
    }
    ~Pool() { fastws_pool_free(pool); }
};

struct Connection {
    fastws_conn_config config;
    fastws_conn *conn;

    Connection(Pool &pool, fastws_role role) {
        fastws_conn_config_init(&config, role);
        config.limits.max_message = 0;
        config.limits.max_frame = 0;
        if (fastws_conn_new(&config, pool.pool, &conn) < 0) std::abort();
    }
    ~Connection() { fastws_conn_free(conn); }
};

/* Counts what was allocated while the loop ran. */
class Allocations {
  public:
    Allocations(benchmark::State &state, std::vector<const Memory *> memories)
        : state_(state), memories_(std::move(memories)), before_(total()) {}
    void report(int64_t items) {
        state_.counters["allocations"] = static_cast<double>(total() - before_) / static_cast<double>(items);
    }

  private:
    uint64_t total() const {
        uint64_t calls = 0;
        for (const Memory *memory : memories_) calls += memory->calls;
        return calls;
    }
    benchmark::State &state_;
    std::vector<const Memory *> memories_;
    uint64_t before_;
};

/* Writes what is pending nowhere. Returns how many bytes. */
inline uint64_t drain(fastws_conn *conn) {
    fastws_iovec pieces[piece_cap];
    uint64_t total = 0;
    do {
        int count = fastws_conn_pending(conn, pieces, piece_cap);
        size_t len = 0;
        for (int i = 0; i < count; i++) len += pieces[i].len;
        benchmark::DoNotOptimize(pieces[0].base);
        if (count <= 0 || fastws_conn_sent(conn, len) < 0) std::abort();
        total += len;
    } while (fastws_conn_pending_len(conn) > 0);
    return total;
}

void message_write(benchmark::State &state, fastws_role role) {
    const auto len = static_cast<size_t>(state.range(0));
    std::vector<uint8_t> payload(len, 'x');
    Pool pool;
    Connection connection(pool, role);
    fastws_conn *conn = connection.conn;
    uint64_t sent = 0;
    if (fastws_conn_send(conn, FASTWS_OPCODE_BINARY, payload.data(), len) < 0) std::abort();
    drain(conn);
    Allocations allocations(state, {&pool.memory});
    for (auto _ : state) {
        if (fastws_conn_send(conn, FASTWS_OPCODE_BINARY, payload.data(), len) < 0) std::abort();
        sent += drain(conn);
    }
    if (sent < static_cast<uint64_t>(state.iterations()) * len) state.SkipWithError("a message was lost");
    allocations.report(static_cast<int64_t>(state.iterations()));
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(len));
}

/* Brings what one has pending to the other, as a socket would. */
void carry(fastws_conn *from, fastws_conn *to) {
    fastws_iovec pieces[piece_cap];
    int count = fastws_conn_pending(from, pieces, piece_cap);
    size_t sent = 0;
    for (int i = 0; i < count; i++) {
        const auto *src = static_cast<const uint8_t *>(pieces[i].base);
        void *space;
        size_t cap;
        if (fastws_conn_space(to, &space, &cap) < 0) std::abort();
        size_t len = pieces[i].len < cap ? pieces[i].len : cap;
        std::memcpy(space, src, len);
        if (fastws_conn_filled(to, len) < 0) std::abort();
        sent += len;
        if (len < pieces[i].len) break;
    }
    if (fastws_conn_sent(from, sent) < 0) std::abort();
}

/* Carries until nothing is pending, and hands every message that comes to take. */
template <typename Take> void exchange(fastws_conn *from, fastws_conn *to, Take take) {
    fastws_event events[event_cap];
    do {
        carry(from, to);
        int n;
        while ((n = fastws_conn_next(to, events, event_cap)) > 0) {
            for (int i = 0; i < n; i++) take(events[i]);
        }
        if (n < 0) std::abort();
    } while (fastws_conn_pending_len(from) > 0);
}

/* count messages are on their way at once, as when one receive brings many, and one write answers them. */
void echo(benchmark::State &state, int count) {
    const auto len = static_cast<size_t>(state.range(0));
    std::vector<uint8_t> payload(len, 'x');
    Pool client_pool, server_pool;
    Connection client(client_pool, FASTWS_ROLE_CLIENT), server(server_pool, FASTWS_ROLE_SERVER);
    uint64_t seen = 0;
    auto round = [&] {
        for (int i = 0; i < count; i++) {
            if (fastws_conn_send(client.conn, FASTWS_OPCODE_TEXT, payload.data(), len) < 0) std::abort();
        }
        exchange(client.conn, server.conn, [&](const fastws_event &event) {
            if (fastws_conn_send(server.conn, event.opcode, event.ptr, static_cast<size_t>(event.len)) < 0)
                std::abort();
        });
        exchange(server.conn, client.conn, [&](const fastws_event &event) { seen += event.len; });
    };
    round();
    Allocations allocations(state, {&client_pool.memory, &server_pool.memory});
    for (auto _ : state) round();
    const auto items = static_cast<int64_t>(state.iterations()) * count;
    if (seen != static_cast<uint64_t>(items + count) * len) state.SkipWithError("a message was lost");
    allocations.report(items);
    state.SetItemsProcessed(items);
    state.SetBytesProcessed(items * static_cast<int64_t>(2 * len));
}

void message_echo(benchmark::State &state) { echo(state, 64); }

void message_echo_single(benchmark::State &state) { echo(state, 1); }

/* Draining is left out of what is timed: it is what message_write measures. */
void broadcast(benchmark::State &state) {
    const auto peers = static_cast<size_t>(state.range(0));
    const std::string payload(64, 'x');
    Pool pool;
    std::vector<std::unique_ptr<Connection>> connections;
    for (size_t i = 0; i < peers; i++) connections.push_back(std::make_unique<Connection>(pool, FASTWS_ROLE_SERVER));
    fastws_prepared *prepared;
    if (fastws_prepared_new(&pool.memory.allocator, FASTWS_OPCODE_TEXT, payload.data(), payload.size(), &prepared) < 0)
        std::abort();
    Allocations allocations(state, {&pool.memory});
    for (auto _ : state) {
        for (auto &connection : connections) {
            if (fastws_conn_send_prepared(connection->conn, prepared) < 0) std::abort();
        }
        state.PauseTiming();
        for (auto &connection : connections) {
            if (drain(connection->conn) != payload.size() + 2) state.SkipWithError("a message was lost");
        }
        state.ResumeTiming();
    }
    fastws_prepared_release(prepared);
    const auto items = static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(peers);
    allocations.report(items);
    state.SetItemsProcessed(items);
}

void register_writes(const char *name, fastws_role role) {
    for (int64_t len : {0, 16, 64, 125, 1024, 4095, 65536, 16777216}) {
        benchmark::RegisterBenchmark(name, message_write, role)->Arg(len);
    }
}

}  // namespace

int main(int argc, char **argv) {
    register_writes("message_write/server", FASTWS_ROLE_SERVER);
    register_writes("message_write/client", FASTWS_ROLE_CLIENT);
    for (int64_t len : {0, 64, 125, 1024}) benchmark::RegisterBenchmark("message_echo", message_echo)->Arg(len);
    for (int64_t len : {0, 64, 125, 1024}) {
        benchmark::RegisterBenchmark("message_echo_single", message_echo_single)->Arg(len);
    }
    for (int64_t peers : {1, 1000, 10000}) benchmark::RegisterBenchmark("broadcast", broadcast)->Arg(peers);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
