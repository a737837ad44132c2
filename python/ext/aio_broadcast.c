/* SPDX-License-Identifier: MIT */
/* Sends a message that was framed once to many connections. */
#include "aio.h"

#include "args.h"

/* Tells one connection. Returns 1 if it was told, 0 if it is not open, -1 with an exception. */
static int tell(struct state *state, PyObject *object, PyObject *message) {
    if (!PyObject_TypeCheck(object, state->aio_connection_type)) {
        PyErr_Format(PyExc_TypeError, "connections must be those of serve() and connect(), not %.200s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    struct aio_connection *connection = (struct aio_connection *)object;
    int is_open = connection->phase == PHASE_OPEN &&
                  fastws_conn_get_state(connection->protocol.conn) == FASTWS_CONN_OPEN;
    if (!is_open) return 0;
    PyObject *done = aio_send_nowait(object, &message, 1, NULL);
    Py_XDECREF(done);
    return done ? 1 : -1;
}

/* _broadcast(connections, message): connections is a list. Returns a list of (connection, exception). */
static PyObject *broadcast(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    struct state *state = get_state(module);
    if (arg_count("_broadcast", count, 2, 2) < 0) return NULL;
    PyObject *failures = PyList_New(0);
    for (Py_ssize_t i = 0; failures && i < PyList_GET_SIZE(args[0]); i++) {
        PyObject *connection = Py_NewRef(PyList_GET_ITEM(args[0], i));
        if (tell(state, connection, args[1]) < 0) {
            PyObject *type, *exception, *traceback;
            PyErr_Fetch(&type, &exception, &traceback);
            PyErr_NormalizeException(&type, &exception, &traceback);
            PyObject *pair = PyTuple_Pack(2, connection, exception);
            if (!pair || PyList_Append(failures, pair) < 0) Py_CLEAR(failures);
            Py_XDECREF(pair);
            Py_XDECREF(type);
            Py_XDECREF(exception);
            Py_XDECREF(traceback);
        }
        Py_DECREF(connection);
    }
    return failures;
}

PyMethodDef aio_functions[] = {
    {"_broadcast", (PyCFunction)(void (*)(void))broadcast, METH_FASTCALL, NULL},
    {"_own_methods", aio_own_methods, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
