/* SPDX-License-Identifier: MIT */
/* Header values for Python: tokens, options with parameters, cookies, and the items of any other. RFC 9110 5.6. */
#include "http.h"

#include <fastws/cookies.h>
#include <fastws/error.h>
#include <fastws/http_lexer.h>
#include <fastws/options.h>

#include "args.h"
#include "errors.h"

/* ---- Values, and what they are read into ---- */

/* The bytes of a value: str as Latin-1, or bytes. A new reference. */
static PyObject *encode(PyObject *object, const char *what) {
    if (PyUnicode_Check(object)) return PyUnicode_AsLatin1String(object);
    if (PyBytes_Check(object)) return Py_NewRef(object);
    return PyErr_Format(PyExc_TypeError, "%s must be str or bytes, not %.200s", what, Py_TYPE(object)->tp_name);
}

static struct fastws_slice slice_of(PyObject *bytes) {
    return (struct fastws_slice){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

static PyObject *raise_header(struct state *state, int error) {
    PyObject *type = state->exceptions[EXC_INVALID_HEADER];
    PyObject *exception = error_new_as(type, error, fastws_error_http_status(error), -1);
    if (!exception) return NULL;
    PyErr_SetObject(type, exception);
    Py_DECREF(exception);
    return NULL;
}

/* Steals item. */
static int append(PyObject *list, PyObject *item) {
    int result = item ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return result;
}

/* Takes an item out of a value: 1 with *item (a new reference, NULL with an exception), 0 at the end, or < 0. */
typedef int item_taker(struct state *state, struct fastws_slice *rest, unsigned flags, PyObject **item);

static PyObject *collect(struct state *state, PyObject *value, unsigned flags, item_taker *take) {
    PyObject *bytes = encode(value, "value");
    PyObject *list = bytes ? PyList_New(0) : NULL;
    PyObject *item, *tuple = NULL;
    int result = list ? 1 : 0;
    struct fastws_slice rest = bytes ? slice_of(bytes) : (struct fastws_slice){NULL, 0};
    while (result > 0) {
        result = take(state, &rest, flags, &item);
        if (result > 0 && append(list, item) < 0) break;
    }
    if (result < 0) raise_header(state, result);
    if (list && !PyErr_Occurred()) tuple = PyList_AsTuple(list);
    Py_XDECREF(list);
    Py_XDECREF(bytes);
    return tuple;
}

/* ---- Tokens ---- */

static int take_token(struct state *Py_UNUSED(state), struct fastws_slice *rest, unsigned Py_UNUSED(flags),
                      PyObject **item) {
    struct fastws_slice token;
    int result = fastws_http_next_token(&token, rest);
    if (result > 0) *item = http_text(token);
    return result;
}

static PyObject *parse_tokens(PyObject *module, PyObject *value) {
    return collect(get_state(module), value, 0, take_token);
}

/* ---- Options ---- */

static PyObject *parameter_value(const struct fastws_option_parameter *parameter) {
    if (!parameter->has_value) return Py_NewRef(Py_None);
    if (!parameter->has_escapes) return http_text(parameter->value);
    char *text = PyMem_Malloc(parameter->value.len);
    if (!text) return PyErr_NoMemory();
    int len = fastws_option_unescape(text, parameter->value.len, parameter);
    PyObject *value = len < 0 ? error_raise_value(len) : http_text((struct fastws_slice){text, (size_t)len});
    PyMem_Free(text);
    return value;
}

static PyObject *parameters_of(const struct fastws_option *option) {
    struct fastws_slice rest = option->parameters;
    struct fastws_option_parameter parameter;
    PyObject *list = PyList_New(0);
    int result = list ? 0 : -1;
    while (result == 0 && fastws_option_next_parameter(&parameter, &rest) > 0) {
        result = append(list, Py_BuildValue("(NN)", http_text(parameter.name), parameter_value(&parameter)));
    }
    PyObject *tuple = result == 0 ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    return tuple;
}

static int take_option(struct state *state, struct fastws_slice *rest, unsigned Py_UNUSED(flags), PyObject **item) {
    struct fastws_option option;
    int result = fastws_option_next(&option, rest);
    if (result > 0) {
        *item = PyObject_CallFunction(state->option_class, "NN", http_text(option.name), parameters_of(&option));
    }
    return result;
}

static PyObject *parse_options(PyObject *module, PyObject *value) {
    return collect(get_state(module), value, 0, take_option);
}

/* One option to write, and the objects that hold its bytes. */
struct writable {
    PyObject *owners; /* list of bytes */
    struct fastws_slice name;
    struct fastws_option_parameter *parameters;
    size_t count;
};

static int own(struct writable *option, PyObject *object, const char *what, struct fastws_slice *slice) {
    PyObject *bytes = encode(object, what);
    if (!bytes) return -1;
    *slice = slice_of(bytes);
    return append(option->owners, bytes);
}

static int take_parameter(struct writable *option, PyObject *pair) {
    struct fastws_option_parameter *parameter = &option->parameters[option->count];
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "a parameter must be a tuple (name, value)");
        return -1;
    }
    PyObject *value = PyTuple_GET_ITEM(pair, 1);
    parameter->has_value = value != Py_None;
    if (own(option, PyTuple_GET_ITEM(pair, 0), "parameter name", &parameter->name) < 0) return -1;
    if (parameter->has_value && own(option, value, "parameter value", &parameter->value) < 0) return -1;
    option->count++;
    return 0;
}

