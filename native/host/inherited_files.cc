// SPDX-License-Identifier: Apache-2.0
#include "host/inherited_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace sluice::host {

// Not close_range(2): its flag for this is of Linux 5.11.
void keep_files_from_programs() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), closedir);
  if (folder == nullptr) return;
  while (const dirent* const entry = readdir(folder.get())) {
    const int descriptor = std::atoi(entry->d_name);  // 0 for the entries . and ..
    if (descriptor > STDERR_FILENO) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
}

void stop_blocking(int descriptor) {
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags >= 0) fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace sluice::host
