/* SPDX-License-Identifier: MIT */
/* Everything: include this one, or only the concepts that you use. */
#ifndef FASTWS_FASTWS_H
#define FASTWS_FASTWS_H

#include <fastws/allocator.h>
#include <fastws/close.h>
#include <fastws/conn.h>
#include <fastws/connect.h>
#include <fastws/cookies.h>
#include <fastws/cpu.h>
#include <fastws/deflate.h>
#include <fastws/deflate_params.h>
#include <fastws/dial.h>
#include <fastws/error.h>
#include <fastws/event.h>
#include <fastws/export.h>
#include <fastws/extension.h>
#include <fastws/frame.h>
#include <fastws/handshake.h>
#include <fastws/header.h>
#include <fastws/http.h>
#include <fastws/http_head.h>
#include <fastws/http_lexer.h>
#include <fastws/http_write.h>
#include <fastws/iovec.h>
#include <fastws/limits.h>
#include <fastws/loop.h>
#include <fastws/mask.h>
#include <fastws/options.h>
#include <fastws/pool.h>
#include <fastws/prepared.h>
#include <fastws/random.h>
#include <fastws/stream.h>
#include <fastws/tls.h>
#include <fastws/upgrade.h>
#include <fastws/url.h>
#include <fastws/utf8.h>
#include <fastws/version.h>

#endif
