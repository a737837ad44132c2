/* SPDX-License-Identifier: MIT */
/* What the module keeps for one interpreter, and how its parts reach each other. */
#ifndef FASTWS_PY_STATE_H
#define FASTWS_PY_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* Exceptions of fastws/exceptions.py that C raises. */
enum exception {
    EXC_PROTOCOL_ERROR,
    EXC_INVALID_UTF8,
    EXC_MESSAGE_TOO_BIG,
    EXC_CONTROL_FLOOD,
    EXC_CONNECTION_LOST,
    EXC_CONNECTION_TIMEOUT,
    EXC_CONNECTION_CLOSED_OK,
    EXC_CONNECTION_CLOSED_ERROR,
    EXC_CONCURRENCY_ERROR,
    EXC_HANDSHAKE_ERROR,
    EXC_HANDSHAKE_TIMEOUT,
    EXC_REJECT,
    EXC_INVALID_MESSAGE,
    EXC_INVALID_STATUS,
    EXC_INVALID_HEADER,
    EXC_INVALID_UPGRADE,
    EXC_NEGOTIATION_ERROR,
    EXC_INVALID_URI,
    EXC_COMPRESSION_ERROR,
    EXC_COUNT
};

/* Method names that are called on the objects of users, on transports and on what fastws/asyncio makes of a
 * connection. */
enum name {
    NAME_RECV_INTO,
    NAME_READINTO1,
    NAME_READINTO,
    NAME_SENDALL,
    NAME_WRITE,
    NAME_FLUSH,
    NAME_CLOSE,
    NAME_FILENO,
    NAME_GETTIMEOUT,
    NAME_PENDING,
    NAME_READ,
    NAME_RECV,
    NAME_SEND,
    NAME_SETTIMEOUT,
    NAME_UNSET_BITS,
    NAME_SET_BITS,
    NAME_ABORT,
    NAME_WRITE_EOF,
    NAME_CAN_WRITE_EOF,
    NAME_PAUSE_READING,
    NAME_RESUME_READING,
    NAME_GET_WRITE_BUFFER_SIZE,
    NAME_GET_EXTRA_INFO,
    NAME_SEND_SLOWLY,
    NAME_DRAIN,
    NAME_MADE,
    NAME_RECEIVE_HEAD,
    NAME_OPEN_TIMED_OUT,
    NAME_LOST,
    NAME_PONG_RECEIVED,
    NAME_CALLBACK_FAILED,
    NAME_COUNT
};

/* From this many bytes on, a kernel takes longer than handing the interpreter to another thread and back. */
#define RELEASE_GIL_MIN 65536

/* Types of the module; the ones behind message_type are struct sequences, see events.c. */
#define STATE_TYPES(X)                                                                                                 \
    X(header_type) X(connection_type) X(stream_type) X(reader_type) X(writer_type) X(upgrade_type) X(dial_type)        \
    X(cork_type) X(utf8_validator_type) X(cipher_reader_type) X(cipher_writer_type) X(utf8_reader_type)                \
    X(prepared_type) X(deflate_type) X(codec_type) X(message_state_type) X(aio_loop_type) X(aio_space_type)            \
    X(aio_endpoint_type) X(aio_connection_type) X(aio_protocol_type) X(aio_transport_type) X(aio_acceptor_type)        \
    X(aio_waiter_type) X(aio_receive_type) X(aio_send_type) X(message_type) X(chunk_type) X(ping_type) X(pong_type)    \
    X(close_type) X(failure_type) X(frame_type) X(handshake_type)

struct state {
    PyObject *exceptions[EXC_COUNT];
    PyObject *names[NAME_COUNT];
    PyObject *opcodes[16];      /* members of OpCode; NULL where an opcode is reserved */
    PyObject *context_names;    /* ("context",), for calls with that keyword */
    PyObject *pool;             /* a capsule: the struct fastws_pool of this interpreter, freed by its last user */
    PyObject *socket_type;      /* socket.socket */
    PyCFunction socket_fileno;  /* its fileno(), to be called without the interpreter; NULL if it is no C function */
    PyObject *request_class;    /* named tuples of fastws/heads.py */
    PyObject *response_class;
    PyObject *option_class;
    PyObject *url_class;
    PyObject *parameters_class; /* of fastws/heads.py too */
#define FIELD(name) PyTypeObject *name;
    STATE_TYPES(FIELD)
#undef FIELD
};

/* A slot that holds a function: ISO C knows no way from a function pointer to the void pointer of a slot. */
#define SLOT(id, function) {id, (void *)(uintptr_t)(function)}

extern struct PyModuleDef fastws_core_module;

static inline struct state *get_state(PyObject *module) { return (struct state *)PyModule_GetState(module); }

/* The state of the module that made a type: what a tp_new has at hand. Subclasses are looked through. */
static inline struct state *state_of_type(PyTypeObject *type) {
    PyObject *module = PyType_GetModuleByDef(type, &fastws_core_module);
    return module ? get_state(module) : NULL;
}

extern PyMethodDef mask_methods[];
extern PyMethodDef wire_methods[];
extern PyMethodDef isa_methods[];
extern PyMethodDef utf8_methods[];
extern PyMethodDef http_methods[];
extern PyMethodDef http_value_methods[];
extern PyMethodDef url_methods[];
extern PyMethodDef deflate_functions[];
extern PyMethodDef pool_functions[];

extern PyType_Spec header_spec;
extern PyType_Spec connection_spec;
extern PyType_Spec stream_spec;
extern PyType_Spec reader_spec;
extern PyType_Spec writer_spec;
extern PyType_Spec cork_spec;
extern PyType_Spec upgrade_spec;
extern PyType_Spec dial_spec;
extern PyType_Spec utf8_validator_spec;
extern PyType_Spec cipher_reader_spec;
extern PyType_Spec cipher_writer_spec;
extern PyType_Spec utf8_reader_spec;
extern PyType_Spec prepared_spec;
extern PyType_Spec deflate_spec;
extern PyType_Spec codec_spec;
extern PyType_Spec message_state_spec;

/* Gets an attribute that may be missing. Returns 1 with *value, 0 if there is none, -1 with an exception. */
static inline int get_optional(PyObject *object, PyObject *name, PyObject **value) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyObject_GetOptionalAttr(object, name, value);
#else
    return _PyObject_LookupAttr(object, name, value);
#endif
}

/* Makes the struct sequence types. Returns 0, or -1 with an exception. */
int events_make_types(struct state *state);

#endif
