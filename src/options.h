/* SPDX-License-Identifier: MIT */
/* Parameters without the option in front of them. */
#ifndef FWS_OPTIONS_H
#define FWS_OPTIONS_H

#include <fastws/options.h>

#include "platform.h"

/* Like fastws_option_next_parameter(), but the semicolon before the parameter may be missing. */
FWS_PRIVATE FASTWS_NODISCARD int fws_option_first_parameter(struct fastws_option_parameter *out,
                                                            struct fastws_slice *parameters);

#endif
