/* SPDX-License-Identifier: MIT */
/* An event loop with as many clients as a process may have, most of which mean harm: each meets its limit by name, none
 * of the others is disturbed, and nothing is left. The clients are a process of their own. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "loop_server.h"
#include "sampling.h"

enum {
    COUNT = 20000,
    COUNT_FEW = 2000, /* with poll, where each turn asks the system about all of them, and on emulators */
    GOOD = 10,
    KINDS = 6,
    BATCH = 100,
    TURNS_MAX_MS = 300000,
    SLOW_EVERY = 100 /* of so many one never reads: what is sent to it is kept by the system */
};

/* What clients do, by their number. */
enum kind {
    SILENT,      /* says nothing */
    HALF_HEAD,   /* stops inside its request */
    TRICKLES,    /* stops inside a message */
    NEVER_READS, /* and is sent much */
    NEVER_CLOSES,
    RESETS /* inside a message */
};

static enum kind kind_of(size_t i) {
    static const enum kind kinds[] = {TRICKLES, NEVER_CLOSES, RESETS, SILENT, HALF_HEAD};
    return i % SLOW_EVERY == 0 ? NEVER_READS : kinds[i % 5];
}

static int errors_of[KINDS] = {FASTWS_ERR_HANDSHAKE_TIMEOUT, FASTWS_ERR_HANDSHAKE_TIMEOUT, FASTWS_ERR_MESSAGE_TIMEOUT,
                               FASTWS_ERR_SLOW_CONSUMER,     FASTWS_ERR_CLOSE_TIMEOUT,     FASTWS_ERR_IO};

/* ---- The process of the clients ---- */

struct peers {
    pid_t pid;
    int go;     /* a byte has the next step begin */
    int report; /* a byte says that a step is done */
};

static void fail_peer(const char *what) {
    perror(what);
    _exit(1);
}

/* To many addresses of this machine: so many connections to one would leave the system looking for free ports. */
static void peer_connect(int fd, unsigned port, size_t number) {
    enum kind kind = kind_of(number);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char answer[1024];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number % 64));
    if (kind == NEVER_READS) (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail_peer("connect");
    size_t len = kind == SILENT ? 0 : kind == HALF_HEAD ? 10 : strlen(REQUEST);
    if (len > 0 && send(fd, REQUEST, len, MSG_NOSIGNAL) != (ssize_t)len) fail_peer("send");
    if (len == strlen(REQUEST) && recv(fd, answer, sizeof answer, 0) < 12) fail_peer("recv");
}

static void await_byte(int fd) {
    char byte;
    if (read(fd, &byte, 1) != 1) _exit(0); /* the test is over */
}

/* Connects all of them, a batch at a time; then the opened ones do their harm, and all wait for the end. */
static void run_peers(const struct peers *peers, unsigned port, size_t count) {
    int *fds = malloc(count * sizeof *fds);
    /* FIN binary, 4000 bytes, the key, the first of them. */
    static const uint8_t begun[] = {0x82, 0xfe, 0x0f, 0xa0, 1, 2, 3, 4, 'x'};
    for (size_t i = 0; i < count; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (fds[i] < 0) fail_peer("socket");
        peer_connect(fds[i], port, i);
        if (i % BATCH < BATCH - 1 && i + 1 < count) continue;
        if (write(peers->report, "", 1) != 1) _exit(0);
        await_byte(peers->go);
    }
    for (size_t i = 0; i < count; i++) {
        enum kind kind = kind_of(i);
        if (kind != TRICKLES && kind != RESETS) continue;
        (void)!send(fds[i], begun, sizeof begun, MSG_NOSIGNAL);
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        if (kind != RESETS) continue;
        (void)setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fds[i]);
    }
    await_byte(peers->go);
    _exit(0);
}

static void peers_start(struct peers *peers, struct server *server, size_t count) {
    int go[2], report[2];
    unsigned port = fastws_listener_port(server->listener);
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(report), 0);
    *peers = (struct peers){.pid = fork(), .go = go[0], .report = report[1]};
    assert_true(peers->pid >= 0);
    if (peers->pid == 0) {
        alarm(500); /* ends it should the test die */
        close(go[1]);
        close(report[0]);
        close(fastws_loop_fd(server->loop));
        close(fastws_listener_fd(server->listener));
        run_peers(peers, port, count);
    }
    close(go[0]);
    close(report[1]);
    peers->go = go[1];
    peers->report = report[0];
    assert_int_equal(fcntl(peers->report, F_SETFL, O_NONBLOCK), 0);
}

