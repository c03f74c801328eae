// SPDX-License-Identifier: Apache-2.0
#include "engine/rehearsal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "director/flows/trace.h"
#include "director/services/text.h"
#include "host/descriptor.h"

namespace sluice::engine {

namespace {

// What goes through the pipe: numbers of 32 bits, and strings behind their length.
class Words {
 public:
  void put(uint32_t number) { bytes_.append(reinterpret_cast<const char*>(&number), sizeof number); }
  void put(std::string_view text) {
    put(static_cast<uint32_t>(text.size()));
    bytes_.append(text);
  }
  std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Every read past the end gives nothing, and is remembered.
class WordReader {
 public:
  explicit WordReader(std::string_view bytes) : left_(bytes) {}
  uint32_t number() {
    uint32_t value = 0;
    const std::string_view bytes = take(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(number()); }
  bool is_whole() const { return !is_cut_; }

 private:
  std::string_view take(size_t length) {
    if (length > left_.size()) {
      is_cut_ = true;
      left_ = {};
      return {};
    }
    const std::string_view taken = left_.substr(0, length);
    left_.remove_prefix(length);
    return taken;
  }
  std::string_view left_;
  bool is_cut_ = false;
};

void put_decision(director::Director& director, const director::Decision& decision, Words& words) {
  words.put(static_cast<uint32_t>(decision.reason));
  std::string service, server, mode;
  if (decision.destination != director::no_destination) {
    const director::Destination& destination = director.services().destination(decision.destination);
    service = director::to_text(destination.home);
    server = director::to_text(destination.address, destination.port);
    mode = director::mode_text(destination.forwarding);
  } else if (decision.service != nullptr) {
    service = director::to_text(decision.service->key);
  }
  for (const std::string& party : {service, server, mode}) words.put(party);
}

void put_frame(const director::Frame& frame, Words& words) {
  words.put(frame.port);
  words.put(std::string_view(reinterpret_cast<const char*>(frame.data), frame.length));
}

RehearsedDecision read_decision(WordReader& reader) {
  RehearsedDecision decision;
  decision.reason = static_cast<director::Reason>(reader.number());
  for (std::string* party : {&decision.service, &decision.server, &decision.mode}) *party = reader.text();
  for (uint32_t left = reader.number(); left > 0 && reader.is_whole(); left--) {
    decision.steps.emplace_back(reader.text());
  }
  for (uint32_t left = reader.number(); left > 0 && reader.is_whole(); left--) {
    RehearsedFrame& frame = decision.sent.emplace_back();
    frame.port = static_cast<director::PortId>(reader.number());
    const std::string_view bytes = reader.text();
    frame.bytes.assign(bytes.begin(), bytes.end());
  }
  return decision;
}

std::string decide_all(director::Director& director, Time now, const std::vector<RehearsalFrame>& frames) {
  Words words;
  director::TransmitQueue out;
  for (const RehearsalFrame& given : frames) {
    std::vector<uint8_t> room(director::required_headroom + given.bytes.size());
    std::copy(given.bytes.begin(), given.bytes.end(), room.begin() + director::required_headroom);
    director::Frame frame;
    frame.data = room.data() + director::required_headroom;
    frame.length = static_cast<uint32_t>(given.bytes.size());
    frame.port = given.port;
    frame.mark = given.mark;
    out.clear();
    director::Trace trace;
    put_decision(director, director.receive(frame, now, out, &trace), words);
    words.put(static_cast<uint32_t>(trace.steps().size()));
    for (const std::string& step : trace.steps()) words.put(step);
    words.put(static_cast<uint32_t>(out.entries().size()));
    for (const auto& entry : out.entries()) put_frame(entry.frame, words);
  }
  return std::string(words.bytes());
}

[[noreturn]] void perform(int pipe, director::Director& director, Time now, const std::vector<RehearsalFrame>& frames,
                          const std::function<void()>& prepare) {
  // Goes with whoever asked, however that ends.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!director.make_private()) _exit(1);
  if (prepare) prepare();
  const std::string told = decide_all(director, now, frames);
  size_t written = 0;
  while (written < told.size()) {
    const ssize_t count = write(pipe, told.data() + written, told.size() - written);
    if (count <= 0) break;
    written += static_cast<size_t>(count);
  }
  // No destructors, no handlers at the exit: they are the other process's.
  _exit(written == told.size() ? 0 : 1);
}

// A signal that the copy got would be handled as if this process had got it, through pipes that both have.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

 private:
  sigset_t before_;
};

// Until the other end is closed. False when that takes too long.
bool read_all(int pipe, int limit_milliseconds, std::string& told) {
  const Time end = monotonic_nanoseconds() + static_cast<Time>(limit_milliseconds) * 1'000'000;
  std::array<char, 65536> part;
  for (;;) {
    const Time now = monotonic_nanoseconds();
    pollfd ready = {pipe, POLLIN, 0};
    if (now >= end || poll(&ready, 1, static_cast<int>((end - now) / 1'000'000) + 1) <= 0) return false;
    const ssize_t count = read(pipe, part.data(), part.size());
    if (count <= 0) return count == 0;
    told.append(part.data(), static_cast<size_t>(count));
  }
}

struct Pipe {
  host::Descriptor read_end, write_end;
  bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end = host::Descriptor(ends[0]);
    write_end = host::Descriptor(ends[1]);
    return true;
  }
};

pid_t fork_held_back(int pipe, director::Director& director, Time now, const std::vector<RehearsalFrame>& frames,
                     const std::function<void()>& prepare) {
  const SignalsHeldBack held_back;
  const pid_t child = fork();
  if (child == 0) perform(pipe, director, now, frames, prepare);
  return child;
}

}  // namespace

bool rehearse(DirectorWorker& worker, const std::vector<RehearsalFrame>& frames, const RehearsalOptions& options,
              Rehearsal& rehearsal, host::Failure& failure) {
  Pipe pipe;
  if (!pipe.open()) return host::fail(failure, "no pipe for a rehearsal", errno);
  pid_t child;
  int error;
  {
    DirectorWorker::Visit visit(worker);
    const Time begin = monotonic_nanoseconds();
    child = fork_held_back(pipe.write_end.get(), visit.director(), visit.now(), frames, options.prepare);
    error = errno;
    rehearsal.stood_still = monotonic_nanoseconds() - begin;
  }
  if (child < 0) {
    return host::fail(failure, "the director cannot be copied (is there memory for a second one?)", error);
  }
  pipe.write_end = host::Descriptor();
  std::string told;
  const bool is_told = read_all(pipe.read_end.get(), options.limit_milliseconds, told);
  if (!is_told) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!is_told) {
    return host::fail(failure, "the director's copy had no answer after " + std::to_string(options.limit_milliseconds) +
                                   " ms; ask again when the host is less busy");
  }
  WordReader reader(told);
  for (size_t i = 0; i < frames.size(); i++) rehearsal.decisions.push_back(read_decision(reader));
  const bool is_whole = WIFEXITED(status) && WEXITSTATUS(status) == 0 && reader.is_whole();
  return is_whole ||
         host::fail(
             failure,
             "the director's copy ended before it had answered; ask again, and report this packet if that fails too");
}

}  // namespace sluice::engine
