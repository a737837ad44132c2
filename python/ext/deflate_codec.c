/* SPDX-License-Identifier: MIT */
/* The Codec type: the compression of one connection, for programs that handle its frames themselves. RFC 7692.
 *
 * Each has its own pool, so that large messages can be worked on without the interpreter lock. */
#include "deflate.h"

#include <string.h>

#include <fastws/error.h>
#include <fastws/frame.h>
#include <fastws/mask.h>

#include "args.h"
#include "errors.h"
#include "events.h"
#include "header.h"

/* Compressed bytes may stand for a thousand times as many. */
#define RELEASE_GIL_MIN_INFLATE (RELEASE_GIL_MIN / 16)

struct codec {
    PyObject_HEAD
    struct state *state;
    struct deflate *settings;
    struct fastws_deflate_config config;
    struct fastws_deflate_pool *pool;
    struct fastws_deflate *deflate;
    unsigned role;
    int is_busy; /* a call is under way, perhaps without the interpreter lock */
};

/* ---- Life ---- */

static int open_codec(struct codec *self) {
    int error = fastws_deflate_pool_new(NULL, 1, &self->pool);
    if (error == 0) {
        error = fastws_deflate_new(&self->config, self->role, &self->settings->agreed, self->pool, &self->deflate);
    }
    if (error < 0) error_raise(self->state, error);
    return error;
}

static int take_limit(struct codec *self, PyObject *value) {
    uint64_t limit = 16777216;
    if (value && arg_limit(value, "max_size", INT64_MAX, &limit) < 0) return -1;
    self->config = self->settings->config;
    if (!self->config.max_inflated || (limit && limit < self->config.max_inflated)) self->config.max_inflated = limit;
    return 0;
}