static int take_writable(struct writable *option, PyObject *name, PyObject *parameters) {
    if (!PyTuple_Check(parameters)) {
        PyErr_SetString(PyExc_TypeError, "parameters must be a tuple");
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(parameters);
    option->owners = PyList_New(0);
    option->parameters = PyMem_Calloc((size_t)count + 1, sizeof *option->parameters);
    if (!option->owners) return -1;
    if (!option->parameters) {
        PyErr_NoMemory();
        return -1;
    }
    if (own(option, name, "option name", &option->name) < 0) return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (take_parameter(option, PyTuple_GET_ITEM(parameters, i)) < 0) return -1;
    }
    return 0;
}

/* Writes twice: to measure, and into memory of that size. */
static PyObject *write_option(const struct writable *option) {
    struct fastws_http_text text = {NULL, 0, 0};
    int error = fastws_option_write(&text, option->name, option->parameters, option->count);
    if (error < 0 && error != FASTWS_ERR_BUFFER_SIZE) return error_raise_value(error);
    char *memory = PyMem_Malloc(text.len);
    if (!memory) return PyErr_NoMemory();
    text = (struct fastws_http_text){memory, text.len, 0};
    error = fastws_option_write(&text, option->name, option->parameters, option->count);
    PyObject *result = error < 0 ? error_raise_value(error) : http_text((struct fastws_slice){memory, text.len});
    PyMem_Free(memory);
    return result;
}

static PyObject *format_option(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count) {
    struct writable option = {.count = 0};
    if (arg_count("format_option", count, 2, 2) < 0) return NULL;
    PyObject *result = take_writable(&option, args[0], args[1]) < 0 ? NULL : write_option(&option);
    Py_XDECREF(option.owners);
    PyMem_Free(option.parameters);
    return result;
}

/* ---- Cookies ---- */

static int take_cookie(struct state *Py_UNUSED(state), struct fastws_slice *rest, unsigned flags, PyObject **item) {
    struct fastws_cookie cookie;
    int result = fastws_cookie_next(&cookie, rest, flags);
    if (result > 0) *item = http_pair(cookie.name, cookie.value);
    return result;
}

static PyObject *parse_cookies(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"value", "strict", "stop", "any_name", "any_value", NULL};
    PyObject *value;
    int strict = 0, stop = 0, any_name = 0, any_value = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$pppp:parse_cookies", names, &value, &strict, &stop, &any_name,
                                     &any_value)) {
        return NULL;
    }
    unsigned flags = (strict ? FASTWS_COOKIE_STRICT : 0) | (stop ? FASTWS_COOKIE_STOP : 0) |
                     (any_name ? FASTWS_COOKIE_ANY_NAME : 0) | (any_value ? FASTWS_COOKIE_ANY_VALUE : 0);
    return collect(get_state(module), value, flags, take_cookie);
}

static PyObject *write_cookie(struct fastws_slice name, struct fastws_slice value) {
    struct fastws_http_text text = {NULL, 0, 0};
    int error = fastws_cookie_write(&text, name, value);
    if (error < 0 && error != FASTWS_ERR_BUFFER_SIZE) return error_raise_value(error);
    PyObject *result = PyUnicode_New((Py_ssize_t)text.len, 127); /* what may be written is ASCII */
    if (!result) return NULL;
    text = (struct fastws_http_text){(char *)PyUnicode_1BYTE_DATA(result), text.len, 0};
    error = fastws_cookie_write(&text, name, value);
    if (error < 0) Py_CLEAR(result);
    return result ? result : error_raise_value(error);
}

static PyObject *format_cookie(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count) {
    if (arg_count("format_cookie", count, 2, 2) < 0) return NULL;
    PyObject *name = encode(args[0], "cookie name");
    PyObject *value = name ? encode(args[1], "cookie value") : NULL;
    PyObject *result = value ? write_cookie(slice_of(name), slice_of(value)) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(value);
    return result;
}

/* ---- Other values ---- */

static const char *const kinds[] = {
    [FASTWS_HTTP_ITEM_TOKEN] = "token",     [FASTWS_HTTP_ITEM_SEPARATOR] = "separator",
    [FASTWS_HTTP_ITEM_STRING] = "string",   [FASTWS_HTTP_ITEM_COMMENT] = "comment",
    [FASTWS_HTTP_ITEM_OCTET] = "octet",
};

