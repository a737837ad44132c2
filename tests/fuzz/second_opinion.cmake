# SPDX-License-Identifier: MIT
# Lets a program ask wslay (second_opinion.h), where libwslay-dev is installed.
function(fastws_second_opinion target)
  find_path(WSLAY_INCLUDE_DIR wslay/wslay.h)
  find_library(WSLAY_LIBRARY wslay)
  if(NOT WSLAY_INCLUDE_DIR OR NOT WSLAY_LIBRARY)
    message(STATUS "wslay not found: ${target} has no second opinion (package libwslay-dev)")
    return()
  endif()
  target_compile_definitions(${target} PRIVATE FASTWS_WSLAY)
  target_include_directories(${target} SYSTEM PRIVATE ${WSLAY_INCLUDE_DIR})
  target_link_libraries(${target} PRIVATE ${WSLAY_LIBRARY})
endfunction()