static void peers_end(struct peers *peers) {
    int status;
    close(peers->go);
    close(peers->report);
    assert_int_equal(waitpid(peers->pid, &status, 0), peers->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- The server ---- */

/* How sockets ended, by the number that they were opened or accepted as. */
static size_t ends[KINDS];
static size_t others;

static void count_end(int error, int from) {
    for (int kind = from; kind < KINDS; kind++) {
        if (errors_of[kind] != error) continue;
        ends[kind]++;
        return;
    }
    others++;
}

static void count_close(struct fastws_socket *socket, const struct fastws_event *event) {
    note_close(socket, event);
    if (event->error < 0) count_end(event->error, TRICKLES);
}

static void count_refusal(struct fastws_socket *socket, int error) {
    note_refusal(socket, error);
    count_end(error, SILENT);
}

static struct fastws_socket **opened; /* those that never read or never close */
static size_t opened_count;

/* Which of them a socket is, its peer knows: they are opened in the order of their numbers. */
static size_t next_open;

static void sort_open(struct fastws_socket *socket) {
    note_open(socket);
    if (server_of(socket)->opens <= GOOD) return;
    while (kind_of(next_open) == SILENT || kind_of(next_open) == HALF_HEAD) next_open++;
    enum kind kind = kind_of(next_open++);
    if (kind != NEVER_READS && kind != NEVER_CLOSES) return;
    fastws_socket_set_user(socket, &errors_of[kind]);
    opened[opened_count++] = socket;
}

/* Sends to one kind what it will not read, and to the other a close frame that it will not answer. */
static void provoke(void) {
    enum { LEN = 1 << 20 };
    static uint8_t much[LEN];
    struct fastws_prepared *prepared;
    assert_int_equal(fastws_prepared_new(NULL, FASTWS_OPCODE_BINARY, much, LEN, &prepared), 0);
    for (size_t i = 0; i < opened_count; i++) {
        if (fastws_socket_get_user(opened[i]) == &errors_of[NEVER_CLOSES]) {
            assert_int_equal(fastws_socket_close(opened[i], 1000, "", 0), 0);
            continue;
        }
        int fd = fastws_socket_fd(opened[i]);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){4096}, sizeof(int)), 0);
        assert_int_equal(fastws_socket_send_prepared(opened[i], prepared), 0);
    }
    fastws_prepared_release(prepared);
}

/* As many as fit into the limit of descriptors, which is raised as far as it goes. */
static size_t count_that_fits(size_t wanted) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    (void)!setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    size_t spare = 100;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= wanted + spare) return wanted;
    size_t count = ((size_t)limit.rlim_cur - spare) / BATCH * BATCH;
    printf("SKIPPED %zu sockets: the limit of descriptors is %zu; %zu instead\n", wanted, (size_t)limit.rlim_cur,
           count);
    return count;
}

static void echo_with_all(struct server *server, struct client *good) {
    for (int i = 0; i < GOOD; i++) expect_echo(server, &good[i], "good");
}

/* Has the clients connect, while others are served. */
static void let_in(struct server *server, struct client *good, struct peers *peers, size_t count) {
    size_t reported = 0;
    uint64_t until_ms = clock_ms() + TURNS_MAX_MS;
    while (reported < count) {
        char byte;
        assert_true(clock_ms() < until_ms);
        turn(server, 5);
        ssize_t n = read(peers->report, &byte, 1);
        assert_int_not_equal(n, 0); /* it has died */
        if (n < 0) continue;
        reported = reported + BATCH < count ? reported + BATCH : count;
        UNTIL(server, stats_of(server).accepted == reported + GOOD);
        echo_with_all(server, good);
        assert_int_equal(write(peers->go, "", 1), 1);
    }
}

static void expect_limits(size_t count) {
    size_t expected[KINDS] = {0};
    for (size_t i = 0; i < count; i++) expected[kind_of(i) == HALF_HEAD ? SILENT : kind_of(i)]++;
    for (int kind = 0; kind < KINDS; kind++) assert_int_equal(ends[kind], expected[kind]);
    assert_int_equal(others, 0);
}

/* Every client meets the limit that it deserves. Those that are in time are served all along. */
static void each_meets_its_limit_and_nobody_else_is_disturbed(void **state) {
    int is_poll = *(int *)*state == FASTWS_BACKEND_POLL;
    int is_few = is_poll || sample_step() > 1;
    size_t count = count_that_fits(is_few ? COUNT_FEW : COUNT);
    struct server server;
    struct client good[GOOD];
    struct peers peers;
    memset(ends, 0, sizeof ends);
    others = opened_count = next_open = 0;
    opened = malloc(count * sizeof *opened);
    server_prepare(&server, *(int *)*state);
    server.conn_config.close_timeout_ms = 500;
    server.conn_config.ping_interval_ms = 0;
    server.config.handshake_timeout_ms = 4000;
    server.config.message_timeout_ms = 500;
    server.config.stall_timeout_ms = 500;
    server.config.on_open = sort_open;
    server.config.on_close = count_close;
    server.config.on_refuse = count_refusal;
    assert_int_equal(fastws_loop_new(&server.loop_config, &server.loop), 0);
    assert_int_equal(fastws_loop_listen(server.loop, &server.config, "0.0.0.0", "0", 0, &server.listener), 0);
    for (int i = 0; i < GOOD; i++) client_open(&good[i], &server);
    size_t before = server.memory.live;
    peers_start(&peers, &server, count);
    let_in(&server, good, &peers, count);
    provoke();
    uint64_t until_ms = clock_ms() + TURNS_MAX_MS;
    while (stats_of(&server).sockets > GOOD) {
        assert_true(clock_ms() < until_ms);
        echo_with_all(&server, good);
        turn(&server, 1);
    }
    expect_limits(count);
    assert_int_equal(server.opens - server.closes, GOOD);
    fastws_pool_trim(fastws_loop_get_pool(server.loop));
    if (!is_poll) assert_in_range(server.memory.live, 1, before + 16 * count); /* the heap of deadlines stays */
    peers_end(&peers);
    for (int i = 0; i < GOOD; i++) client_close(&good[i]);
    UNTIL(&server, stats_of(&server).sockets == 0);
    free(opened);
    server_close(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {ON_BOTH(each_meets_its_limit_and_nobody_else_is_disturbed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
