/* SPDX-License-Identifier: MIT */
/* The Deflate type: the settings of permessage-deflate, which never change. RFC 7692. */
#include "deflate.h"

#include <string.h>

#include "args.h"

/* ---- The settings, in one table ---- */

enum setting_kind { SETTING_MODE, SETTING_TRUTH, SETTING_U8, SETTING_U16, SETTING_SIZE, SETTING_LIMIT32,
                    SETTING_LIMIT64 };

static const struct setting {
    const char *name;
    enum setting_kind kind;
    size_t off; /* of its field in struct fastws_deflate_config */
    uint64_t min, max;
} settings[] = {
#define FIELD(field) offsetof(struct fastws_deflate_config, field)
    {"mode", SETTING_MODE, FIELD(mode), 0, 0},
    {"peer_takeover", SETTING_TRUTH, FIELD(is_peer_takeover), 0, 0},
    {"window_bits", SETTING_U8, FIELD(window_bits), FASTWS_DEFLATE_BITS_MIN, FASTWS_DEFLATE_BITS_MAX},
    {"peer_window_bits", SETTING_U8, FIELD(peer_window_bits), FASTWS_DEFLATE_BITS_MIN, FASTWS_DEFLATE_BITS_MAX},
    {"require_peer_window_bits", SETTING_TRUTH, FIELD(is_peer_bits_required), 0, 0},
    {"offer_window_bits", SETTING_TRUTH, FIELD(is_any_bits_offered), 0, 0},
    {"level", SETTING_U8, FIELD(level), 0, 9},
    {"memory_level", SETTING_U8, FIELD(memory_level), 1, 9},
    {"strategy", SETTING_U8, FIELD(strategy), 0, 4},
    {"skip_binary", SETTING_TRUTH, FIELD(is_binary_skipped), 0, 0},
    {"tail_size", SETTING_U16, FIELD(tail_len), 256, 32768},
    {"threshold", SETTING_SIZE, FIELD(threshold), 0, PY_SSIZE_T_MAX},
    {"max_inflated", SETTING_LIMIT64, FIELD(max_inflated), 1, INT64_MAX},
    {"max_ratio", SETTING_LIMIT32, FIELD(max_ratio), 1, UINT32_MAX},
#undef FIELD
};

enum { SETTING_COUNT = sizeof settings / sizeof settings[0] };

/* In the order of enum fastws_deflate_mode. */
static const char *const modes[] = {"takeover", "tail", "no_takeover"};

/* ---- Reading arguments ---- */

static int take_mode(PyObject *value, enum fastws_deflate_mode *mode) {
    for (int i = 0; PyUnicode_Check(value) && i < 3; i++) {
        if (PyUnicode_CompareWithASCIIString(value, modes[i]) != 0) continue;
        *mode = (enum fastws_deflate_mode)(FASTWS_DEFLATE_TAKEOVER + i);
        return 0;
    }
    PyErr_Format(PyUnicode_Check(value) ? PyExc_ValueError : PyExc_TypeError,
                 "mode must be 'takeover', 'tail' or 'no_takeover', not %R", value);
    return -1;
}

static int take_number(PyObject *value, const struct setting *setting, uint64_t *number) {
    if (setting->kind >= SETTING_LIMIT32) return arg_limit(value, setting->name, setting->max, number);
    return arg_between(value, setting->name, setting->min, setting->max, number);
}

static int take_setting(PyObject *value, const struct setting *setting, struct fastws_deflate_config *config) {
    void *field = (char *)config + setting->off;
    uint64_t number = 0;
    if (setting->kind == SETTING_TRUTH) {
        int is_true = PyObject_IsTrue(value);
        if (is_true < 0) return -1;
        number = (uint64_t)is_true;
    } else if (take_number(value, setting, &number) < 0) {
        return -1;
    }
    switch (setting->kind) {
    case SETTING_U16: *(uint16_t *)field = (uint16_t)number; break;
    case SETTING_SIZE: *(size_t *)field = (size_t)number; break;
    case SETTING_LIMIT32: *(uint32_t *)field = (uint32_t)number; break;
    case SETTING_LIMIT64: *(uint64_t *)field = number; break;
    default: *(uint8_t *)field = (uint8_t)number; break;
    }
    return 0;
}

