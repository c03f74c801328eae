// SPDX-License-Identifier: Apache-2.0
// What a confined process may do. Each test runs in a child process, because a filter cannot be removed.
#include "host/seccomp.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <thread>
#include <vector>

using namespace sluice;

namespace {

// What a child found, one byte per question.
std::string ask_confined(const host::Confinement& confinement, const std::function<std::string()>& questions) {
  int answers[2];
  REQUIRE(pipe(answers) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    host::Failure failure;
    const std::string said = host::confine(confinement, failure) ? questions() : "not confined: " + failure.message;
    _exit(write(answers[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  close(answers[1]);
  std::string said;
  char some[256];
  for (ssize_t count; (count = read(answers[0], some, sizeof some)) > 0;) said.append(some, static_cast<size_t>(count));
  close(answers[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  return said;
}

// Harmless, whether or not the call is allowed: all arguments are invalid.
bool is_denied(long number) {
  return syscall(number, -1, 0, 0, 0, 0, 0) == -1 && errno == EPERM;
}

const std::map<std::string, long> never_needed = {
    {"ptrace", SYS_ptrace},
    {"process_vm_readv", SYS_process_vm_readv},
    {"process_vm_writev", SYS_process_vm_writev},
    {"kexec_load", SYS_kexec_load},
    {"init_module", SYS_init_module},
    {"finit_module", SYS_finit_module},
    {"delete_module", SYS_delete_module},
    {"reboot", SYS_reboot},
    {"mount", SYS_mount},
    {"umount2", SYS_umount2},
    {"pivot_root", SYS_pivot_root},
    {"chroot", SYS_chroot},
    {"move_mount", SYS_move_mount},
    {"open_tree", SYS_open_tree},
    {"fsopen", SYS_fsopen},
    {"open_by_handle_at", SYS_open_by_handle_at},
    {"setns", SYS_setns},
    {"unshare", SYS_unshare},
    {"settimeofday", SYS_settimeofday},
    {"clock_settime", SYS_clock_settime},
    {"adjtimex", SYS_adjtimex},
    {"swapon", SYS_swapon},
    {"acct", SYS_acct},
    {"add_key", SYS_add_key},
    {"keyctl", SYS_keyctl},
    {"perf_event_open", SYS_perf_event_open},
    {"userfaultfd", SYS_userfaultfd},
    {"personality", SYS_personality},
    {"io_uring_setup", SYS_io_uring_setup},
#if defined(__x86_64__)
    {"iopl", SYS_iopl},
    {"ioperm", SYS_ioperm},
#endif
};

std::string permitted() {
  std::string names;
  for (const auto& [name, number] : never_needed) {
    if (!is_denied(number)) names += name + " ";
  }
  return names;
}

// Empty, or the names of the calls that do not work.
std::string work_as_every_day() {
  std::string broken;
  const auto expect = [&](bool works, const char* what) {
    if (!works) broken += std::string(what) + " ";
  };
  const int any = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  expect(any >= 0, "socket");
  expect(open("/proc/self/status", O_RDONLY) >= 0, "open");
  expect(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED, "mmap");
  expect(memfd_create("x", MFD_CLOEXEC) >= 0, "memfd_create");
  std::atomic<bool> has_run = false;
  std::thread([&] { has_run = true; }).join();
  expect(has_run, "thread");
  const pid_t child = fork();
  if (child == 0) _exit(7);
  int status = 0;
  expect(child > 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7, "fork");
  timespec now{};
  expect(clock_gettime(CLOCK_REALTIME, &now) == 0, "clock_gettime");
  expect(kill(getpid(), 0) == 0, "kill");
  return broken;
}

std::string try_exec_and_bpf() {
  bpf_attr attributes{};
  const bool has_bpf = syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, 4) == -1 && errno != EPERM;
  const char* const nothing[] = {"/nowhere", nullptr};
  const bool has_exec = execve("/nowhere", const_cast<char* const*>(nothing), nullptr) == -1 && errno == ENOENT;
  return std::string(has_exec ? "exec " : "") + (has_bpf ? "bpf" : "");
}

}  // namespace

TEST_CASE("calls that no plane needs are denied, and common calls work") {
  CHECK(ask_confined({.allow_exec = true, .allow_bpf = true}, permitted) == "");
  CHECK(ask_confined({}, permitted) == "");
  CHECK(ask_confined({}, work_as_every_day) == "");
}

TEST_CASE("exec and bpf(2) work if they are allowed") {
  CHECK(ask_confined({}, try_exec_and_bpf) == "");
  CHECK(ask_confined({.allow_exec = true}, try_exec_and_bpf) == "exec ");
  // Without the capability the kernel itself returns EPERM.
  if (geteuid() != 0) return;
  CHECK(ask_confined({.allow_bpf = true}, try_exec_and_bpf) == "bpf");
  CHECK(ask_confined({.allow_exec = true, .allow_bpf = true}, try_exec_and_bpf) == "exec bpf");
}

TEST_CASE("a child cannot enter new namespaces by any system call") {
  const auto questions = [] {
    std::string possible;
    const long cloned = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
    if (cloned == 0) _exit(0);
    if (cloned > 0 || errno != EPERM) possible += "clone ";
    clone_args arguments{};
    arguments.flags = CLONE_NEWUSER;
    arguments.exit_signal = SIGCHLD;
    const long cloned3 = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (cloned3 == 0) _exit(0);
    if (cloned3 > 0 || errno != ENOSYS) possible += "clone3 ";
    return possible;
  };
  CHECK(ask_confined({}, questions) == "");
}

TEST_CASE("running threads are confined, too, and gain no privileges by what they execute") {
  int answers[2];
  REQUIRE(pipe(answers) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::atomic<bool> is_confined = false;
    std::string found = "?";
    std::thread other([&] {
      while (!is_confined) std::this_thread::yield();
      found = permitted() + (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "locked" : "");
    });
    host::Failure failure;
    const bool is_done = host::confine({}, failure);
    is_confined = true;
    other.join();
    if (!is_done) found = failure.message;
    _exit(write(answers[1], found.data(), found.size()) > 0 ? 0 : 1);
  }
  close(answers[1]);
  char said[256] = {};
  CHECK(read(answers[0], said, sizeof said - 1) > 0);
  CHECK(std::string(said) == "locked");
  close(answers[0]);
  REQUIRE(waitpid(child, nullptr, 0) == child);
}

TEST_CASE("a process may confine itself further") {
  CHECK(ask_confined({.allow_exec = true, .allow_bpf = true}, [] {
          host::Failure failure;
          return host::confine({}, failure) ? try_exec_and_bpf() : failure.message;
        }) == "");
}
