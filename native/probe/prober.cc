// SPDX-License-Identifier: Apache-2.0
#include "probe/prober.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "probe/echo.h"
#include "probe/sockets.h"

namespace sluice::probe {

namespace {

// More than a process can have descriptors (fs.nr_open) unless its host was tuned for that.
constexpr unsigned slot_bits = 21;
constexpr uint32_t most_slots = 1 << slot_bits;
// An id has 53 bits. A slot whose generations are used up is not used again.
constexpr uint64_t last_generation = (uint64_t{1} << (53 - slot_bits)) - 1;

constexpr Id timer_key = ~Id{0}, handshakes_key = ~Id{1};
constexpr uint32_t everything = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr uint32_t has_ended = EPOLLERR | EPOLLHUP | EPOLLRDHUP;

// A socket makes at most three events a round: `data`, `closed`, `failed`. The rest is left for handshakes, deadlines
// and failures.
constexpr int most_ready = most_events / 4;
static_assert(3 * most_ready + Handshakes::most_answers < most_events);
// The round reads no further socket when it has so much, so that `most_bytes` holds.
constexpr size_t most_of_a_round = most_bytes - most_of_one_socket;

// Buffers of exchanges that have ended are kept for the next exchange up to this size.
constexpr size_t most_kept = 4 << 10;

Time now() {
  timespec at = {};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return static_cast<Time>(at.tv_sec) * second + static_cast<Time>(at.tv_nsec);
}

bool watch(int epoll, int operation, int fd, uint32_t events, Id id) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = id;
  return epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

std::optional<Prober> Prober::open(host::Failure& failure) {
  host::Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  host::Descriptor timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!epoll || !timer || !watch(epoll.get(), EPOLL_CTL_ADD, timer.get(), EPOLLIN, timer_key)) {
    host::fail(failure, "cannot open the descriptors of a prober", errno);
    return {};
  }
  core::SipKey key;
  if (getrandom(&key, sizeof key, 0) != sizeof key) {
    host::fail(failure, "cannot get random bytes for the payloads of pings", errno);
    return {};
  }
  return Prober(std::move(epoll), std::move(timer), key);
}

Prober::Prober(host::Descriptor epoll, host::Descriptor timer, core::SipKey key)
    : epoll_(std::move(epoll)), timer_(std::move(timer)), key_(key), buffer_(most_of_one_socket) {}

Id Prober::id_of(uint32_t index, const Slot& slot) {
  return slot.generation << slot_bits | index;
}

Prober::Slot* Prober::find(Id id) {
  const uint64_t index = id % most_slots;
  if (index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  return slot.stage != Stage::free && slot.generation == id >> slot_bits ? &slot : nullptr;
}

std::optional<uint32_t> Prober::take_slot() {
  if (!free_.empty()) {
    const uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  if (slots_.size() == most_slots) return {};
  slots_.emplace_back();
  return static_cast<uint32_t>(slots_.size() - 1);
}

Id Prober::start(const Request& request) {
  const auto index = take_slot();
  if (!index) return 0;
  Slot& slot = slots_[*index];
  const Id id = id_of(*index, slot);
  slot.stage = Stage::connecting;
  running_++;
  const int error = begin(id, slot, request);
  if (error != 0) {
    fail_later(id, slot, error);
  } else {
    // A timeout of a century must not wrap around.
    deadlines_.insert(*index, now() + std::min(request.timeout, std::numeric_limits<Time>::max() / 4));
    set_timer();
  }
  return id;
}

int Prober::begin(Id id, Slot& slot, const Request& request) {
  slot.protocol = request.protocol;
  slot.is_ipv6 = request.to.family() == AF_INET6;
  slot.connect_only = request.protocol == Protocol::tcp && request.connect_only;
  slot.is_closed = false;
  slot.travels = false;
  if (!request.way.server.is_unspecified()) return begin_to_travel(id, slot, request);
  Opened opened = open_socket(request);
  if (opened.error != 0) return opened.error;
  slot.socket = std::move(opened.socket);
  slot.is_raw = opened.is_raw;
  if (request.protocol == Protocol::tcp) {
    if (request.sends) slot.unsent.assign(request.bytes.begin(), request.bytes.end());
  } else {
    slot.stage = Stage::open;
    if (request.protocol == Protocol::ping) {
      if (const int error = Echo(key_, id).send(slot.socket.get(), slot.is_ipv6)) return error;
    } else if (request.sends) {
      if (::send(slot.socket.get(), request.bytes.data(), request.bytes.size(), MSG_NOSIGNAL) < 0) return errno;
    }
  }
  const uint32_t wanted = request.protocol == Protocol::tcp ? everything : uint32_t{EPOLLIN};
  return watch(epoll_.get(), EPOLL_CTL_ADD, slot.socket.get(), wanted, id) ? 0 : errno;
}

int Prober::begin_to_travel(Id id, Slot& slot, const Request& request) {
  if (!slot.connect_only) return EINVAL;
  if (!handshakes_) {
    Handshakes handshakes(key_);
    if (const int error = handshakes.open()) return error;
    if (!watch(epoll_.get(), EPOLL_CTL_ADD, handshakes.fd(), EPOLLIN, handshakes_key)) return errno;
    handshakes_ = std::move(handshakes);
  }
  slot.travels = true;
  return handshakes_->begin(id, request, now(), slot.socket);
}

void Prober::fail_later(Id id, Slot& slot, int error) {
  slot.socket = {};
  slot.stage = Stage::failing;
  slot.error = error;
  deadlines_.remove(static_cast<uint32_t>(id % most_slots));
  failing_.push_back(id);
  set_timer();
}

void Prober::send(Id id, std::span<const uint8_t> bytes) {
  Slot* slot = find(id);
  if (slot == nullptr || slot->stage == Stage::failing || slot->protocol == Protocol::ping) return;
  int error = 0;
  if (slot->protocol == Protocol::udp) {
    // A datagram that the socket has no room for is lost, as it could be on its way.
    if (::send(slot->socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN) error = errno;
  } else {
    slot->unsent.insert(slot->unsent.end(), bytes.begin(), bytes.end());
    if (slot->stage == Stage::open) error = flush(*slot);
  }
  if (error != 0) fail_later(id, *slot, error);
}

int Prober::flush(Slot& slot) {
  while (slot.sent < slot.unsent.size()) {
    const ssize_t size =
        ::send(slot.socket.get(), slot.unsent.data() + slot.sent, slot.unsent.size() - slot.sent, MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN ? 0 : errno;  // epoll reports when there is room
    slot.sent += static_cast<size_t>(size);
  }
  slot.unsent.clear();
  slot.sent = 0;
  return 0;
}

void Prober::end(Id id) {
  Slot* slot = find(id);
  if (slot == nullptr) return;
  if (slot->socket && slot->protocol == Protocol::tcp && !slot->is_closed) reset_on_close(slot->socket.get());
  slot->socket = host::Descriptor();
  if (slot->travels) handshakes_->end(id);
  slot->stage = Stage::free;
  slot->sent = 0;
  slot->unsent.clear();
  if (slot->unsent.capacity() > most_kept) slot->unsent = {};
  const auto index = static_cast<uint32_t>(id % most_slots);
  deadlines_.remove(index);
  running_--;
  if (slot->generation++ < last_generation) free_.push_back(index);
}

void Prober::end_all() {
  for (uint32_t index = 0; running_ > 0 && index < slots_.size(); index++) {
    if (slots_[index].stage != Stage::free) end(id_of(index, slots_[index]));
  }
  failing_.clear();
}

void Prober::collect(Batch& batch) {
  batch.events.clear();
  batch.bytes.clear();
  std::array<epoll_event, most_ready> ready;
  const int count = epoll_wait(epoll_.get(), ready.data(), most_ready, 0);
  for (int i = 0; i < count; i++) {
    const Id id = ready[static_cast<size_t>(i)].data.u64;
    if (id == handshakes_key) continue;
    if (id != timer_key) {
      handle(id, ready[static_cast<size_t>(i)].events, batch);
      continue;
    }
    uint64_t times = 0;
    // Setting it again has the same effect as reading it, so a failure does no harm.
    if (::read(timer_.get(), &times, sizeof times) > 0) timer_at_ = 0;
  }
  if (handshakes_) collect_handshakes(batch);
  report_failures(batch);
  expire(batch);
  set_timer();
}

void Prober::handle(Id id, uint32_t ready, Batch& batch) {
  Slot* slot = find(id);
  if (slot == nullptr || slot->stage == Stage::failing) return;
  if (slot->stage == Stage::connecting && !finish_connecting(id, *slot, ready, batch)) return;
  if (slot->protocol != Protocol::tcp) {
    if (slot->protocol == Protocol::ping && (ready & EPOLLERR) != 0 && !look_for_ping_error(id, *slot, batch)) return;
    return receive_datagram(id, *slot, batch);
  }
  // What the target has sent before is reported first.
  const int broken = (ready & EPOLLOUT) != 0 ? flush(*slot) : 0;
  if ((ready & (EPOLLIN | has_ended)) != 0 || broken != 0) receive_stream(id, *slot, ready, broken, batch);
}

bool Prober::finish_connecting(Id id, Slot& slot, uint32_t ready, Batch& batch) {
  if ((ready & (EPOLLERR | EPOLLHUP)) != 0) {
    finish(id, EventKind::failed, error_of(slot.socket.get()), batch);
    return false;
  }
  if ((ready & EPOLLOUT) == 0) return false;
  slot.stage = Stage::open;
  if (!slot.connect_only) return true;
  finish(id, EventKind::connected, 0, batch);
  return false;
}

void Prober::receive_stream(Id id, Slot& slot, uint32_t ready, int broken, Batch& batch) {
  size_t received = 0;
  while (received < most_of_one_socket && batch.bytes.size() < most_of_a_round) {
    const size_t room = most_of_one_socket - received;
    const ssize_t size = recv(slot.socket.get(), buffer_.data(), room, 0);
    if (size == 0) return close_stream(id, slot, ready, broken, batch);
    if (size < 0) {
      const int error = errno != EAGAIN ? errno : broken;
      if (error != 0) finish(id, EventKind::failed, error, batch);
      return;
    }
    deliver(id, std::span(buffer_).first(static_cast<size_t>(size)), batch);
    received += static_cast<size_t>(size);
    // A short read has emptied the socket. The end of the stream, or what has failed, is still to be read.
    if (static_cast<size_t>(size) < room && (ready & has_ended) == 0 && broken == 0) return;
  }
  watch(epoll_.get(), EPOLL_CTL_MOD, slot.socket.get(), everything, id);
}

void Prober::close_stream(Id id, Slot& slot, uint32_t ready, int broken, Batch& batch) {
  if (!slot.is_closed) batch.events.push_back({id, EventKind::closed, 0});
  slot.is_closed = true;
  if (broken == 0 && (ready & EPOLLERR) == 0) return;
  finish(id, EventKind::failed, broken != 0 ? broken : error_of(slot.socket.get()), batch);
}

void Prober::receive_datagram(Id id, Slot& slot, Batch& batch) {
  if (batch.bytes.size() >= most_of_a_round) return;  // epoll reports the socket again
  const ssize_t size = recv(slot.socket.get(), buffer_.data(), buffer_.size(), 0);
  if (size < 0) {
    // What concerns a ping is in the queue of errors.
    if (errno != EAGAIN && slot.protocol == Protocol::udp) finish(id, EventKind::failed, errno, batch);
    return;
  }
  const auto received = std::span<const uint8_t>(buffer_).first(static_cast<size_t>(size));
  if (slot.protocol == Protocol::udp) return deliver(id, received, batch);
  const Echo echo(key_, id);
  if (const auto payload = echo.answer(received, slot.is_raw, slot.is_ipv6)) deliver(id, *payload, batch);
}

bool Prober::look_for_ping_error(Id id, Slot& slot, Batch& batch) {
  const int error = Echo(key_, id).error(slot.socket.get(), slot.is_raw);
  if (error != 0) finish(id, EventKind::failed, error, batch);
  return error == 0;
}

void Prober::deliver(Id id, std::span<const uint8_t> bytes, Batch& batch) {
  batch.bytes.insert(batch.bytes.end(), bytes.begin(), bytes.end());
  const auto size = static_cast<uint32_t>(bytes.size());
  const bool goes_on = !batch.events.empty() && batch.events.back().id == id;  // only a stream is read twice in a round
  if (goes_on) {
    batch.events.back().value += size;
  } else {
    batch.events.push_back({id, EventKind::data, size});
  }
}

void Prober::finish(Id id, EventKind kind, int error, Batch& batch) {
  batch.events.push_back({id, kind, static_cast<uint32_t>(error)});
  end(id);
}

void Prober::collect_handshakes(Batch& batch) {
  answers_.clear();
  handshakes_->collect(now(), answers_);
  // No more than most_answers, for which the batch has room: see most_ready.
  for (const auto& [id, error] : answers_) {
    if (find(id) == nullptr) continue;  // answered twice
    finish(id, error == 0 ? EventKind::connected : EventKind::failed, error, batch);
  }
}

void Prober::report_failures(Batch& batch) {
  size_t reported = 0;
  for (; reported < failing_.size() && batch.events.size() < most_events; reported++) {
    const Id id = failing_[reported];
    // An exchange that was ended in the meantime is not found.
    if (const Slot* slot = find(id)) finish(id, EventKind::failed, slot->error, batch);
  }
  failing_.erase(failing_.begin(), failing_.begin() + static_cast<long>(reported));
}

void Prober::expire(Batch& batch) {
  const Time time = now();
  while (!deadlines_.is_empty() && deadlines_.earliest() <= time && batch.events.size() < most_events) {
    const Slot& slot = slots_[deadlines_.first()];
    finish(id_of(deadlines_.first(), slot), EventKind::timeout, slot.stage == Stage::open ? 1 : 0, batch);
  }
}

void Prober::set_timer() {
  constexpr Time at_once = 1;  // long ago
  if (failing_.empty() && deadlines_.is_empty()) return;
  Time wanted = failing_.empty() ? deadlines_.earliest() : at_once;
  if (handshakes_ && handshakes_->due() != 0) wanted = std::min(wanted, handshakes_->due());
  if (timer_at_ != 0 && timer_at_ <= wanted) return;
  itimerspec at = {};
  at.it_value.tv_sec = static_cast<time_t>(wanted / second);
  at.it_value.tv_nsec = static_cast<long>(wanted % second);
  if (timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &at, nullptr) == 0) timer_at_ = wanted;
}

}  // namespace sluice::probe
