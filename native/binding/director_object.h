// SPDX-License-Identifier: Apache-2.0
// A director that JavaScript feeds with frames, for replays and for programs. (Live traffic never passes through
// JavaScript.)
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/plan_step.h"
#include "director/stages/director.h"

namespace sluice::binding {

// The longest frame with segmentation offload: 64 KiB behind an IPv6 header, and a link header with two tags.
inline constexpr size_t longest_frame = 65535 + 40 + 14 + 8;

class DirectorObject : public Napi::ObjectWrap<DirectorObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit DirectorObject(const Napi::CallbackInfo& info);  // ({ flowLimit, seed, start: bigint })

 private:
  Napi::Value set_route_table(const Napi::CallbackInfo& info);  // ({ ports, routes, neighbours })
  Napi::Value apply(const Napi::CallbackInfo& info);            // (step) → "done", or what is wrong
  // (port, frame: Uint8Array, time: bigint, { mark, partial, segmentation, segmentSize, explain }) → decision
  Napi::Value receive(const Napi::CallbackInfo& info);
  Napi::Value announce(const Napi::CallbackInfo& info);  // () → frames
  // director_batch.cc: (buffers: Uint8Array[], frames: Uint32Array, times: BigUint64Array, first, end, explain)
  // → { next, decisions, parties, sent, sentFrames, timerTimes, steps }
  Napi::Value receive_batch(const Napi::CallbackInfo& info);
  Napi::Value advance(const Napi::CallbackInfo& info);      // (time: bigint) → frames
  Napi::Value connections(const Napi::CallbackInfo& info);  // (time: bigint) → rows
  Napi::Value services(const Napi::CallbackInfo& info);     // () → services with counts
  Napi::Value counts(const Napi::CallbackInfo& info);       // () → packets by reason

  Napi::Object describe(Napi::Env env, const director::Decision& decision);
  Napi::Array transmitted(Napi::Env env);
  // Adds the names of the service, of the real server and of the forwarding mode, as far as the decision has them.
  void name_parties(Napi::Object& names, const director::Decision& decision);
  director::Frame copy_in(wire::Bytes bytes);
  // Calls on_sent(time, frame) for each frame that a timer sends until `now`.
  template <class OnSent>
  void advance_to(Time now, OnSent on_sent);

  std::unique_ptr<director::Director> director_;
  PlanNames names_;
  director::TransmitQueue out_;
  std::vector<uint8_t> buffer_;
  Time now_ = 0;
};

// A capture may pause for years, but ticks can be compared over 104 days at most.
inline constexpr Time longest_leap = 30 * 24 * 3600 * second;

// Each timer runs at its own time, so that its frames carry that time.
template <class OnSent>
void DirectorObject::advance_to(Time now, OnSent on_sent) {
  constexpr uint32_t whole_budget = UINT32_MAX;
  for (Time step = now_;;) {
    const Time timer = std::max(director_->next_timer().value_or(now), step);
    step = std::min({now, timer, step + longest_leap});
    for (bool done = false; !done;) {
      out_.clear();
      done = director_->advance(step, whole_budget, out_);
      for (const auto& entry : out_.entries()) on_sent(step, entry.frame);
    }
    if (step >= now) break;
  }
  now_ = std::max(now_, now);
}

}  // namespace sluice::binding
