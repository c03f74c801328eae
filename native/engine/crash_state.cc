// SPDX-License-Identifier: Apache-2.0
#include "engine/crash_state.h"

#include <sys/socket.h>

#include <cstring>

namespace sluice::engine {

bool CrashState::make_sockets(int sockets[2], host::Failure& failure) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0) return true;
  return host::fail(failure, "cannot make a pair of sockets", errno);
}

bool CrashState::give(CrashItem item, uint16_t worker, int descriptor) const {
  return give(Label{item, worker}, descriptor);
}

bool CrashState::give(const Label& label, int descriptor) const {
  Label content = label;
  iovec data = {&content, sizeof content};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return sendmsg(giving_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof content);
}

bool CrashState::receive(Taken& taken) const {
  iovec data = {&taken.label, sizeof taken.label};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(taking_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return false;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return true;
  int descriptor;
  std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
  taken.descriptor = host::Descriptor(descriptor);
  return true;
}

void CrashState::take() {
  for (Taken one{}; receive(one); one = {}) {
    if (one.descriptor) taken_.push_back(std::move(one));
  }
  for (const Taken& one : taken_) give(one.label, one.descriptor.get());
}

// The first of its kind: a process that ended before it had taken over has given things too, behind those.
int CrashState::taken(CrashItem item, uint16_t worker) const {
  for (const Taken& one : taken_) {
    if (one.label.item == item && one.label.worker == worker) return one.descriptor.get();
  }
  return -1;
}

void CrashState::forget() {
  for (size_t i = 0; i < taken_.size(); i++) {
    Taken again{};
    receive(again);
  }
  taken_.clear();
}

void CrashState::withdraw() {
  taken_.clear();
  for (Taken one{}; receive(one); one = {}) continue;
}

}  // namespace sluice::engine
