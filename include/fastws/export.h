/* SPDX-License-Identifier: MIT */
/* Attributes that the public declarations share. Every other public header includes this one. */
#ifndef FASTWS_EXPORT_H
#define FASTWS_EXPORT_H

/* FASTWS_API marks a symbol that the shared library exports; everything else is hidden. */
#if defined(__GNUC__) || defined(__clang__)
#  define FASTWS_API __attribute__((visibility("default")))
#else
#  define FASTWS_API
#endif

/* FASTWS_NODISCARD: the result says whether the call worked; ignoring it is a bug.
 * FASTWS_NONNULL(...): the arguments named, counted from 1, must not be NULL. */
#if defined(__GNUC__) || defined(__clang__)
#  define FASTWS_NODISCARD __attribute__((warn_unused_result))
#  define FASTWS_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#else
#  define FASTWS_NODISCARD
#  define FASTWS_NONNULL(...)
#endif

#ifdef __cplusplus
#  define FASTWS_BEGIN_DECLS extern "C" {
#  define FASTWS_END_DECLS }
#else
#  define FASTWS_BEGIN_DECLS
#  define FASTWS_END_DECLS
#endif

#endif
