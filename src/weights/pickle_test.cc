// SPDX-License-Identifier: Apache-2.0
#include "weights/pickle.h"
