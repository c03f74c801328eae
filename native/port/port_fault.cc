// SPDX-License-Identifier: Apache-2.0
#include "port/port_fault.h"

#include <cerrno>

namespace sluice::port {

PortFault fault_of(int number) {
  switch (number) {
    case EPERM:
    case EACCES:
      return PortFault::no_permission;
    case ENODEV:
    case ENXIO:
      return PortFault::no_interface;
    case ENOMEM:
    case ENOBUFS:
      return PortFault::no_memory;
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
      return PortFault::unsupported;
    default:
      return PortFault::system;
  }
}

}  // namespace sluice::port
