/* SPDX-License-Identifier: MIT */
/* Heads of requests and responses for Python. RFC 9112. */
#include "http.h"

#include <fastws/error.h>
#include <fastws/http_head.h>

#include "args.h"
#include "errors.h"

PyObject *http_text(struct fastws_slice slice) {
    return PyUnicode_DecodeLatin1(slice.ptr, (Py_ssize_t)slice.len, NULL);
}

PyObject *http_pair(struct fastws_slice name, struct fastws_slice value) {
    return Py_BuildValue("(NN)", http_text(name), http_text(value));
}

PyObject *http_headers(const struct fastws_http_header *headers, size_t count) {
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple && i < count; i++) {
        PyObject *pair = http_pair(headers[i].name, headers[i].value);
        if (!pair) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, pair);
        }
    }
    return tuple;
}

static PyObject *request_object(struct state *state, const struct fastws_http_head *head) {
    return PyObject_CallFunction(state->request_class, "NNN(ii)n", http_text(head->request.method),
                                 http_text(head->request.target), http_headers(head->headers, head->header_count),
                                 head->request.version_major, head->request.version_minor, (Py_ssize_t)head->len);
}

static PyObject *response_object(struct state *state, const struct fastws_http_head *head) {
    return PyObject_CallFunction(state->response_class, "iNNy(ii)n", (int)head->status.status,
                                 http_text(fastws_http_trim(head->status.reason)),
                                 http_headers(head->headers, head->header_count), "", head->status.version_major,
                                 head->status.version_minor, (Py_ssize_t)head->len);
}

typedef int head_parser(struct fastws_http_head *head, const void *src, size_t len);
typedef PyObject *head_converter(struct state *state, const struct fastws_http_head *head);

static PyObject *parse(struct state *state, const Py_buffer *view, uint64_t max_headers, head_parser *parser,
                       head_converter *convert) {
    /* A header line has at least "x:" and its end; no room is made for more of them than there can be. */
    uint64_t possible = (uint64_t)view->len / 4 + 1;
    size_t cap = (size_t)(max_headers && max_headers < possible ? max_headers : possible);
    struct fastws_http_header *headers = PyMem_New(struct fastws_http_header, cap);
    if (!headers) return PyErr_NoMemory();
    struct fastws_http_head head;
    fastws_http_head_init(&head, headers, cap);
    int result = parser(&head, view->buf, (size_t)view->len);
    PyObject *object = result == FASTWS_NEED_MORE ? Py_NewRef(Py_None)
                       : result < 0               ? error_raise(state, result)
                                                  : convert(state, &head);
    PyMem_Free(headers);
    return object;
}

static PyObject *parse_arguments(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *kwnames,
                                 const char *function, head_parser *parser, head_converter *convert) {
    static const char *const names[] = {"data", "max_headers", NULL};
    PyObject *given[2];
    uint64_t max_headers = 128;
    Py_buffer view;
    if (arg_sort(function, args, count, kwnames, names, 1, 1, given) < 0) return NULL;
    if (given[1] && arg_limit(given[1], "max_headers", UINT32_MAX, &max_headers) < 0) return NULL;
    if (arg_bytes(given[0], "data", &view) < 0) return NULL;
    PyObject *result = parse(get_state(module), &view, max_headers, parser, convert);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *parse_request(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    return parse_arguments(module, args, count, kwnames, "parse_request", fastws_http_parse_request, request_object);
}

static PyObject *parse_response(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    return parse_arguments(module, args, count, kwnames, "parse_response", fastws_http_parse_response,
                           response_object);
}

PyMethodDef http_methods[] = {
    {"parse_request", (PyCFunction)(void (*)(void))parse_request, METH_FASTCALL | METH_KEYWORDS,
     "parse_request($module, /, data, *, max_headers=128)\n--\n\n"
     "Reads the head of a request. RFC 9112: only CRLF ends a line, no line is folded, a colon follows its name.\n\n"
     "Args:\n"
     "    data: all that was received of it so far, and anything behind it.\n"
     "    max_headers: header lines, None for no limit.\n\n"
     "Returns:\n"
     "    A Request, whose size is where the body begins; None while the head is incomplete.\n\n"
     "Raises:\n"
     "    InvalidMessage: it is malformed; status is what it should be answered."},
    {"parse_response", (PyCFunction)(void (*)(void))parse_response, METH_FASTCALL | METH_KEYWORDS,
     "parse_response($module, /, data, *, max_headers=128)\n--\n\n"
     "Reads the head of a response, as parse_request() does that of a request.\n\n"
     "Returns:\n"
     "    A Response, whose size is where the body begins; None while the head is incomplete.\n\n"
     "Raises:\n"
     "    InvalidMessage: it is malformed."},
    {NULL, NULL, 0, NULL},
};
