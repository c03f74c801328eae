// SPDX-License-Identifier: Apache-2.0
#include "host/seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <vector>

namespace sluice::host {

namespace {

#if defined(__x86_64__)
constexpr uint32_t native_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t native_architecture = AUDIT_ARCH_AARCH64;
#else
#error "say which audit architecture system calls of this machine have"
#endif

// Newer than the headers of Debian 12. The numbers are the same on every architecture.
constexpr uint32_t number_of_mount_setattr = 442, number_of_quotactl_fd = 443;

// System calls that no plane ever needs, grouped by how they could be misused.
constexpr uint32_t never_needed[] = {
    // Memory and descriptors of other processes.
    __NR_ptrace,
    __NR_process_vm_readv,
    __NR_process_vm_writev,
    __NR_kcmp,
    __NR_pidfd_getfd,
    // Loading another kernel, or code into this one.
    __NR_kexec_load,
    __NR_init_module,
    __NR_finit_module,
    __NR_delete_module,
    __NR_reboot,
#ifdef __NR_kexec_file_load
    __NR_kexec_file_load,
#endif
    // Changing which files the process sees.
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_chroot,
    __NR_move_mount,
    __NR_open_tree,
    __NR_fsopen,
    __NR_fsconfig,
    __NR_fsmount,
    __NR_fspick,
    number_of_mount_setattr,
    __NR_open_by_handle_at,
    __NR_name_to_handle_at,
    __NR_quotactl,
    number_of_quotactl_fd,
    __NR_swapon,
    __NR_swapoff,
    __NR_acct,
    __NR_fanotify_init,
    // Entering other namespaces.
    __NR_setns,
    __NR_unshare,
    // The machine's clock and name.
    __NR_settimeofday,
    __NR_clock_settime,
    __NR_clock_adjtime,
    __NR_adjtimex,
    __NR_sethostname,
    __NR_setdomainname,
    // Keys, the kernel's log, terminals.
    __NR_add_key,
    __NR_request_key,
    __NR_keyctl,
    __NR_syslog,
    __NR_vhangup,
    // Frequent entry points of kernel exploits. Node works without io_uring if it is refused.
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_personality,
    __NR_io_uring_setup,
    __NR_nfsservctl,
    __NR_lookup_dcookie,
#if defined(__x86_64__)
    __NR_iopl,
    __NR_ioperm,
    __NR_modify_ldt,
    __NR_uselib,
    __NR_ustat,
    __NR_sysfs,
    __NR__sysctl,
#endif
};

// Namespaces that a child would enter. CLONE_NEWTIME has no bit among the flags of clone(2).
constexpr uint32_t new_namespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

constexpr uint32_t denied = SECCOMP_RET_ERRNO | EPERM;
// The C library then falls back to clone(), whose flags the filter can check. The flags of clone3() lie in memory.
constexpr uint32_t unknown = SECCOMP_RET_ERRNO | ENOSYS;

using Filter = std::vector<sock_filter>;

void load(Filter& filter, size_t offset) {
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)));
}
void finish(Filter& filter, uint32_t action) {
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, action));
}
// Ends the filter with `action` if the loaded value equals `number`.
void finish_if(Filter& filter, uint32_t number, uint32_t action) {
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
  finish(filter, action);
}

Filter filter_of(const Confinement& confinement) {
  Filter filter;
  load(filter, offsetof(seccomp_data, arch));
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, native_architecture, 1, 0));
  finish(filter, denied);  // 32-bit programs number their calls differently
  load(filter, offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  constexpr uint32_t x32_bit = 0x40000000;  // x32 programs, too, number their calls differently
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, x32_bit, 0, 1));
  finish(filter, denied);
#endif
  for (const uint32_t number : never_needed) finish_if(filter, number, denied);
  finish_if(filter, __NR_clone3, unknown);
  if (!confinement.allow_bpf) finish_if(filter, __NR_bpf, denied);
  if (!confinement.allow_exec) {
    finish_if(filter, __NR_execve, denied);
    finish_if(filter, __NR_execveat, denied);
  }
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3));
  load(filter, offsetof(seccomp_data, args));  // the lower half, on little-endian machines
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, new_namespaces, 0, 1));
  finish(filter, denied);
  finish(filter, SECCOMP_RET_ALLOW);
  return filter;
}

}  // namespace

bool confine(const Confinement& confinement, Failure& failure) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(failure, "cannot give up new privileges (no_new_privs)", errno);
  }
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return fail(failure, "cannot keep the memory from other processes (dumpable)", errno);
  }
  Filter filter = filter_of(confinement);
  sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
  const long outcome = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (outcome == 0) return true;
  if (outcome > 0) {
    return fail(failure,
                "cannot confine thread " + std::to_string(outcome) + ": it has a filter of system calls of its own");
  }
  return fail(failure, "cannot set a filter of system calls (does the kernel have CONFIG_SECCOMP_FILTER?)", errno);
}

}  // namespace sluice::host
