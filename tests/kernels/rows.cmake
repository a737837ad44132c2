# SPDX-License-Identifier: MIT
# kernel_rows: the list of rows (rows.c), and every row compiled a second time on top of SIMDe, once for all programs.
find_path(SIMDE_INCLUDE_DIR simde/simde-common.h)
if(NOT SIMDE_INCLUDE_DIR)
  message(FATAL_ERROR
    "SIMDe not found: install libsimde-dev, or configure with -DFASTWS_BUILD_TESTS=OFF and without FASTWS_BUILD_FUZZ")
endif()
if(NOT TARGET kernel_rows)
  file(GLOB row_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/rows.c ${CMAKE_CURRENT_LIST_DIR}/simde_*.c)
  add_library(kernel_rows OBJECT ${row_sources})
  target_link_libraries(kernel_rows PRIVATE fastws_static)
  target_include_directories(kernel_rows PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
  target_include_directories(kernel_rows SYSTEM PRIVATE ${SIMDE_INCLUDE_DIR})
  target_compile_definitions(kernel_rows PRIVATE _POSIX_C_SOURCE=200809L FASTWS_NO_ZLIB)
  target_compile_options(kernel_rows PRIVATE -UNDEBUG)
  if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    # SIMDe asks for loops to be vectorised; where clang then cannot, it says so at the line that inlined them.
    target_compile_options(kernel_rows PRIVATE -Wno-pass-failed)
  endif()
endif()