/* Whether None stands for the default of the mode. Where it is a limit, it stands for none. */
static int is_default(const struct setting *setting, const PyObject *value) {
    return !value || (value == Py_None && setting->kind < SETTING_LIMIT32);
}

static int take_settings(struct deflate *self, PyObject *const *values) {
    enum fastws_deflate_mode mode = FASTWS_DEFLATE_TAKEOVER;
    if (values[0] && take_mode(values[0], &mode) < 0) return -1;
    fastws_deflate_config_init(&self->config, mode);
    /* The connection has a limit, max_size, that holds for what is inflated. */
    self->config.max_inflated = 0;
    for (int i = 1; i < SETTING_COUNT; i++) {
        if (is_default(&settings[i], values[i])) continue;
        if (take_setting(values[i], &settings[i], &self->config) < 0) return -1;
    }
    return 0;
}

static PyObject *deflate_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"mode", "peer_takeover", "window_bits", "peer_window_bits", "require_peer_window_bits",
                            "offer_window_bits", "level", "memory_level", "strategy", "skip_binary", "tail_size",
                            "threshold", "max_inflated", "max_ratio", "parameters", NULL};
    PyObject *v[SETTING_COUNT] = {NULL}, *parameters = Py_None;
    struct state *state = state_of_type(type);
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "|O$OOOOOOOOOOOOOO:Deflate", names, &v[0], &v[1], &v[2],
                                               &v[3], &v[4], &v[5], &v[6], &v[7], &v[8], &v[9], &v[10], &v[11],
                                               &v[12], &v[13], &parameters)) {
        return NULL;
    }
    struct deflate *self = (struct deflate *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->has_agreed = parameters != Py_None;
    if (take_settings(self, v) < 0 ||
        (self->has_agreed && deflate_agreed_take(state, parameters, &self->agreed) < 0)) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void deflate_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    type->tp_free(object);
    Py_DECREF(type);
}

int deflate_take(struct state *state, PyObject *object, struct deflate **out) {
    *out = NULL;
    if (!object || object == Py_None) return 0;
    if (Py_IS_TYPE(object, state->deflate_type)) {
        *out = (struct deflate *)Py_NewRef(object);
        return 0;
    }
    if (PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, "deflate") == 0) {
        *out = (struct deflate *)PyObject_CallNoArgs((PyObject *)state->deflate_type);
        return *out ? 0 : -1;
    }
    PyErr_Format(PyUnicode_Check(object) ? PyExc_ValueError : PyExc_TypeError,
                 "compression must be None, 'deflate' or a Deflate, not %R", object);
    return -1;
}

PyObject *deflate_with(const struct deflate *deflate, const struct fastws_deflate_params *agreed) {
    PyTypeObject *type = Py_TYPE((PyObject *)(uintptr_t)deflate);
    struct deflate *copy = (struct deflate *)type->tp_alloc(type, 0);
    if (!copy) return NULL;
    copy->config = deflate->config;
    copy->agreed = *agreed;
    copy->has_agreed = 1;
    return (PyObject *)copy;
}

/* ---- What it says ---- */

static PyObject *limit_or_none(uint64_t limit) {
    return limit ? PyLong_FromUnsignedLongLong(limit) : Py_NewRef(Py_None);
}

static PyObject *get_setting(PyObject *object, void *closure) {
    const struct setting *setting = closure;
    const void *field = (const char *)&((struct deflate *)object)->config + setting->off;
    switch (setting->kind) {
    case SETTING_MODE: return PyUnicode_InternFromString(modes[*(const uint8_t *)field - FASTWS_DEFLATE_TAKEOVER]);
    case SETTING_TRUTH: return PyBool_FromLong(*(const uint8_t *)field);
    case SETTING_U16: return PyLong_FromLong(*(const uint16_t *)field);
    case SETTING_SIZE: return PyLong_FromSize_t(*(const size_t *)field);
    case SETTING_LIMIT32: return limit_or_none(*(const uint32_t *)field);
    case SETTING_LIMIT64: return limit_or_none(*(const uint64_t *)field);
    default: return PyLong_FromLong(*(const uint8_t *)field);
    }
}

static PyObject *get_parameters(PyObject *object, void *Py_UNUSED(closure)) {
    struct deflate *self = (struct deflate *)object;
    struct state *state = state_of_type(Py_TYPE(object));
    if (!self->has_agreed) Py_RETURN_NONE;
    return state ? deflate_params_new(state, &self->agreed) : NULL;
}

