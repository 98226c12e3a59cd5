// SPDX-License-Identifier: Apache-2.0
#include "artifact/random_file.h"
