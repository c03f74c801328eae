// SPDX-License-Identifier: Apache-2.0
#include "director/services/source_limit.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/hash.h"

namespace sluice::director {
namespace {

wire::Ipv4Address masked(wire::Ipv4Address address, wire::Ipv4Address mask) {
  return {address.raw & mask.raw};
}
wire::Ipv6Address masked(const wire::Ipv6Address& address, const wire::Ipv6Address& mask) {
  return {{address.raw[0] & mask.raw[0], address.raw[1] & mask.raw[1]}};
}

template <class Address>
Address mask_of(unsigned prefix) {
  uint8_t bytes[sizeof(Address)] = {};
  for (unsigned bit = 0; bit < std::min<unsigned>(prefix, sizeof bytes * 8); ++bit) {
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] | 0x80U >> bit % 8);
  }
  return Address::load(bytes);
}

}  // namespace

template <class Address>
SourceLimit<Address>::SourceLimit(const SourceLimitOptions& options)
    : mask_(mask_of<Address>(options.prefix)), seed_(options.seed ^ 0x452821e638d01377) {
  if (options.rate == 0) return;
  interval_ = std::max<Time>(second / options.rate, 1);
  tolerance_ = (std::max<uint32_t>(options.burst, 1) - 1) * interval_;
  sets_.resize(std::bit_ceil(std::max<uint32_t>(options.entries, ways)) / ways);
}

template <class Address>
bool SourceLimit<Address>::admit(const Address& source, Time now) {
  if (interval_ == 0) return true;
  const Address network = masked(source, mask_);
  Set& set = set_of(network);
  unsigned place = 0;
  for (unsigned way = 0; way < ways; ++way) {
    if (set.source[way] == network && set.full_at[way] > now) {
      if (set.full_at[way] - now > tolerance_) {
        ++refused_;
        return false;
      }
      set.full_at[way] += interval_;
      return true;
    }
    if (set.full_at[way] < set.full_at[place]) place = way;
  }
  displaced_ += set.full_at[place] > now;
  set.source[place] = network;
  set.full_at[place] = now + interval_;
  return true;
}

template <class Address>
typename SourceLimit<Address>::Set& SourceLimit<Address>::set_of(const Address& network) {
  uint64_t words[2] = {};
  std::memcpy(words, &network, sizeof network);
  const uint64_t hash =
      core::multiply_fold(core::multiply_fold(words[0] ^ seed_, 0x9e3779b97f4a7c15) ^ words[1], seed_ | 1);
  return sets_[hash & (sets_.size() - 1)];
}

template class SourceLimit<wire::Ipv4Address>;
template class SourceLimit<wire::Ipv6Address>;

}  // namespace sluice::director