/* Everything, for comparing. */
static PyObject *tuple_of(PyObject *object) {
    PyObject *tuple = PyTuple_New(SETTING_COUNT + 1);
    for (int i = 0; tuple && i <= SETTING_COUNT; i++) {
        PyObject *item = i < SETTING_COUNT ? get_setting(object, (void *)(uintptr_t)&settings[i])
                                           : get_parameters(object, NULL);
        if (!item) Py_CLEAR(tuple);
        if (item) PyTuple_SET_ITEM(tuple, i, item);
    }
    return tuple;
}

static PyObject *deflate_compare(PyObject *a, PyObject *b, int operation) {
    if (!Py_IS_TYPE(b, Py_TYPE(a)) || (operation != Py_EQ && operation != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
    PyObject *ours = tuple_of(a);
    PyObject *theirs = ours ? tuple_of(b) : NULL;
    PyObject *result = theirs ? PyObject_RichCompare(ours, theirs, operation) : NULL;
    Py_XDECREF(ours);
    Py_XDECREF(theirs);
    return result;
}

static Py_hash_t deflate_hash(PyObject *object) {
    PyObject *tuple = tuple_of(object);
    Py_hash_t hash = tuple ? PyObject_Hash(tuple) : -1;
    Py_XDECREF(tuple);
    return hash;
}

static PyObject *deflate_repr(PyObject *object) {
    PyObject *items = tuple_of(object);
    PyObject *text = items ? PyUnicode_FromFormat("Deflate(%R", PyTuple_GET_ITEM(items, 0)) : NULL;
    for (int i = 1; text && i <= SETTING_COUNT; i++) {
        const char *name = i < SETTING_COUNT ? settings[i].name : "parameters";
        Py_SETREF(text, PyUnicode_FromFormat("%U, %s=%R", text, name, PyTuple_GET_ITEM(items, i)));
    }
    if (text) Py_SETREF(text, PyUnicode_FromFormat("%U)", text));
    Py_XDECREF(items);
    return text;
}

static PyObject *deflate_with_parameters(PyObject *object, PyObject *const *args, Py_ssize_t count,
                                         PyObject *kwnames) {
    struct state *state = state_of_type(Py_TYPE(object));
    struct fastws_deflate_params agreed;
    PyObject *parameters;
    if (!state || arg_one("with_parameters", args, count, kwnames, "parameters", 1, &parameters) < 0) return NULL;
    if (deflate_agreed_take(state, parameters, &agreed) < 0) return NULL;
    return deflate_with((struct deflate *)object, &agreed);
}

static PyGetSetDef deflate_getset[] = {
    {"mode", get_setting, NULL, "'takeover', 'tail' or 'no_takeover'.", (void *)&settings[0]},
    {"peer_takeover", get_setting, NULL, "Whether the peer may keep its context.", (void *)&settings[1]},
    {"window_bits", get_setting, NULL, "Of own messages, at most: a window of 2**n bytes.", (void *)&settings[2]},
    {"peer_window_bits", get_setting, NULL, "Of the peer's messages, at most.", (void *)&settings[3]},
    {"require_peer_window_bits", get_setting, NULL, "Whether a server declines offers without room for that.",
     (void *)&settings[4]},
    {"offer_window_bits", get_setting, NULL, "Whether a client offers client_max_window_bits.", (void *)&settings[5]},
    {"level", get_setting, NULL, "Of zlib, 0 to 9.", (void *)&settings[6]},
    {"memory_level", get_setting, NULL, "Of zlib, 1 to 9.", (void *)&settings[7]},
    {"strategy", get_setting, NULL, "Of zlib, 0 to 4.", (void *)&settings[8]},
    {"skip_binary", get_setting, NULL, "Whether binary messages are left alone.", (void *)&settings[9]},
    {"tail_size", get_setting, NULL, "Bytes of own text that mode 'tail' keeps.", (void *)&settings[10]},
    {"threshold", get_setting, NULL, "Bytes below which messages are left alone.", (void *)&settings[11]},
    {"max_inflated", get_setting, NULL, "Bytes that a message may inflate to; None: max_size of the connection.",
     (void *)&settings[12]},
    {"max_ratio", get_setting, NULL, "Inflated bytes for each compressed one; None: no limit.",
     (void *)&settings[13]},
    {"parameters", get_parameters, NULL, "What was agreed on, Parameters; None where nothing is known of it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef deflate_methods[] = {
    {"with_parameters", (PyCFunction)(void (*)(void))deflate_with_parameters, METH_FASTCALL | METH_KEYWORDS,
     "with_parameters($self, /, parameters)\n--\n\n"
     "A copy that says what was agreed on, for Connection, Stream and fastws.deflate.Codec.\n\n"
     "Raises:\n"
     "    ValueError: such parameters can not have been agreed on."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot deflate_slots[] = {
    {Py_tp_doc,
     "Deflate(mode='takeover', *, peer_takeover=None, window_bits=None, peer_window_bits=15, "
     "require_peer_window_bits=False, offer_window_bits=True, level=1, memory_level=None, strategy=0, "
     "skip_binary=False, tail_size=1024, threshold=64, max_inflated=None, max_ratio=None, parameters=None)\n--\n\n"
     "How messages are compressed: what this end wants of permessage-deflate, and allows. RFC 7692.\n\n"
     "'deflate', wherever a `compression` argument is taken, means Deflate(). Own messages are those that this end\n"
     "sends, whichever role it has. An object never changes, and serves any number of connections.\n\n"
     "Args:\n"
     "    mode: what is kept between own messages. 'takeover': a stream, for the best ratio. 'tail': the last\n"
     "        tail_size bytes, for nearly that ratio. 'no_takeover': nothing.\n"
     "    peer_takeover: True lets the peer keep its context, for which this end holds a window and 7 KiB. False: a\n"
     "        server answers client_no_context_takeover, a client offers server_no_context_takeover. None: True with\n"
     "        'takeover', else False.\n"
     "    window_bits: of own messages, at most: 8 to 15. None: 12 with 'takeover', else 15.\n"
     "    peer_window_bits: of the peer's, at most: 8 to 15. A server asks for it where the offer lets it, a client\n"
     "        in its offer, which some servers decline. zlib cannot compress with 8 by itself: peers may refuse that.\n"
     "    require_peer_window_bits: True: a server declines an offer that does not let it ask for that.\n"
     "    offer_window_bits: False: a client does not offer client_max_window_bits, on which some servers choke.\n"
     "    level: of zlib, 0 to 9. 6 takes about twice the time of 1 for a tenth less on JSON.\n"
     "    memory_level: of zlib, 1 to 9. None: 5 with 'takeover', else 8. A stream of own messages takes\n"
     "        2**(window_bits + 2) + 2**(memory_level + 9) bytes and about 6 KiB.\n"
     "    strategy: of zlib: zlib.Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE or Z_FIXED.\n"
     "    skip_binary: True leaves binary messages alone, unless send() says otherwise.\n"
     "    tail_size: bytes of own text that mode 'tail' keeps, 256 to 32768.\n"
     "    threshold: bytes below which a message is left alone, unless send() says otherwise.\n"
     "    max_inflated: bytes that a message may inflate to. None: only max_size of the connection holds, which does\n"
     "        so while a message is inflated. Above: MessageTooBig, 1009.\n"
     "    max_ratio: inflated bytes for each compressed one, once a message has inflated to 64 KiB; None for no\n"
     "        limit. Above: MessageTooBig, 1009. DEFLATE itself reaches 1032.\n"
     "    parameters: what was agreed on, for Connection, Stream and fastws.deflate.Codec, which did no handshake\n"
     "        themselves. None: the extension alone, without parameters.\n\n"
     "Raises:\n"
     "    TypeError: an argument of the wrong type.\n"
     "    ValueError: an argument is out of range."},
    SLOT(Py_tp_new, deflate_tp_new),
    SLOT(Py_tp_dealloc, deflate_dealloc),
    SLOT(Py_tp_repr, deflate_repr),
    SLOT(Py_tp_hash, deflate_hash),
    SLOT(Py_tp_richcompare, deflate_compare),
    {Py_tp_methods, deflate_methods},
    {Py_tp_getset, deflate_getset},
    {0, NULL},
};

PyType_Spec deflate_spec = {
    .name = "fastws.Deflate",
    .basicsize = sizeof(struct deflate),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = deflate_slots,
};
