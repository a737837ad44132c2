/* SPDX-License-Identifier: MIT */
/* The module fastws._core: its types, functions and state, for each interpreter anew. */
#include "aio.h"
#include "errors.h"
#include "events.h"
#include "protocol.h"

#include <fastws/cpu.h>
#include <fastws/error.h>
#include <fastws/header.h>
#include <fastws/version.h>

/* In the order of enum exception. */
static const char *const exception_names[EXC_COUNT] = {
    "ProtocolError",      "InvalidUTF8",           "MessageTooBig",    "ControlFlood",
    "ConnectionLost",     "ConnectionTimeout",     "ConnectionClosedOK", "ConnectionClosedError",
    "ConcurrencyError",   "HandshakeError",        "HandshakeTimeout", "Reject",
    "InvalidMessage",     "InvalidStatus",         "InvalidHeader",    "InvalidUpgrade",
    "NegotiationError",   "InvalidURI",            "CompressionError",
};

/* In the order of enum name. */
static const char *const method_names[NAME_COUNT] = {
    "recv_into", "readinto1", "readinto", "sendall", "write", "flush", "close", "fileno", "gettimeout", "pending",
    "read", "recv", "send", "settimeout", "unset_bits", "set_bits",
    "abort", "write_eof", "can_write_eof", "pause_reading", "resume_reading", "get_write_buffer_size", "get_extra_info",
    "_send_slowly", "_drain", "_made", "_receive_head", "_open_timed_out", "_lost", "_pong_received",
    "_callback_failed",
};

/* A row that cannot be had is an error of whoever set the variable, and better met now than in the first connection. */
static int check_isa(void) {
    if (fastws_cpu_status() == 0) return 0;
    const char *names[16];
    int count = fastws_cpu_isas(names, 16);
    PyObject *choices = PyUnicode_FromString("");
    for (int i = 0; choices && i < count && i < 16; i++) {
        Py_SETREF(choices, PyUnicode_FromFormat("%U%s%s", choices, i ? ", " : "", names[i]));
    }
    if (choices) {
        PyErr_Format(PyExc_ImportError,
                     "the environment variable FASTWS_ISA names no instruction set of this build and CPU; "
                     "unset it or set it to one of: %U", choices);
        Py_DECREF(choices);
    }
    return -1;
}

static int import_attribute(const char *module, const char *name, PyObject **out) {
    PyObject *imported = PyImport_ImportModule(module);
    if (!imported) return -1;
    *out = PyObject_GetAttrString(imported, name);
    Py_DECREF(imported);
    return *out ? 0 : -1;
}

static int load_opcodes(struct state *state) {
    PyObject *type;
    if (import_attribute("fastws.codes", "OpCode", &type) < 0) return -1;
    int result = 0;
    for (unsigned opcode = 0; opcode < 16 && result == 0; opcode++) {
        if (fastws_opcode_is_reserved(opcode)) continue;
        state->opcodes[opcode] = PyObject_CallFunction(type, "I", opcode);
        if (!state->opcodes[opcode]) result = -1;
    }
    Py_DECREF(type);
    return result;
}

/* A method that sockets inherit from C may be called without looking it up. */
static int load_fileno(struct state *state) {
    PyObject *method = PyObject_GetAttr(state->socket_type, state->names[NAME_FILENO]);
    if (!method) return -1;
    if (Py_IS_TYPE(method, &PyMethodDescr_Type)) {
        PyMethodDef *definition = ((PyMethodDescrObject *)method)->d_method;
        if (definition->ml_flags == METH_NOARGS) state->socket_fileno = definition->ml_meth;
    }
    Py_DECREF(method);
    return 0;
}

static int load_names(struct state *state) {
    for (int i = 0; i < EXC_COUNT; i++) {
        if (import_attribute("fastws.exceptions", exception_names[i], &state->exceptions[i]) < 0) return -1;
    }
    for (int i = 0; i < NAME_COUNT; i++) {
        state->names[i] = PyUnicode_InternFromString(method_names[i]);
        if (!state->names[i]) return -1;
    }
    state->context_names = Py_BuildValue("(N)", PyUnicode_InternFromString("context"));
    if (!state->context_names) return -1;
    if (import_attribute("fastws.heads", "Request", &state->request_class) < 0 ||
        import_attribute("fastws.heads", "Response", &state->response_class) < 0 ||
        import_attribute("fastws.heads", "Option", &state->option_class) < 0 ||
        import_attribute("fastws.heads", "Url", &state->url_class) < 0 ||
        import_attribute("fastws.heads", "Parameters", &state->parameters_class) < 0) {
        return -1;
    }
    return import_attribute("socket", "socket", &state->socket_type) < 0 ? -1 : load_fileno(state);
}

