// SPDX-License-Identifier: Apache-2.0
#include "artifact/inflated_cache.h"
