// SPDX-License-Identifier: Apache-2.0
#include "engine/service_rows.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "director/services/text.h"

namespace sluice::engine {

namespace {

namespace rows = service_layout;

using Name = std::array<uint64_t, rows::name_words>;

Name name_of(const director::Service& service, const director::Destination* server) {
  std::string text = service.key.address.family == wire::Family::ipv6 ? "6 " : "4 ";
  text += director::to_text(service.key);
  if (server != nullptr) text += " > " + director::to_text(server->address, server->port);
  Name name{};
  std::memcpy(name.data(), text.data(), std::min(text.size(), sizeof name));
  return name;
}

void store(uint64_t& word, uint64_t value) {
  std::atomic_ref<uint64_t>(word).store(value, std::memory_order_relaxed);
}

}  // namespace

bool ServiceRows::advance(const director::Director& director, Time now) {
  if (area_.empty()) return true;
  if (next_ == rows_.size() && is_valid_) {
    if (now < due()) return true;
    next_ = 0;
  }
  // If a visitor changes services in many visits, they are listed once per pass, not once per visit.
  if (!is_valid_ && begun_ != 0 && now < due()) return true;
  if (!is_valid_) list(director);
  if (next_ == 0) begun_ = now;
  const size_t end = std::min(next_ + rows_a_round, rows_.size());
  for (; next_ < end; next_++) write(next_);
  if (next_ < rows_.size()) return false;
  header(AreaWord::since).store(begun_, std::memory_order_relaxed);
  header(AreaWord::passes).fetch_add(1, std::memory_order_release);
  return true;
}

void ServiceRows::list(const director::Director& director) {
  rows_.clear();
  size_t wanted = 0;
  const auto add = [&](const Row& row) {
    if (rows_.size() < rows::row_count) rows_.push_back(row);
  };
  director.services().for_each_service([&](const director::Service& service) {
    wanted += 1 + service.destinations.size();
    if (rows_.size() == rows::row_count) return;
    add({&service, nullptr});
    for (const director::Destination* server : service.destinations) add({&service, server});
  });
  header(AreaWord::rows).store(wanted, std::memory_order_relaxed);
  is_valid_ = true;
  next_ = named_ = 0;
}

void ServiceRows::write(size_t index) {
  const auto [service, server] = rows_[index];
  const director::Counters counted = server != nullptr ? server->counters : service->counters();
  director::Rates& rates = server != nullptr ? server->rates : service->rates;
  rates.sample(counted, begun_);
  const director::Counters rate = rates.per_second();
  uint64_t active = 0, inactive = 0, persistent = 0, overloaded = 0;
  const auto add = [&](const director::Destination& one) {
    active += one.active;
    inactive += one.inactive;
    persistent += one.persistent;
    overloaded += one.overloaded;
  };
  if (server != nullptr) {
    add(*server);
  } else {
    for (const director::Destination* one : service->destinations) add(*one);
  }
  const std::array<uint64_t, row_counts.size()> counts = {counted.connections,
                                                          counted.packets_in,
                                                          counted.packets_out,
                                                          counted.bytes_in,
                                                          counted.bytes_out,
                                                          active,
                                                          inactive,
                                                          persistent,
                                                          overloaded,
                                                          rate.connections,
                                                          rate.packets_in,
                                                          rate.packets_out,
                                                          rate.bytes_in,
                                                          rate.bytes_out};
  const Words row = area_.subspan(rows::first_row + index * rows::row_stride, rows::row_stride);
  const std::atomic_ref<uint64_t> sequence(row[0]);
  const uint64_t before = sequence.load(std::memory_order_relaxed);
  sequence.store(before + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  if (index >= named_) {
    const Name name = name_of(*service, server);
    for (size_t i = 0; i < name.size(); i++) store(row[1 + i], name[i]);
    named_ = index + 1;
  }
  for (size_t i = 0; i < counts.size(); i++) store(row[rows::first_count + i], counts[i]);
  sequence.store(before + 2, std::memory_order_release);
}

}  // namespace sluice::engine
