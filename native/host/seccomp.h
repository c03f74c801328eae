// SPDX-License-Identifier: Apache-2.0
// A filter of system calls for the whole process (seccomp(2)): what no plane of Sluice ever asks the kernel for fails
// with EPERM, whatever the process is made to run. The calls of every day stay as they are.
//
// The filter holds for all threads, for their children and for what they execute, and cannot be taken off. It brings
// no_new_privs with it: a program that is executed gains no privileges by its file's bits or capabilities. The process
// is made undumpable too: its memory, environment and descriptors in /proc belong to root from then on, so that another
// process of the same user reads no token in them; no core is written either. Linux 4.14 and newer, on x86-64 and
// arm64.
#pragma once

#include "host/failure.h"

namespace sluice::host {

struct Confinement {
  bool allow_exec = false;  // execve: stealing by nftables runs nft(8)
  bool allow_bpf = false;   // bpf(2): a director opens interfaces and fills maps as long as it runs
};

// May be called again, for less. False with a failure: nothing has changed.
bool confine(const Confinement& confinement, Failure& failure);

}  // namespace sluice::host
