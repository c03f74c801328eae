// SPDX-License-Identifier: Apache-2.0
#include "host/inherited_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
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

// Of an ordinary user, execve(2) keeps what is in the ambient set, and setpriv(1) has put them there.
void keep_capabilities_from_programs() {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void stop_blocking(int descriptor) {
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags >= 0) fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace sluice::host
