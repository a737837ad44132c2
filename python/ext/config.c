/* SPDX-License-Identifier: MIT */
/* The options of a connection, in one table: what they are called, what they take, and where they go. */
#include "config.h"

#include "args.h"

#define BOTH (CONFIG_CONNECTION | CONFIG_STREAM)
#define ALL (BOTH | CONFIG_ENDPOINT)
#define FIELD(field) offsetof(struct fastws_conn_config, field)

const struct option config_options[OPTION_COUNT] = {
    [OPTION_MAX_SIZE] = {"max_size", OPTION_LIMIT64, ALL, FIELD(limits.max_message)},
    [OPTION_MAX_FRAME_SIZE] = {"max_frame_size", OPTION_LIMIT64, ALL, FIELD(limits.max_frame)},
    [OPTION_MAX_FRAGMENTS] = {"max_fragments", OPTION_LIMIT32, ALL, FIELD(limits.max_fragments)},
    [OPTION_MAX_EMPTY_FRAGMENTS] = {"max_empty_fragments", OPTION_LIMIT32, ALL, FIELD(limits.max_empty_fragments)},
    [OPTION_PING_INTERVAL] = {"ping_interval", OPTION_SECONDS, ALL, FIELD(ping_interval_ms)},
    [OPTION_PING_TIMEOUT] = {"ping_timeout", OPTION_SECONDS, ALL, FIELD(ping_timeout_ms)},
    [OPTION_CLOSE_TIMEOUT] = {"close_timeout", OPTION_SECONDS, ALL, FIELD(close_timeout_ms)},
    [OPTION_CHECK_UTF8] = {"check_utf8", OPTION_YES, BOTH, FIELD(is_utf8_checked)},
    [OPTION_SKIP_HEADER_CHECK] = {"skip_header_check", OPTION_NO, BOTH, FIELD(is_header_checked)},
    [OPTION_AUTO_PONG] = {"auto_pong", OPTION_YES, BOTH, FIELD(is_pong_automatic)},
    [OPTION_AUTO_CLOSE] = {"auto_close", OPTION_YES, BOTH, FIELD(is_close_automatic)},
    [OPTION_WRITE_LIMIT] = {"write_limit", OPTION_QUEUE, BOTH, FIELD(queue_high)},
    [OPTION_FRAGMENT_SIZE] = {"fragment_size", OPTION_LIMIT, CONFIG_CONNECTION, FIELD(fragment_len)},
    [OPTION_OF_DELIVERY] = {"delivery", OPTION_DELIVERY, CONFIG_CONNECTION, FIELD(delivery)},
};

/* ---- Setting ---- */

static int set_limit(PyObject *value, const char *name, void *field, enum option_kind kind) {
    uint64_t max = kind == OPTION_LIMIT64 ? INT64_MAX : kind == OPTION_LIMIT32 ? UINT32_MAX : PY_SSIZE_T_MAX;
    uint64_t limit;
    if (arg_limit(value, name, max, &limit) < 0) return -1;
    switch (kind) {
    case OPTION_LIMIT64: *(uint64_t *)field = limit; break;
    case OPTION_LIMIT32: *(uint32_t *)field = (uint32_t)limit; break;
    default: *(size_t *)field = (size_t)limit; break;
    }
    return 0;
}

static int set_seconds(PyObject *value, const char *name, uint32_t *field) {
    uint64_t ms;
    if (arg_seconds(value, name, 0, UINT32_MAX, &ms) < 0) return -1;
    *field = (uint32_t)ms;
    return 0;
}

static int set_truth(PyObject *value, uint8_t *field, int is_contrary) {
    int is_true = PyObject_IsTrue(value);
    if (is_true < 0) return -1;
    *field = (uint8_t)(is_true ^ is_contrary);
    return 0;
}

/* As websockets has it: one number, or two of which the second may be None. */
static int set_queue(PyObject *value, const char *name, struct fastws_conn_config *config) {
    PyObject *low = NULL;
    uint64_t high_len, low_len;
    if (PyTuple_Check(value)) {
        if (PyTuple_GET_SIZE(value) != 2) {
            PyErr_Format(PyExc_ValueError, "%s must be a number or a tuple of two", name);
            return -1;
        }
        low = PyTuple_GET_ITEM(value, 1);
        value = PyTuple_GET_ITEM(value, 0);
    }
    if (arg_limit(value, name, PY_SSIZE_T_MAX, &high_len) < 0) return -1;
    low_len = high_len / 4;
    if (low && low != Py_None && arg_unsigned(low, "the low mark of write_limit", high_len, &low_len) < 0) return -1;
    config->queue_high = (size_t)high_len;
    config->queue_low = (size_t)low_len;
    return 0;
}

static int set_option(PyObject *value, const struct option *option, struct fastws_conn_config *config) {
    void *field = (char *)config + option->off;
    switch (option->kind) {
    case OPTION_SECONDS: return set_seconds(value, option->name, field);
    case OPTION_YES: return set_truth(value, field, 0);
    case OPTION_NO: return set_truth(value, field, 1);
    case OPTION_QUEUE: return set_queue(value, option->name, config);
    case OPTION_DELIVERY: return arg_delivery(value, field);
    default: return set_limit(value, option->name, field, option->kind);
    }
}

static const struct option *find_option(PyObject *name, unsigned type) {
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &config_options[i];
        if ((option->types & type) && PyUnicode_CompareWithASCIIString(name, option->name) == 0) return option;
    }
    return NULL;
}

PyObject *config_take(PyObject *kwargs, unsigned type, struct fastws_conn_config *config) {
    /* Values may run code of the user, which could change the dict. */
    PyObject *given = kwargs ? PyDict_Copy(kwargs) : PyDict_New();
    PyObject *others = given ? PyDict_New() : NULL;
    PyObject *name, *value;
    Py_ssize_t i = 0;
    while (others && PyDict_Next(given, &i, &name, &value)) {
        const struct option *option = find_option(name, type);
        int result = option ? set_option(value, option, config) : PyDict_SetItem(others, name, value);
        if (result < 0) Py_CLEAR(others);
    }
    Py_XDECREF(given);
    return others;
}

/* ---- Getting ---- */

static PyObject *limit_or_none(uint64_t limit) {
    if (limit == 0) Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(limit);
}

PyObject *config_get(const struct fastws_conn_config *config, const void *closure) {
    const struct option *option = closure;
    const void *field = (const char *)config + option->off;
    switch (option->kind) {
    case OPTION_LIMIT64: return limit_or_none(*(const uint64_t *)field);
    case OPTION_LIMIT32: return limit_or_none(*(const uint32_t *)field);
    case OPTION_SECONDS:
        if (*(const uint32_t *)field == 0) Py_RETURN_NONE;
        return PyFloat_FromDouble(*(const uint32_t *)field / 1000.0);
    case OPTION_YES: return PyBool_FromLong(*(const uint8_t *)field);
    case OPTION_NO: return PyBool_FromLong(!*(const uint8_t *)field);
    case OPTION_QUEUE:
        if (config->queue_high == 0) Py_RETURN_NONE;
        return Py_BuildValue("nn", (Py_ssize_t)config->queue_high, (Py_ssize_t)config->queue_low);
    default: return limit_or_none(*(const size_t *)field);
    }
}
