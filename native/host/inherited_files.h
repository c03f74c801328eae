// SPDX-License-Identifier: Apache-2.0
// Files that this process has open from whoever started it.
#pragma once

namespace sluice::host {

// Marks all open files but the standard streams close-on-exec: programs that this process starts do not have them,
// unless it hands them down by name.
void keep_files_from_programs();

// Calls on the file return EAGAIN where they would wait, for all processes that share it.
void stop_blocking(int descriptor);

}  // namespace sluice::host
