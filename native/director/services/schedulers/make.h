// SPDX-License-Identifier: Apache-2.0
// The factory functions of all schedulers; scheduler.cc lists them by name.
#pragma once

#include <memory>

#include "director/services/scheduler.h"

namespace sluice::director::schedulers {

std::unique_ptr<Scheduler> make_rr(SchedulerContext context);
std::unique_ptr<Scheduler> make_wrr(SchedulerContext context);
std::unique_ptr<Scheduler> make_lc(SchedulerContext context);
std::unique_ptr<Scheduler> make_wlc(SchedulerContext context);
std::unique_ptr<Scheduler> make_lblc(SchedulerContext context);
std::unique_ptr<Scheduler> make_lblcr(SchedulerContext context);
std::unique_ptr<Scheduler> make_dh(SchedulerContext context);
std::unique_ptr<Scheduler> make_sh(SchedulerContext context);
std::unique_ptr<Scheduler> make_mh(SchedulerContext context);
std::unique_ptr<Scheduler> make_sed(SchedulerContext context);
std::unique_ptr<Scheduler> make_nq(SchedulerContext context);
std::unique_ptr<Scheduler> make_fo(SchedulerContext context);
std::unique_ptr<Scheduler> make_ovf(SchedulerContext context);
std::unique_ptr<Scheduler> make_twos(SchedulerContext context);
std::unique_ptr<Scheduler> make_random(SchedulerContext context);
std::unique_ptr<Scheduler> make_ring(SchedulerContext context);
std::unique_ptr<Scheduler> make_rendezvous(SchedulerContext context);

}  // namespace sluice::director::schedulers