/* Types that nobody makes objects of by name. */
static int add_inner_types(PyObject *module, struct state *state) {
    struct {
        PyTypeObject **type;
        PyType_Spec *spec;
    } wanted[] = {
        {&state->aio_space_type, &aio_space_spec},
        {&state->aio_waiter_type, &aio_waiter_spec},
        {&state->aio_receive_type, &aio_receive_spec},
        {&state->aio_send_type, &aio_send_spec},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].type = (PyTypeObject *)PyType_FromModuleAndSpec(module, wanted[i].spec, NULL);
        if (!*wanted[i].type) return -1;
    }
    return 0;
}

static int add_types(PyObject *module, struct state *state) {
    struct {
        PyTypeObject **type;
        PyType_Spec *spec;
    } wanted[] = {
        {&state->header_type, &header_spec}, {&state->connection_type, &connection_spec},
        {&state->stream_type, &stream_spec}, {&state->reader_type, &reader_spec},
        {&state->writer_type, &writer_spec}, {&state->upgrade_type, &upgrade_spec},
        {&state->utf8_validator_type, &utf8_validator_spec},
        {&state->cipher_reader_type, &cipher_reader_spec},
        {&state->cipher_writer_type, &cipher_writer_spec},
        {&state->utf8_reader_type, &utf8_reader_spec}, {&state->prepared_type, &prepared_spec},
        {&state->dial_type, &dial_spec},     {&state->cork_type, &cork_spec},
        {&state->aio_loop_type, &aio_loop_spec}, {&state->aio_endpoint_type, &aio_endpoint_spec},
        {&state->aio_connection_type, &aio_connection_spec}, {&state->aio_protocol_type, &aio_protocol_spec},
        {&state->deflate_type, &deflate_spec}, {&state->codec_type, &codec_spec},
        {&state->message_state_type, &message_state_spec},
        {&state->aio_transport_type, &aio_transport_spec}, {&state->aio_acceptor_type, &aio_acceptor_spec},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].type = (PyTypeObject *)PyType_FromModuleAndSpec(module, wanted[i].spec, NULL);
        if (!*wanted[i].type || PyModule_AddType(module, *wanted[i].type) < 0) return -1;
    }
    if (add_inner_types(module, state) < 0 || events_make_types(state) < 0) return -1;
    PyTypeObject *made[] = {state->message_type, state->chunk_type,   state->ping_type,  state->pong_type,
                            state->close_type,   state->failure_type, state->frame_type, state->handshake_type};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        if (PyModule_AddType(module, made[i]) < 0) return -1;
    }
    return 0;
}

static int module_exec(PyObject *module) {
    struct state *state = get_state(module);
    if (check_isa() < 0 || load_names(state) < 0 || load_opcodes(state) < 0) return -1;
    state->pool = pool_new();
    if (!state->pool || add_types(module, state) < 0) return -1;
    if (PyModule_AddFunctions(module, mask_methods) < 0 || PyModule_AddFunctions(module, wire_methods) < 0 ||
        PyModule_AddFunctions(module, isa_methods) < 0 || PyModule_AddFunctions(module, utf8_methods) < 0 ||
        PyModule_AddFunctions(module, http_methods) < 0 || PyModule_AddFunctions(module, http_value_methods) < 0 ||
        PyModule_AddFunctions(module, url_methods) < 0 || PyModule_AddFunctions(module, aio_functions) < 0 ||
        PyModule_AddFunctions(module, deflate_functions) < 0 || PyModule_AddFunctions(module, pool_functions) < 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", fastws_version());
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    struct state *state = get_state(module);
    for (int i = 0; i < EXC_COUNT; i++) Py_VISIT(state->exceptions[i]);
    for (int i = 0; i < 16; i++) Py_VISIT(state->opcodes[i]);
    Py_VISIT(state->socket_type);
    Py_VISIT(state->request_class);
    Py_VISIT(state->response_class);
    Py_VISIT(state->option_class);
    Py_VISIT(state->url_class);
    Py_VISIT(state->parameters_class);
#define VISIT(name) Py_VISIT(state->name);
    STATE_TYPES(VISIT)
#undef VISIT
    return 0;
}

static int module_clear(PyObject *module) {
    struct state *state = get_state(module);
    for (int i = 0; i < EXC_COUNT; i++) Py_CLEAR(state->exceptions[i]);
    for (int i = 0; i < NAME_COUNT; i++) Py_CLEAR(state->names[i]);
    for (int i = 0; i < 16; i++) Py_CLEAR(state->opcodes[i]);
    Py_CLEAR(state->context_names);
    Py_CLEAR(state->pool);
    Py_CLEAR(state->socket_type);
    Py_CLEAR(state->request_class);
    Py_CLEAR(state->response_class);
    Py_CLEAR(state->option_class);
    Py_CLEAR(state->url_class);
    Py_CLEAR(state->parameters_class);
#define CLEAR(name) Py_CLEAR(state->name);
    STATE_TYPES(CLEAR)
#undef CLEAR
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    SLOT(Py_mod_exec, module_exec),
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef fastws_core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "fastws._core",
    .m_doc = "The C part of fastws.",
    .m_size = sizeof(struct state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&fastws_core_module); }
