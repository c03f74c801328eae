// SPDX-License-Identifier: Apache-2.0
// A Unix socket that listens and that this process itself does not read: its children do.
#pragma once

#include <string>

#include "host/descriptor.h"
#include "host/failure.h"

namespace sluice::host {

// Only the owner may connect. An empty descriptor after a failure. Removes what is at the path before.
Descriptor listen_unix(const std::string& path, Failure& failure);

}  // namespace sluice::host
