/* SPDX-License-Identifier: MIT */
/* The parameters of permessage-deflate, and how both ends agree on them. RFC 7692 section 7.1. */
#include "deflate.h"

#include <fastws/error.h>

#include "args.h"
#include "errors.h"
#include "upgrade.h"

enum { PARAM_COUNT = 4 };

static const char *const names[PARAM_COUNT] = {"server_no_context_takeover", "client_no_context_takeover",
                                               "server_max_window_bits", "client_max_window_bits"};

/* ---- From and to Python ---- */

static PyObject *bits_object(uint8_t bits) {
    if (bits == 0) Py_RETURN_NONE;
    return bits == FASTWS_DEFLATE_BITS_ANY ? Py_NewRef(Py_True) : PyLong_FromLong(bits);
}

PyObject *deflate_params_new(struct state *state, const struct fastws_deflate_params *params) {
    return PyObject_CallFunction(state->parameters_class, "NNNN", PyBool_FromLong(params->server_no_context_takeover),
                                 PyBool_FromLong(params->client_no_context_takeover),
                                 bits_object(params->server_max_window_bits),
                                 bits_object(params->client_max_window_bits));
}

static int take_flag(PyObject *value, uint8_t *flag) {
    int is_true = PyObject_IsTrue(value);
    *flag = is_true > 0;
    return is_true < 0 ? -1 : 0;
}

/* None, a number of bits, or True where that may stand: without a value. */
static int take_bits(PyObject *value, const char *name, int is_any_ok, uint8_t *bits) {
    uint64_t number = 0;
    *bits = 0;
    if (value == Py_None) return 0;
    if (value == Py_True && is_any_ok) {
        *bits = FASTWS_DEFLATE_BITS_ANY;
        return 0;
    }
    if (!PyBool_Check(value) && arg_unsigned(value, name, UINT64_MAX, &number) < 0) return -1;
    if (number >= FASTWS_DEFLATE_BITS_MIN && number <= FASTWS_DEFLATE_BITS_MAX) {
        *bits = (uint8_t)number;
        return 0;
    }
    const char *choices = is_any_ok ? "8 to 15, True or None" : "8 to 15, or None";
    PyErr_Format(PyExc_ValueError, "%s must be %s", name, choices);
    return -1;
}

static int take(struct state *state, PyObject *object, int is_offer, struct fastws_deflate_params *out) {
    int is_right = PyObject_IsInstance(object, state->parameters_class);
    if (is_right == 0) {
        PyErr_Format(PyExc_TypeError, "parameters must be fastws.deflate.Parameters, not %.200s",
                     Py_TYPE(object)->tp_name);
    }
    if (is_right <= 0) return -1;
    PyObject *const *items = &PyTuple_GET_ITEM(object, 0);
    *out = (struct fastws_deflate_params){0};
    if (take_flag(items[0], &out->server_no_context_takeover) < 0) return -1;
    if (take_flag(items[1], &out->client_no_context_takeover) < 0) return -1;
    if (take_bits(items[2], names[2], 0, &out->server_max_window_bits) < 0) return -1;
    return take_bits(items[3], names[3], is_offer, &out->client_max_window_bits);
}

int deflate_params_take(struct state *state, PyObject *object, struct fastws_deflate_params *out) {
    return take(state, object, 1, out);
}

int deflate_agreed_take(struct state *state, PyObject *object, struct fastws_deflate_params *out) {
    return take(state, object, 0, out);
}

/* ---- Text ---- */

static PyObject *parse_parameters(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    struct state *state = get_state(module);
    struct fastws_deflate_params params;
    if (arg_count("parse_parameters", count, 2, 2) < 0) return NULL;
    int is_answer = PyObject_IsTrue(args[1]);
    PyObject *text = is_answer < 0 ? NULL : upgrade_encode(args[0], "text");
    if (!text) return NULL;
    int error = fastws_deflate_params_parse(&params, upgrade_slice(text), is_answer);
    Py_DECREF(text);
    return error < 0 ? error_raise(state, error) : deflate_params_new(state, &params);
}

static PyObject *format_parameters(PyObject *module, PyObject *object) {
    struct fastws_deflate_params params;
    char text[FASTWS_DEFLATE_PARAMS_MAX];
    if (deflate_params_take(get_state(module), object, &params) < 0) return NULL;
    int len = fastws_deflate_params_write(text, sizeof text, &params);
    if (len < 0) return error_raise_value(len);
    return PyUnicode_FromStringAndSize(text, len);
}

