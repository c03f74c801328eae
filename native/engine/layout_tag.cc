// SPDX-License-Identifier: Apache-2.0
#include "engine/layout_tag.h"

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstring>
#include <initializer_list>

#include "director/tracking/flow_keeper.h"
#include "director/tracking/saved_flows.h"
#include "engine/flight_recorder.h"

namespace sluice::engine {

namespace {

// Raise this when a field gets another meaning at the same place.
constexpr uint64_t meaning = 1;

// FNV-1a.
class Hash {
 public:
  void add(uint64_t number) { value_ = (value_ ^ number) * 0x100000001b3; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

template <class A>
void add_flow(Hash& hash) {
  using Flow = director::Flow<A>;
  for (const size_t number :
       {sizeof(Flow), offsetof(Flow, forward), offsetof(Flow, reverse), offsetof(Flow, protocol), offsetof(Flow, state),
        offsetof(Flow, flags), offsetof(Flow, destination), offsetof(Flow, control), offsetof(Flow, packets),
        offsetof(Flow, spliced), offsetof(Flow, mark), offsetof(Flow, deadline), offsetof(Flow, timer_previous)}) {
    hash.add(number);
  }
}

void add_structures(Hash& hash) {
  using director::DestinationIdentity, director::SplicedFlow, director::Announcement, director::ServiceKey;
  namespace flag = director::flow_flag;
  add_flow<wire::Ipv4Address>(hash);
  add_flow<wire::Ipv6Address>(hash);
  for (const size_t number : {sizeof(SplicedFlow),
                              offsetof(SplicedFlow, splice),
                              offsetof(SplicedFlow, client),
                              offsetof(SplicedFlow, announcement),
                              offsetof(SplicedFlow, phase),
                              offsetof(SplicedFlow, family),
                              offsetof(SplicedFlow, flow),
                              offsetof(SplicedFlow, queue),
                              offsetof(SplicedFlow, due),
                              sizeof(Announcement),
                              sizeof(director::Splice),
                              sizeof(director::ProvenClient),
                              sizeof(DestinationIdentity),
                              offsetof(DestinationIdentity, home),
                              offsetof(DestinationIdentity, address),
                              offsetof(DestinationIdentity, port),
                              sizeof(ServiceKey),
                              offsetof(ServiceKey, address),
                              offsetof(ServiceKey, mark),
                              offsetof(ServiceKey, port),
                              offsetof(ServiceKey, protocol)}) {
    hash.add(number);
  }
  for (const uint64_t number :
       {uint64_t{core::tick_shift}, uint64_t{flag::inactive}, uint64_t{flag::no_output}, uint64_t{flag::one_packet},
        uint64_t{flag::egress}, uint64_t{flag::has_local}, uint64_t{flag::tells_client}, uint64_t{flag::spliced},
        uint64_t{flag::announces}, uint64_t{flag::mode_shift}, uint64_t{flag::mode_mask},
        uint64_t{FlightRecorder::kept_bytes}, uint64_t{FlightRecorder::kept_frames}, meaning}) {
    hash.add(number);
  }
}

struct Search {
  uintptr_t address = 0;  // in the program or module that the search looks for
  std::span<const uint8_t> found;
};

bool holds(const dl_phdr_info& module, uintptr_t address) {
  for (int i = 0; i < module.dlpi_phnum; i++) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    const uintptr_t begin = module.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && address >= begin && address < begin + segment.p_memsz) return true;
  }
  return false;
}

// Notes follow each other: a header, the owner's name and the content, each padded to four bytes.
std::span<const uint8_t> build_note(const uint8_t* notes, size_t size) {
  constexpr std::string_view owner("GNU\0", 4);
  const auto filled = [](size_t length) { return (length + 3) & ~size_t{3}; };
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header;
    std::memcpy(&header, notes, sizeof header);
    const size_t content = sizeof header + filled(header.n_namesz);
    const size_t whole = content + filled(header.n_descsz);
    if (whole > size) return {};
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == owner.size() &&
        std::memcmp(notes + sizeof header, owner.data(), owner.size()) == 0) {
      return {notes + content, header.n_descsz};
    }
    notes += whole;
    size -= whole;
  }
  return {};
}

int look_at(dl_phdr_info* module, size_t, void* data) {
  Search& search = *static_cast<Search*>(data);
  if (!holds(*module, search.address)) return 0;
  for (int i = 0; i < module->dlpi_phnum && search.found.empty(); i++) {
    const ElfW(Phdr)& segment = module->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    search.found = build_note(reinterpret_cast<const uint8_t*>(module->dlpi_addr + segment.p_vaddr), segment.p_memsz);
  }
  return 1;
}

}  // namespace

std::span<const uint8_t> build_identity() {
  static const char here = 0;
  Search search{reinterpret_cast<uintptr_t>(&here), {}};
  dl_iterate_phdr(look_at, &search);
  return search.found;
}

uint64_t layout_tag_of(std::span<const uint8_t> build) {
  Hash hash;
  add_structures(hash);
  for (const uint8_t byte : build) hash.add(byte);
  return hash.value();
}

uint64_t layout_tag() {
  return layout_tag_of(build_identity());
}

}  // namespace sluice::engine