static PyObject *codec_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"deflate", "role", "max_size", NULL};
    PyObject *deflate = NULL, *role = NULL, *max_size = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO$O:Codec", names, &deflate, &role, &max_size)) return NULL;
    enum fastws_role as = FASTWS_ROLE_SERVER;
    if (role && arg_role(role, &as) < 0) return NULL;
    struct codec *self = (struct codec *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->role = as == FASTWS_ROLE_CLIENT ? FASTWS_STATE_CLIENT : FASTWS_STATE_SERVER;
    self->state = state_of_type(type);
    int result = self->state ? 0 : -1;
    if (result == 0 && (!deflate || deflate == Py_None)) {
        self->settings = (struct deflate *)PyObject_CallFunction((PyObject *)self->state->deflate_type, "s",
                                                                 "no_takeover");
        if (!self->settings) result = -1;
    } else if (result == 0) {
        result = deflate_take(self->state, deflate, &self->settings);
    }
    if (result < 0 || take_limit(self, max_size) < 0 || open_codec(self) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static void codec_dealloc(PyObject *object) {
    struct codec *self = (struct codec *)object;
    PyTypeObject *type = Py_TYPE(object);
    fastws_deflate_free(self->deflate);
    fastws_deflate_pool_free(self->pool);
    Py_XDECREF((PyObject *)self->settings);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- Work ---- */

/* One call of the library. */
struct work {
    struct codec *codec;
    struct fastws_frame frame;  /* of whole frames */
    const void *src;            /* of payloads */
    size_t len;
    enum fastws_deflate_flush flush;
    struct fastws_deflate_buffer out;
};

typedef int work_function(struct work *work);

static int compress(struct work *work) {
    return fastws_deflate_compress(work->codec->deflate, work->src, work->len, work->flush, &work->out);
}

static int decompress(struct work *work) {
    return fastws_deflate_decompress(work->codec->deflate, work->src, work->len, work->flush == FASTWS_DEFLATE_END,
                                     &work->out, NULL);
}

static int compress_frame(struct work *work) {
    return fastws_deflate_compress_frame(work->codec->deflate, &work->frame, &work->out);
}

static int decompress_frame(struct work *work) {
    return fastws_deflate_decompress_frame(work->codec->deflate, &work->frame, &work->out);
}

static int begin(struct codec *self) {
    if (self->is_busy) {
        PyErr_SetString(self->state->exceptions[EXC_CONCURRENCY_ERROR], "another thread uses this codec");
        return -1;
    }
    self->is_busy = 1;
    return 0;
}

/* Runs one. Returns what it returned, or -1 with an exception. */
static int run(struct work *work, work_function *function, int is_long) {
    int result;
    if (begin(work->codec) < 0) return -1;
    if (is_long) {
        Py_BEGIN_ALLOW_THREADS
        result = function(work);
        Py_END_ALLOW_THREADS
    } else {
        result = function(work);
    }
    work->codec->is_busy = 0;
    if (result >= 0) return result;
    error_raise(work->codec->state, result);
    return -1;
}

/* Ends a call: its output as bytes, or NULL if it raised. */
static PyObject *finish(struct work *work, int result) {
    PyObject *bytes = result < 0 ? NULL : PyBytes_FromStringAndSize((const char *)work->out.ptr,
                                                                    (Py_ssize_t)work->out.len);
    fastws_deflate_buffer_free(&work->out);
    return bytes;
}

static int take_truth(PyObject *value, int fallback) { return value ? PyObject_IsTrue(value) : fallback; }

static PyObject *codec_compress(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"data", "end", "flush", NULL};
    struct work work = {.codec = (struct codec *)object};
    PyObject *sorted[3];
    Py_buffer view;
    if (arg_sort("compress", args, count, kwnames, names, 1, 3, sorted) < 0) return NULL;
    int is_end = take_truth(sorted[1], 1), is_flush = take_truth(sorted[2], 0);
    if (is_end < 0 || is_flush < 0 || arg_payload(sorted[0], "data", &view) < 0) return NULL;
    work.src = view.buf;
    work.len = (size_t)view.len;
    work.flush = is_end ? FASTWS_DEFLATE_END : is_flush ? FASTWS_DEFLATE_FLUSH : FASTWS_DEFLATE_MORE;
    PyObject *bytes = finish(&work, run(&work, compress, view.len >= RELEASE_GIL_MIN));
    PyBuffer_Release(&view);
    return bytes;
}

static PyObject *codec_decompress(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *kwnames) {
    static const char *const names[] = {"data", "end", NULL};
    struct work work = {.codec = (struct codec *)object};
    PyObject *sorted[2];
    Py_buffer view;
    if (arg_sort("decompress", args, count, kwnames, names, 1, 2, sorted) < 0) return NULL;
    int is_end = take_truth(sorted[1], 1);
    if (is_end < 0 || arg_bytes(sorted[0], "data", &view) < 0) return NULL;
    work.src = view.buf;
    work.len = (size_t)view.len;
    work.flush = is_end ? FASTWS_DEFLATE_END : FASTWS_DEFLATE_MORE;
    PyObject *bytes = finish(&work, run(&work, decompress, view.len >= RELEASE_GIL_MIN_INFLATE));
    PyBuffer_Release(&view);
    return bytes;
}

/* ---- Frames ---- */

/* Takes a Frame, or a tuple (header, payload), apart. Release the view. Returns 0, or -1 with an exception. */
static int take_frame(struct codec *self, PyObject *object, struct fastws_frame *frame, Py_buffer *view) {
    if (!PyTuple_Check(object) || PyTuple_GET_SIZE(object) != 2) {
        PyErr_Format(PyExc_TypeError, "frame must be a Frame or a tuple (header, payload), not %.200s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    const struct fastws_header *header = header_get(self->state, PyTuple_GET_ITEM(object, 0));
    if (!header || arg_bytes(PyTuple_GET_ITEM(object, 1), "payload", view) < 0) return -1;
    frame->header = *header;
    frame->payload = view->buf;
    if (header->length == (uint64_t)view->len) return 0;
    PyErr_Format(PyExc_ValueError, "header.length is %llu, and the payload holds %zd bytes",
                 (unsigned long long)header->length, view->len);
    PyBuffer_Release(view);
    return -1;
}

/* Unmasks a copy of the payload. Returns it, to be freed, or NULL with an exception. */
static uint8_t *unmask(struct fastws_frame *frame) {
    size_t len = (size_t)frame->header.length;
    uint8_t *copy = PyMem_Malloc(len ? len : 1);
    if (!copy) {
        PyErr_NoMemory();
        return NULL;
    }
    fastws_mask(copy, frame->payload, len, frame->header.key, 0);
    frame->header.masked = 0;
    memset(frame->header.key, 0, sizeof frame->header.key);
    frame->payload = copy;
    return copy;
}

/* Makes a frame of what a call has left in its place. */
static PyObject *finish_frame(struct work *work, int result) {
    PyObject *frame = NULL;
    if (result >= 0) {
        PyObject *payload = PyBytes_FromStringAndSize((const char *)work->frame.payload,
                                                      (Py_ssize_t)work->frame.header.length);
        struct state *state = work->codec->state;
        frame = payload ? pair_new(state->frame_type, header_new(state, &work->frame.header), payload) : NULL;
    }
    fastws_deflate_buffer_free(&work->out);
    return frame;
}

static PyObject *codec_compress_frame(PyObject *object, PyObject *argument) {
    struct work work = {.codec = (struct codec *)object};
    Py_buffer view;
    if (take_frame(work.codec, argument, &work.frame, &view) < 0) return NULL;
    PyObject *frame = NULL;
    if (work.frame.header.masked) {
        PyErr_SetString(PyExc_ValueError, "frame is masked: it has to be compressed first");
    } else {
        frame = finish_frame(&work, run(&work, compress_frame, view.len >= RELEASE_GIL_MIN));
    }
    PyBuffer_Release(&view);
    return frame;
}

static PyObject *codec_decompress_frame(PyObject *object, PyObject *argument) {
    struct work work = {.codec = (struct codec *)object};
    Py_buffer view;
    uint8_t *copy = NULL;
    if (take_frame(work.codec, argument, &work.frame, &view) < 0) return NULL;
    PyObject *frame = NULL;
    if (!work.frame.header.masked || (copy = unmask(&work.frame))) {
        frame = finish_frame(&work, run(&work, decompress_frame, view.len >= RELEASE_GIL_MIN_INFLATE));
    }
    PyMem_Free(copy);
    PyBuffer_Release(&view);
    return frame;
}

/* ---- Memory ---- */

static PyObject *codec_forget(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct codec *self = (struct codec *)object;
    if (begin(self) < 0) return NULL;
    fastws_deflate_forget(self->deflate);
    self->is_busy = 0;
    Py_RETURN_NONE;
}

static PyObject *codec_idle(PyObject *object, PyObject *Py_UNUSED(ignored)) {
    struct codec *self = (struct codec *)object;
    if (begin(self) < 0) return NULL;
    fastws_deflate_idle(self->deflate);
    fastws_deflate_pool_trim(self->pool);
    self->is_busy = 0;
    Py_RETURN_NONE;
}

static PyObject *get_held(PyObject *object, void *Py_UNUSED(closure)) {
    struct codec *self = (struct codec *)object;
    struct fastws_deflate_stats stats;
    if (begin(self) < 0) return NULL;
    fastws_deflate_pool_get_stats(self->pool, &stats);
    self->is_busy = 0;
    return PyLong_FromSize_t(stats.held);
}

static PyObject *get_deflate(PyObject *object, void *Py_UNUSED(closure)) {
    return Py_NewRef((PyObject *)((struct codec *)object)->settings);
}

static PyObject *get_role(PyObject *object, void *Py_UNUSED(closure)) {
    int is_client = ((struct codec *)object)->role == FASTWS_STATE_CLIENT;
    return PyUnicode_InternFromString(is_client ? "client" : "server");
}

static PyGetSetDef codec_getset[] = {
    {"deflate", get_deflate, NULL, "The Deflate that it was made with.", NULL},
    {"role", get_role, NULL, "'server' or 'client'.", NULL},
    {"held", get_held, NULL, "Bytes of memory that it holds now, free streams included.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef codec_methods[] = {
    {"compress", (PyCFunction)(void (*)(void))codec_compress, METH_FASTCALL | METH_KEYWORDS,
     "compress($self, /, data, end=True, flush=False)\n--\n\n"
     "Compresses the next piece of an own message. RFC 7692 7.2.1.\n\n"
     "Args:\n"
     "    data: str, which is compressed as UTF-8, or bytes-like.\n"
     "    end: True ends the message; the next piece begins another.\n"
     "    flush: True: the peer can inflate all that was given so far, as at the end of a fragment. Else output may\n"
     "        be held back until the end.\n\n"
     "Returns:\n"
     "    Payload for frames of the message, cut anywhere; the first one is to have RSV1. It must be sent, whole and\n"
     "    before anything else that is compressed, or forget() be called.\n\n"
     "Raises:\n"
     "    ConcurrencyError: another thread uses this codec."},
    {"decompress", (PyCFunction)(void (*)(void))codec_decompress, METH_FASTCALL | METH_KEYWORDS,
     "decompress($self, /, data, end=True)\n--\n\n"
     "Inflates the next piece of a message of the peer. RFC 7692 7.2.2.\n\n"
     "Args:\n"
     "    data: payload of its frames, not masked, cut anywhere.\n"
     "    end: True: the message ends with it.\n\n"
     "Returns:\n"
     "    What it inflates to. Text is not checked, and may end inside a character.\n\n"
     "Raises: and again by every later call\n"
     "    CompressionError: it is not DEFLATE, refers to what is gone, or ends too early: 1007.\n"
     "    MessageTooBig: it inflates to more than max_size or to more than max_ratio allows: 1009.\n"
     "    ConcurrencyError: another thread uses this codec."},
    {"compress_frame", codec_compress_frame, METH_O,
     "compress_frame($self, frame, /)\n--\n\n"
     "Compresses a frame to send. Frames of a message come in order; control frames may come between them and are\n"
     "returned as they are.\n\n"
     "Args:\n"
     "    frame: a Frame, or a tuple (header, payload); not masked, RSV1 not set.\n\n"
     "Returns:\n"
     "    A Frame. The first one of a message has RSV1.\n\n"
     "Raises:\n"
     "    ProtocolError: RSV1 is set already, or frames are out of order.\n"
     "    ValueError: the frame is masked, or its length is not that of its payload."},
    {"decompress_frame", codec_decompress_frame, METH_O,
     "decompress_frame($self, frame, /)\n--\n\n"
     "Inflates a frame that was received, of a message with RSV1; others are returned as they are. Text is checked.\n\n"
     "Args:\n"
     "    frame: a Frame, or a tuple (header, payload); a masked one is unmasked.\n\n"
     "Returns:\n"
     "    A Frame that is not masked, without RSV1.\n\n"
     "Raises:\n"
     "    ProtocolError: RSV1 on a control or continuation frame, or frames out of order: 1002.\n"
     "    InvalidUTF8: text that is not UTF-8: 1007.\n"
     "    CompressionError, MessageTooBig: as decompress() does."},
    {"forget", codec_forget, METH_NOARGS,
     "forget($self, /)\n--\n\n"
     "Forgets what own messages were, and drops the one that was begun: the next one refers to none of them, which is\n"
     "always legal. For output that was not sent after all."},
    {"idle", codec_idle, METH_NOARGS,
     "idle($self, /)\n--\n\n"
     "Gives memory back that the next messages can do without. Context is kept: the end of what was sent, and the\n"
     "window of a peer that refers to earlier messages."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot codec_slots[] = {
    {Py_tp_doc,
     "Codec(deflate=None, role='server', *, max_size=16777216)\n--\n\n"
     "The compression of one connection, for programs that handle its frames themselves. For one thread at a time;\n"
     "others run while much is compressed or inflated. RFC 7692 7.2.\n\n"
     "Args:\n"
     "    deflate: a Deflate, or 'deflate'; its parameters say what was agreed on. None: Deflate('no_takeover').\n"
     "    role: 'server' or 'client': which end this is.\n"
     "    max_size: bytes that a message of the peer may inflate to, None for no limit.\n\n"
     "Raises:\n"
     "    RuntimeError: the library was built without zlib.\n"
     "    ValueError: an argument is out of range."},
    SLOT(Py_tp_new, codec_tp_new),
    SLOT(Py_tp_dealloc, codec_dealloc),
    {Py_tp_methods, codec_methods},
    {Py_tp_getset, codec_getset},
    {0, NULL},
};

PyType_Spec codec_spec = {
    .name = "fastws.deflate.Codec",
    .basicsize = sizeof(struct codec),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = codec_slots,
};