/* ---- Agreement ---- */

/* The Deflate of a first argument, which has to be one. */
static struct deflate *take_deflate(struct state *state, PyObject *object) {
    struct deflate *deflate;
    if (deflate_take(state, object, &deflate) < 0) return NULL;
    if (!deflate) PyErr_SetString(PyExc_TypeError, "deflate must be 'deflate' or a Deflate, not None");
    return deflate;
}

/* Returns a Deflate with what was agreed on, or None. */
static PyObject *agreement(struct state *state, const struct deflate *deflate, int result,
                           const struct fastws_deflate_params *agreed) {
    if (result < 0) return error_raise(state, result);
    return result == 0 ? Py_NewRef(Py_None) : deflate_with(deflate, agreed);
}

static PyObject *negotiate(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    struct state *state = get_state(module);
    struct fastws_deflate_params agreed;
    if (arg_count("negotiate", count, 2, 2) < 0) return NULL;
    PyObject *offers = upgrade_encode(args[1], "offers");
    struct deflate *deflate = offers ? take_deflate(state, args[0]) : NULL;
    PyObject *result = NULL;
    if (deflate) {
        int status = fastws_deflate_accept(&agreed, &deflate->config, upgrade_slice(offers));
        result = agreement(state, deflate, status, &agreed);
    }
    Py_XDECREF(offers);
    Py_XDECREF((PyObject *)deflate);
    return result;
}

static PyObject *offer(PyObject *module, PyObject *object) {
    struct state *state = get_state(module);
    struct fastws_deflate_params params;
    struct deflate *deflate = take_deflate(state, object);
    if (!deflate) return NULL;
    int error = fastws_deflate_offer(&params, &deflate->config);
    Py_DECREF((PyObject *)deflate);
    return error < 0 ? error_raise(state, error) : deflate_params_new(state, &params);
}

enum { OFFERS_MAX = 64 };

/* Returns how many, or -1 with an exception. */
static int take_offers(struct state *state, PyObject *object, struct fastws_deflate_params *offers) {
    PyObject *tuple = PySequence_Tuple(object);
    if (!tuple) return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);
    int result = 0;
    if (count > OFFERS_MAX) {
        PyErr_Format(PyExc_ValueError, "offers must be at most %d", OFFERS_MAX);
        result = -1;
    }
    for (Py_ssize_t i = 0; result == 0 && i < count; i++) {
        result = deflate_params_take(state, PyTuple_GET_ITEM(tuple, i), &offers[i]);
    }
    Py_DECREF(tuple);
    return result < 0 ? -1 : (int)count;
}

static PyObject *confirm(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    struct state *state = get_state(module);
    struct fastws_deflate_params offers[OFFERS_MAX], agreed;
    if (arg_count("confirm", count, 3, 3) < 0) return NULL;
    int offer_count = take_offers(state, args[1], offers);
    PyObject *answer = offer_count < 0 ? NULL : upgrade_encode(args[2], "answer");
    struct deflate *deflate = answer ? take_deflate(state, args[0]) : NULL;
    PyObject *result = NULL;
    if (deflate) {
        int status = fastws_deflate_confirm(&agreed, offers, offer_count, upgrade_slice(answer));
        result = agreement(state, deflate, status, &agreed);
    }
    Py_XDECREF(answer);
    Py_XDECREF((PyObject *)deflate);
    return result;
}

static PyObject *is_available(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    return PyBool_FromLong(fastws_deflate_is_available());
}

/* Functions that fastws/deflate.py dresses up: their arguments are by position. */
PyMethodDef deflate_functions[] = {
    {"deflate_parse", (PyCFunction)(void (*)(void))parse_parameters, METH_FASTCALL, NULL},
    {"deflate_format", format_parameters, METH_O, NULL},
    {"deflate_negotiate", (PyCFunction)(void (*)(void))negotiate, METH_FASTCALL, NULL},
    {"deflate_offer", offer, METH_O, NULL},
    {"deflate_confirm", (PyCFunction)(void (*)(void))confirm, METH_FASTCALL, NULL},
    {"deflate_is_available", is_available, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
