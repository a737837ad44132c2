/* SPDX-License-Identifier: MIT */
/* Looks hosts up within a deadline, which getaddrinfo() knows nothing of: on a thread that can be left to itself. */
#define _POSIX_C_SOURCE 200809L
#include "connect.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <fastws/error.h>

#include "io.h"

/* A question, which belongs to the thread and to who asked, until both have let go of it. */
struct fws_question {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    void (*notify)(void *context); /* NULL: who asked waits */
    void *context;
    int is_answered;
    int is_left; /* who asked is gone */
    int error;   /* of getaddrinfo() */
    struct addrinfo *list;
    char port[8];
    char host[FWS_HOST_CAP];
};

static int look_up(const char *host, const char *port, int flags, struct addrinfo **out) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    *out = NULL;
    int error = getaddrinfo(host, port, &hints, out);
    return error == 0 && *out == NULL ? EAI_NONAME : error;
}

/* ---- The question ---- */

static struct fws_question *make_question(const char *host, const char *port) {
    struct fws_question *question = calloc(1, sizeof *question);
    pthread_condattr_t attributes;
    if (question == NULL) return NULL;
    snprintf(question->host, sizeof question->host, "%s", host);
    snprintf(question->port, sizeof question->port, "%s", port);
    if (pthread_condattr_init(&attributes) != 0) {
        free(question);
        return NULL;
    }
    int failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
                 pthread_cond_init(&question->answered, &attributes) != 0;
    pthread_condattr_destroy(&attributes);
    if (!failed && pthread_mutex_init(&question->lock, NULL) == 0) return question;
    if (!failed) pthread_cond_destroy(&question->answered);
    free(question);
    return NULL;
}

static void free_question(struct fws_question *question) {
    if (question->list != NULL) freeaddrinfo(question->list);
    pthread_mutex_destroy(&question->lock);
    pthread_cond_destroy(&question->answered);
    free(question);
}

/* The thread: finds the answer, and frees it if nobody waits for it any more. */
static void *answer(void *argument) {
    struct fws_question *question = argument;
    struct addrinfo *list;
    int error = look_up(question->host, question->port, 0, &list);
    pthread_mutex_lock(&question->lock);
    question->error = error;
    question->list = list;
    question->is_answered = 1;
    pthread_cond_signal(&question->answered);
    if (question->notify != NULL && !question->is_left) question->notify(question->context);
    int is_left = question->is_left;
    pthread_mutex_unlock(&question->lock);
    if (is_left) free_question(question);
    return NULL;
}

/* Starts the thread, which no signal of the program is to disturb. Returns 1, or 0 if it cannot be started. */
static int start(struct fws_question *question) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) return 0;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, answer, question);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

static void wait_answer(struct fws_question *question, uint64_t until_ms) {
    if (until_ms == UINT64_MAX) {
        pthread_cond_wait(&question->answered, &question->lock);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000u), .tv_nsec = (long)(until_ms % 1000u) * 1000000};
    pthread_cond_timedwait(&question->answered, &question->lock, &until);
}

/* Waits for the answer. Returns 0 with the answer taken out, or fws_limit_check(): then the thread has the question. */
static int await(struct fws_question *question, const struct fws_limit *limit, int *error, struct addrinfo **list) {
    int result = 0;
    pthread_mutex_lock(&question->lock);
    while (!question->is_answered && (result = fws_limit_check(limit)) == 0)
        wait_answer(question, fws_limit_slice_ms(limit));
    int is_answered = question->is_answered;
    question->is_left = !is_answered;
    *error = question->error;
    *list = question->list;
    question->list = is_answered ? NULL : question->list;
    pthread_mutex_unlock(&question->lock);
    return is_answered ? 0 : result;
}

/* ---- Resolving ---- */

int fws_question_ask(const char *host, uint16_t port, void (*notify)(void *context), void *context,
                     struct fws_question **out) {
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    struct fws_question *question = make_question(host, port_text);
    if (question == NULL) return FASTWS_ERR_NOMEM;
    question->notify = notify;
    question->context = context;
    if (!start(question)) {
        free_question(question);
        return FASTWS_ERR_NOMEM;
    }
    *out = question;
    return 0;
}

int fws_question_take(struct fws_question *question, struct addrinfo **out) {
    pthread_mutex_lock(&question->lock); /* its thread may still be about to leave */
    int error = question->error;
    *out = question->list;
    question->list = NULL;
    pthread_mutex_unlock(&question->lock);
    free_question(question);
    return error;
}

int fws_question_leave(struct fws_question *question) {
    pthread_mutex_lock(&question->lock);
    int is_answered = question->is_answered;
    question->is_left = !is_answered;
    pthread_mutex_unlock(&question->lock);
    if (is_answered) free_question(question);
    return !is_answered;
}

int fws_connect_look_up_number(const char *host, uint16_t port, struct addrinfo **out) {
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    return look_up(host, port_text, AI_NUMERICHOST, out) == 0;
}

static int conclude(struct fws_dialing *dialing, int error, struct addrinfo *list, struct addrinfo **out) {
    if (error == EAI_MEMORY) return fws_dialing_fail(dialing, FASTWS_ERR_NOMEM, gai_strerror(error));
    if (error != 0) return fws_dialing_fail(dialing, FASTWS_ERR_DIAL_RESOLVE, gai_strerror(error));
    *out = list;
    return 0;
}

int fws_connect_resolve(struct fws_dialing *dialing, const char *host, uint16_t port, struct addrinfo **out) {
    dialing->report->step = FASTWS_DIAL_RESOLVE;
    struct addrinfo *list;
    /* An address asks nobody, and needs no thread. */
    if (fws_connect_look_up_number(host, port, &list)) return conclude(dialing, 0, list, out);
    struct fws_question *question;
    if (fws_question_ask(host, port, NULL, NULL, &question) < 0)
        return fws_dialing_fail(dialing, FASTWS_ERR_NOMEM, "no memory, or no thread, to look the host up");
    int error;
    TRY(await(question, &dialing->limit, &error, &list));
    free_question(question);
    return conclude(dialing, error, list, out);
}