static PyObject *item_text(const struct fastws_http_item *item) {
    if (!item->has_escapes) return http_text(item->text);
    char *text = PyMem_Malloc(item->text.len);
    if (!text) return PyErr_NoMemory();
    int len = fastws_http_unescape(text, item->text.len, item->text);
    PyObject *result = len < 0 ? error_raise_value(len) : http_text((struct fastws_slice){text, (size_t)len});
    PyMem_Free(text);
    return result;
}

static int take_item(struct state *Py_UNUSED(state), struct fastws_slice *rest, unsigned Py_UNUSED(flags),
                     PyObject **item) {
    struct fastws_http_item found;
    int result = fastws_http_next_item(&found, rest);
    if (result > 0) *item = Py_BuildValue("(sN)", kinds[found.kind], item_text(&found));
    return result;
}

static PyObject *parse_items(PyObject *module, PyObject *value) {
    return collect(get_state(module), value, 0, take_item);
}

static PyObject *canonical_name(PyObject *Py_UNUSED(module), PyObject *name) {
    PyObject *bytes = encode(name, "name");
    if (!bytes) return NULL;
    struct fastws_slice slice = slice_of(bytes);
    char *text = PyMem_Malloc(slice.len);
    PyObject *result = NULL;
    if (text) {
        fastws_http_canonical(text, slice);
        result = http_text((struct fastws_slice){text, slice.len});
    } else {
        PyErr_NoMemory();
    }
    PyMem_Free(text);
    Py_DECREF(bytes);
    return result;
}

static PyObject *test_text(PyObject *text, int (*test)(struct fastws_slice)) {
    PyObject *bytes = encode(text, "text");
    if (!bytes) return NULL;
    int result = test(slice_of(bytes));
    Py_DECREF(bytes);
    return PyBool_FromLong(result);
}

static PyObject *is_token(PyObject *Py_UNUSED(module), PyObject *text) {
    return test_text(text, fastws_http_is_token);
}

static PyObject *is_header_value(PyObject *Py_UNUSED(module), PyObject *text) {
    return test_text(text, fastws_http_is_value);
}

#define VALUE_ERRORS                                                                                                   \
    "Raises:\n"                                                                                                        \
    "    InvalidHeader: the value is malformed."

PyMethodDef http_value_methods[] = {
    {"parse_tokens", parse_tokens, METH_O,
     "parse_tokens($module, value, /)\n--\n\n"
     "Reads a list of tokens, such as the value of Connection: a tuple of str. RFC 9110 5.6.1.\n\n" VALUE_ERRORS},
    {"parse_options", parse_options, METH_O,
     "parse_options($module, value, /)\n--\n\n"
     "Reads a list of options with parameters, such as the value of Sec-WebSocket-Extensions: a tuple of Option.\n\n"
     "RFC 9110 5.6.6, RFC 6455 9.1. Quotes and escapes of values are resolved.\n\n" VALUE_ERRORS},
    {"format_option", (PyCFunction)(void (*)(void))format_option, METH_FASTCALL,
     "format_option($module, name, parameters, /)\n--\n\n"
     "Writes one option: see fastws.http.format_options()."},
    {"parse_cookies", (PyCFunction)(void (*)(void))parse_cookies, METH_VARARGS | METH_KEYWORDS,
     "parse_cookies($module, value, *, strict=False, stop=False, any_name=False, any_value=False)\n--\n\n"
     "Reads the value of a Cookie header: a tuple of pairs of name and value. RFC 6265.\n\n"
     "Without options it never fails: malformed pairs are passed over.\n\n"
     "Args:\n"
     "    strict: RFC 6265 4.2.1 as it stands; a wrong separator is an error.\n"
     "    stop: a malformed pair is an error.\n"
     "    any_name, any_value: any bytes will do as name, as value.\n\n" VALUE_ERRORS},
    {"format_cookie", (PyCFunction)(void (*)(void))format_cookie, METH_FASTCALL,
     "format_cookie($module, name, value, /)\n--\n\n"
     "Writes one pair: see fastws.http.format_cookies()."},
    {"parse_items", parse_items, METH_O,
     "parse_items($module, value, /)\n--\n\n"
     "Takes a value of another grammar apart: a tuple of pairs of kind and text. RFC 9110 5.6.\n\n"
     "A kind is 'token', 'separator', 'string', 'comment' or 'octet'; strings and comments are without their quotes,\n"
     "parentheses and escapes.\n\n" VALUE_ERRORS},
    {"canonical_name", canonical_name, METH_O,
     "canonical_name($module, name, /)\n--\n\n"
     "A header name in its usual spelling: 'sec-websocket-key' becomes 'Sec-Websocket-Key'."},
    {"is_token", is_token, METH_O,
     "is_token($module, text, /)\n--\n\n"
     "Whether text is a token. RFC 9110 5.6.2."},
    {"is_header_value", is_header_value, METH_O,
     "is_header_value($module, text, /)\n--\n\n"
     "Whether text may be the value of a header: no control byte but the tab, no white space at its ends.\n"
     "RFC 9110 5.5."},
    {NULL, NULL, 0, NULL},
};
