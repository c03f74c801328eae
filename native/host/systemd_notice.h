// SPDX-License-Identifier: Apache-2.0
// What a service manager such as systemd is told by this process (sd_notify(3)).
#pragma once

#include <string_view>

namespace sluice::host {

// Sends `state`, such as "READY=1", to the datagram socket that the manager has named in NOTIFY_SOCKET. False when it
// cannot be sent at once: the manager does not read, or is gone.
bool tell_service_manager(std::string_view socket, std::string_view state);

}  // namespace sluice::host
