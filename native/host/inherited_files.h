// SPDX-License-Identifier: Apache-2.0
// What this process has from whoever started it, and what programs that it starts have from it.
#pragma once

namespace sluice::host {

// Marks all open files but the standard streams close-on-exec: programs that this process starts do not have them,
// unless it hands them down by name.
void keep_files_from_programs();

// Programs that the calling thread starts have none of the capabilities that this process was given, unless it runs as
// root. The process itself keeps them.
void keep_capabilities_from_programs();

// Calls on the file return EAGAIN where they would wait, for all processes that share it.
void stop_blocking(int descriptor);

}  // namespace sluice::host
