// SPDX-License-Identifier: Apache-2.0
#include "engine/crash_state.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

namespace sluice::engine {

namespace {

// The kernel's SCM_MAX_FD.
constexpr size_t most_descriptors = 253;

void set_peek_offset(int socket, int offset) {
  setsockopt(socket, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset);
}

}  // namespace

// The data of a message. The message's descriptors are in the order of the labels.
struct CrashState::Part {
  uint64_t tag = 0, edition = 0;
  uint32_t number = 0, parts = 0, count = 0;
  std::array<Label, most_descriptors> labels{};
};

bool CrashState::make_sockets(int sockets[2], host::Failure& failure) {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0) return true;
  return host::fail(failure, "cannot make a pair of sockets", errno);
}

bool CrashState::give_all(CrashItem item, uint16_t worker, std::span<const int> descriptors) {
  Table kept;
  for (const int descriptor : descriptors) {
    kept.push_back({{item, worker}, host::Descriptor(fcntl(descriptor, F_DUPFD_CLOEXEC, 0))});
    if (!kept.back().descriptor) return false;
  }
  const std::lock_guard lock(giving_or_taking_over_);
  std::erase_if(given_, [&](const Entry& entry) { return entry.label.item == item && entry.label.worker == worker; });
  std::move(kept.begin(), kept.end(), std::back_inserter(given_));
  return !is_in_force_ || write();
}

// Writes a new edition of the table behind the one in force.
bool CrashState::write() {
  const size_t parts = (given_.size() + most_descriptors - 1) / most_descriptors;
  Part part{.tag = tag_, .edition = edition_ + 1, .parts = static_cast<uint32_t>(parts)};
  const size_t before = queued_;
  for (; part.number < parts; part.number++) {
    if (!send_part(part, given_, part.number * most_descriptors)) {
      // The messages sent so far are an edition that stays incomplete. They leave the queue together with the old
      // table.
      const int error = errno;
      queued_ += part.number;
      edition_++;
      errno = error;
      return false;
    }
  }
  queued_ += parts;
  edition_++;
  drop_parts(before);
  return true;
}

bool CrashState::send_part(const Part& part, const Table& table, size_t first) const {
  Part content = part;
  std::array<int, most_descriptors> descriptors;
  for (; content.count < most_descriptors && first + content.count < table.size(); content.count++) {
    const Entry& entry = table[first + content.count];
    content.labels[content.count] = entry.label;
    descriptors[content.count] = entry.descriptor.get();
  }
  const size_t size = content.count * sizeof(int);
  iovec data = {&content, sizeof content};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof descriptors)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  return sendmsg(giving_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof content);
}

// Reads the next message and leaves it in the queue. False if there is none.
bool CrashState::read_part(Part& part, Table& entries) const {
  iovec data = {&part, sizeof part};
  alignas(cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t length = recvmsg(taking_.get(), &message, MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC);
  if (length <= 0) return false;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int descriptor;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof descriptor, sizeof descriptor);
      entries.push_back({part.labels[i], host::Descriptor(descriptor)});
    }
  }
  // A message of another shape comes from another build: it counts for no edition.
  if (length != static_cast<ssize_t>(sizeof part) || (message.msg_flags & MSG_TRUNC) != 0) part = {};
  if (entries.size() != part.count) part.parts = 0;
  return true;
}

void CrashState::read_queue() {
  struct Edition {
    uint64_t tag = 0;
    uint32_t missing = 0;
    Table entries;
  };
  std::map<uint64_t, Edition> editions;
  set_peek_offset(taking_.get(), 0);
  for (;;) {
    Part part;
    Table entries;
    if (!read_part(part, entries)) break;
    queued_++;
    edition_ = std::max(edition_, part.edition);
    if (part.parts == 0) continue;
    Edition& edition = editions.try_emplace(part.edition, Edition{part.tag, part.parts, {}}).first->second;
    edition.missing--;
    std::move(entries.begin(), entries.end(), std::back_inserter(edition.entries));
  }
  set_peek_offset(taking_.get(), -1);
  for (auto newest = editions.rbegin(); newest != editions.rend(); ++newest) {
    if (newest->second.missing != 0) continue;
    if (newest->second.tag == tag_) taken_ = std::move(newest->second.entries);
    return;
  }
}

void CrashState::take() {
  read_queue();
  has_refused_ = queued_ > 0 && taken_.empty();
  if (has_refused_) withdraw();
}

int CrashState::taken(CrashItem item, uint16_t worker) const {
  for (const Entry& entry : taken_) {
    if (entry.label.item == item && entry.label.worker == worker) return entry.descriptor.get();
  }
  return -1;
}

void CrashState::drop_given() {
  const std::lock_guard lock(giving_or_taking_over_);
  given_.clear();
}

bool CrashState::take_over(host::Failure& failure) {
  const std::lock_guard lock(giving_or_taking_over_);
  is_in_force_ = true;
  taken_.clear();
  if (write()) return true;
  const int error = errno;
  return host::fail(failure,
                    "cannot keep " + std::to_string(given_.size()) +
                        " descriptors for a process after this one (raise the limit of open files, `ulimit -n`)",
                    error);
}

void CrashState::withdraw() {
  const std::lock_guard lock(giving_or_taking_over_);
  taken_.clear();
  is_in_force_ = false;
  // A process of another build may have left more messages than were counted.
  char byte;
  while (recv(taking_.get(), &byte, sizeof byte, MSG_DONTWAIT) > 0) continue;
  queued_ = 0;
}

// There is no room for the descriptors of these messages, so the kernel closes them.
void CrashState::drop_parts(size_t count) {
  char byte;
  for (; count > 0 && recv(taking_.get(), &byte, sizeof byte, MSG_DONTWAIT) > 0; count--) queued_--;
}

}  // namespace sluice::engine
